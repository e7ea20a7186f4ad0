"""The stack of feature maps that methods in feature space move: its last map, averaged, goes into the linear head."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.classifiers.known import KnownClassifier
from cfcore.classifiers.resnet import ResidualNet
from cfcore.classifiers.spec import ClassifierSpec
from cfcore.classifiers.store import build_classifier

NAMES = ("Healthy", "Pneumonia")


def known(architecture: str) -> Classifier:
    return KnownClassifier(ClassifierSpec(architecture, NAMES, (64, 64)), 2)


@pytest.mark.parametrize(
    "classifier",
    [
        BinaryDenseNet(NAMES, 64),
        ResidualNet("resnet18", NAMES, 64, width=0.5),
        ResidualNet("resnet50", ("Healthy", "Viral", "Bacterial"), 64, width=0.25),
        known("densenet121"),
        known("resnet18"),
        known("monai-resnet18"),
        known("resnet50"),
    ],
    ids=["own densenet", "own resnet18", "own resnet50", "densenet121", "resnet18", "monai-resnet18", "resnet50"],
)
@torch.no_grad()
def test_a_pyramid_gets_coarser_and_ends_in_the_map_that_is_averaged(classifier: Classifier) -> None:
    images = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    classifier.eval()
    levels = classifier.pyramid(images)
    sides = [level.shape[2] for level in levels]
    assert len(levels) == 5 and all(fine == 2 * coarse for fine, coarse in itertools.pairwise(sides))
    assert torch.equal(levels[-1], classifier.maps(images))
    averaged = levels[-1].mean(dim=(2, 3))
    assert torch.allclose(averaged, classifier.features(images), atol=1e-5)
    assert torch.allclose(functional.linear(averaged, *classifier.head), classifier.logits(images), atol=1e-4)


@pytest.mark.parametrize("architecture", ["vgg16", "small-cnn"])
def test_a_network_without_global_average_pooling_is_refused(architecture: str) -> None:
    classifier = build_classifier(architecture, NAMES, 64, width=0.25)
    with pytest.raises(TypeError, match=r"no global average pooling.*DenseNet or a ResNet"):
        classifier.pyramid(torch.zeros(1, 1, 64, 64))
