"""Classifiers on disk: which architectures are known, and how one is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfcore.training.weights import freeze, load_weights, read_card, save_weights

from .architectures import MANY, TITLES, WIDE
from .base import Classifier
from .densenet import BinaryDenseNet
from .own import load_own
from .resnet import ResidualNet
from .trunk import BinaryVGG, SmallCNN, TrunkClassifier

Trainable = BinaryDenseNet | TrunkClassifier | ResidualNet
TRUNKS = {kind.architecture: kind for kind in (BinaryVGG, SmallCNN)}


def build_classifier(
    architecture: str, class_names: tuple[str, ...], size: int, *, width: float = 1.0, channels: int = 1
) -> Trainable:
    """A fresh network of `size` pixels.

    Args:
        class_names: two; a residual network takes more.
        width: factor on the channels of a network in `architectures.WIDE`.
        channels: of the images: 1; a residual network takes 3, too.

    Raises:
        ValueError: an unknown architecture (lists the known ones), or classes, a width, a size or channels that it
            cannot have.
    """
    if architecture not in TITLES:
        raise ValueError(f"no architecture {architecture!r}; known are {', '.join(TITLES)}")
    if architecture in MANY:
        return ResidualNet(architecture, class_names, size, width=width, channels=channels)
    title = TITLES[architecture]
    if len(class_names) != 2:
        raise ValueError(f"{title} tells two classes apart, not {len(class_names)}: choose {' or '.join(MANY)}")
    if channels != 1:
        raise ValueError(f"{title} takes grey images, not {channels} channels: choose {' or '.join(MANY)}")
    negative, positive = class_names
    if architecture in TRUNKS:
        return TRUNKS[architecture]((negative, positive), size, width=width)
    if width != 1:
        raise ValueError(f"{title} has one width: leave it at 1, or choose {' or '.join(WIDE)}")
    return BinaryDenseNet((negative, positive), size)


def save_classifier(folder: Path, classifier: Trainable, card: dict[str, Any]) -> str:
    """Write weights and card, with all that is needed to build the network again; returns the SHA-256."""
    own = {
        "kind": "classifier",
        "architecture": classifier.architecture,
        "class_names": list(classifier.class_names),
        "size": classifier.size[0],
        "channels": classifier.channels,
    }
    if not isinstance(classifier, BinaryDenseNet):
        own["width"] = classifier.width
    return save_weights(folder, classifier, own | card)


def load_classifier(folder: Path) -> Classifier:
    """A frozen classifier from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != "classifier":
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a classifier")
    if "spec" in card:
        return load_own(folder, card)
    more = {"width": card.get("width", 1.0), "channels": card.get("channels", 1)}
    classifier = build_classifier(card["architecture"], tuple(card["class_names"]), card["size"], **more)
    load_weights(folder, classifier)
    freeze(classifier)
    return classifier
