"""A network of independent labels as the two classes of one: no and yes, its threshold in the bias."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.known import KnownClassifier
from cfcore.classifiers.spec import read_spec

LABELS = ("Atelectasis", "Cardiomegaly", "Effusion")


def several_labels(architecture: str, label: str, threshold: float | None) -> KnownClassifier:
    """The network of one seed, whichever of its labels is read."""
    torch.manual_seed(0)
    classifier = KnownClassifier(
        read_spec(
            f"architecture: {architecture}\ninput: {{size: 32, range: [-2, 2], mean: 0.1, std: 1.5}}\n"
            f"labels: [{', '.join(LABELS)}]\nlabel: {label}\n" + (f"threshold: {threshold}\n" if threshold else "")
        ),
        len(LABELS),
    )
    classifier.requires_grad_(False).eval()
    return classifier


@pytest.fixture
def images() -> Tensor:
    return torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("architecture", ["densenet121", "monai-resnet18"])
@pytest.mark.parametrize(("label", "threshold"), [("Atelectasis", None), ("Cardiomegaly", 0.2), ("Effusion", 0.9)])
@torch.no_grad()
def test_head_and_pyramid_give_the_logits_of_one_label(
    architecture: str, label: str, threshold: float | None, images: Tensor
) -> None:
    classifier, i = several_labels(architecture, label, threshold), LABELS.index(label)
    assert classifier.class_names == (f"No {label}", label)
    logits, last = classifier.logits(images), classifier._last
    shift = torch.tensor(threshold or 0.5).logit()
    assert torch.equal(logits[:, 0], torch.zeros(3))
    torch.testing.assert_close(logits[:, 1], classifier.raw(images)[:, i] - shift)

    weight, bias = classifier.head
    assert weight.shape == (2, last.in_features) and torch.equal(weight[0], torch.zeros(last.in_features))
    torch.testing.assert_close(weight[1], last.weight[i], atol=1e-6, rtol=0)
    torch.testing.assert_close(bias, torch.stack([torch.zeros(()), last.bias[i] - shift]))

    averaged = classifier.pyramid(images)[-1].mean(dim=(2, 3))
    torch.testing.assert_close(averaged, classifier.features(images))
    torch.testing.assert_close(functional.linear(averaged, weight, bias), logits, atol=1e-5, rtol=1e-5)
