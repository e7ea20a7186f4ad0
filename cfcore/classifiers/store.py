"""Classifiers on disk: which architectures are known, and how one is read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cfcore.training.weights import freeze, load_weights, read_card, save_weights

from .base import Classifier
from .densenet import BinaryDenseNet
from .own import load_own

ARCHITECTURES = {BinaryDenseNet.architecture: BinaryDenseNet}


def build_classifier(architecture: str, class_names: tuple[str, str], size: int) -> BinaryDenseNet:
    """A fresh network. Raises ValueError that lists the known architectures."""
    if architecture not in ARCHITECTURES:
        raise ValueError(f"no architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](class_names, size)


def save_classifier(folder: Path, classifier: BinaryDenseNet, card: dict[str, Any]) -> str:
    """Write weights and card, with all that is needed to build the network again; returns the SHA-256."""
    own = {
        "kind": "classifier",
        "architecture": classifier.architecture,
        "class_names": list(classifier.class_names),
        "size": classifier.size[0],
        "channels": classifier.channels,
    }
    return save_weights(folder, classifier, own | card)


def load_classifier(folder: Path) -> Classifier:
    """A frozen classifier from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != "classifier":
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a classifier")
    if "spec" in card:
        return load_own(folder, card)
    classifier = build_classifier(card["architecture"], tuple(card["class_names"]), card["size"])
    load_weights(folder, classifier)
    freeze(classifier)
    return classifier
