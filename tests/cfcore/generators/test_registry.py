"""What the registry says of classifiers is what the networks themselves say."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from cfcore.classifiers.architectures import MANY, TITLES, WIDE
from cfcore.classifiers.store import build_classifier
from cfcore.generators.medxgan import MedXGAN
from cfcore.generators.medxgan.model import MedXGANConfig
from cfcore.generators.medxgan.training import PAPER, MedXGANTask
from cfcore.generators.mirror.model import config_for
from cfcore.generators.registry import GENERATORS


@pytest.mark.parametrize("architecture", TITLES)
def test_networks_without_averaging_are_those_that_mirror_cfe_refuses(architecture: str) -> None:
    more: dict[str, Any] = {"width": 0.1} if architecture in WIDE else {}
    classifier = build_classifier(architecture, ("no", "yes"), 64, **more)
    card = {"architecture": architecture, "class_names": ["no", "yes"]}
    if GENERATORS["mirror"].misfit(card):
        with pytest.raises(ValueError, match="global average pooling"):
            config_for(classifier)
    else:
        assert config_for(classifier).size == 64
    assert not GENERATORS["stylex"].misfit(card)


@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
def test_medxgan_is_for_two_classes(classes: tuple[str, ...]) -> None:
    classifier = build_classifier(MANY[0], classes, 64, width=0.1)
    model = MedXGAN(MedXGANConfig(channels=dict.fromkeys((4, 8, 16, 32, 64), 2)))
    settings, generator = PAPER, torch.Generator()
    if GENERATORS["medxgan"].misfit({"class_names": list(classes)}):
        with pytest.raises(ValueError, match="two classes"):
            MedXGANTask(model, classifier, settings, generator)
    else:
        MedXGANTask(model, classifier, settings, generator)
    assert bool(GENERATORS["medxgan"].misfit({"class_names": list(classes)})) == (len(classes) == 3)


def test_a_network_of_ones_own_is_tried() -> None:
    assert not any(kind.misfit({"class_names": ["no", "yes"]}) for kind in GENERATORS.values())
