"""Classifiers on disk: which architectures are known, and how one is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfcore.training.weights import freeze, load_weights, read_card, save_weights

from .architectures import TITLES
from .base import Classifier
from .densenet import BinaryDenseNet
from .own import load_own
from .trunk import BinaryVGG, SmallCNN, TrunkClassifier

Trainable = BinaryDenseNet | TrunkClassifier
TRUNKS = {kind.architecture: kind for kind in (BinaryVGG, SmallCNN)}


def build_classifier(architecture: str, class_names: tuple[str, str], size: int, *, width: float = 1.0) -> Trainable:
    """A fresh network; `width`: factor on the channels of a VGG-16 or small CNN.

    Raises:
        ValueError: an unknown architecture (lists the known ones), or a width or size that it cannot have.
    """
    if architecture in TRUNKS:
        return TRUNKS[architecture](class_names, size, width=width)
    if architecture != BinaryDenseNet.architecture:
        raise ValueError(f"no architecture {architecture!r}; known are {', '.join(TITLES)}")
    if width != 1:
        raise ValueError(f"{BinaryDenseNet.title} has one width: leave it at 1, or choose {' or '.join(TRUNKS)}")
    return BinaryDenseNet(class_names, size)


def save_classifier(folder: Path, classifier: Trainable, card: dict[str, Any]) -> str:
    """Write weights and card, with all that is needed to build the network again; returns the SHA-256."""
    own = {
        "kind": "classifier",
        "architecture": classifier.architecture,
        "class_names": list(classifier.class_names),
        "size": classifier.size[0],
        "channels": classifier.channels,
    }
    if isinstance(classifier, TrunkClassifier):
        own["width"] = classifier.width
    return save_weights(folder, classifier, own | card)


def load_classifier(folder: Path) -> Classifier:
    """A frozen classifier from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != "classifier":
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a classifier")
    if "spec" in card:
        return load_own(folder, card)
    names, width = tuple(card["class_names"]), card.get("width", 1.0)
    classifier = build_classifier(card["architecture"], names, card["size"], width=width)
    load_weights(folder, classifier)
    freeze(classifier)
    return classifier
