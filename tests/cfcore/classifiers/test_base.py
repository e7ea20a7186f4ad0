"""Margins, classes and the one way by which images are resized."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin


@given(st.lists(st.floats(-20, 20), min_size=2, max_size=6), st.data())
def test_margin_is_the_logit_of_the_softmax_probability(values: list[float], data: st.DataObject) -> None:
    target = data.draw(st.integers(0, len(values) - 1))
    logits = torch.tensor([values], dtype=torch.float64)
    expected = logits.softmax(dim=1)[0, target]
    assert torch.allclose(target_margin(logits, target).sigmoid()[0], expected, atol=1e-9)


def test_binary_margin_is_the_single_logit() -> None:
    logits = torch.tensor([[0.0, 1.5], [0.0, -2.0]])
    assert torch.allclose(target_margin(logits, 1), torch.tensor([1.5, -2.0]))
    assert is_class(logits, 1).tolist() == [True, False]


def test_resize_averages_areas() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(resize(image, (2, 2)), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    assert resize(image, (4, 4)) is image
    assert resize(torch.full((1, 1, 3, 3), 0.7), (8, 8)).allclose(torch.tensor(0.7))
    assert resize(torch.rand(1, 1, 4, 4, 4), (2, 2, 2)).shape == (1, 1, 2, 2, 2)


def test_unknown_class_is_named(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="no class 'sunny'; the classifier knows dark, bright"):
        classifier.class_index("sunny")
    with pytest.raises(TypeError, match="does not tell its features"):
        classifier.features(torch.zeros(1, 1, 16, 16))
