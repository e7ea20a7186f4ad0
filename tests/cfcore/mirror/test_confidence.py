"""How far to go for a wanted confidence: exact for two classes, by bisection for more, refused out of reach."""

from __future__ import annotations

import pytest
import torch

from cfcore.mirror.confidence import bisected_k, exact_k, pairwise_range, softmax_range

MARGIN = torch.tensor([-2.0, -5.0, -0.1], dtype=torch.double)


@pytest.mark.parametrize("wanted", [0.48, 0.5, 0.52])
def test_two_classes_exactly(wanted: float) -> None:
    k = exact_k(torch.full((3,), wanted, dtype=torch.double), MARGIN)
    assert torch.allclose(((1 - 2 * k) * MARGIN).sigmoid(), torch.full_like(k, wanted))
    assert (k < 0.5).all() if wanted < 0.5 else (k >= 0.5).all()


def test_the_ends_of_the_range_are_the_ends_of_the_way() -> None:
    low, high = pairwise_range(MARGIN)
    assert torch.allclose(exact_k(low, MARGIN), torch.zeros(3, dtype=torch.double), atol=1e-12)
    assert torch.allclose(exact_k(high, MARGIN), torch.ones(3, dtype=torch.double))


def test_out_of_reach_is_an_error_that_names_the_range() -> None:
    with pytest.raises(
        ValueError, match=r"0\.9 cannot be reached for image 0.* 0\.119203 \(k = 0\) to 0\.880797 \(k = 1\)"
    ):
        exact_k(torch.tensor([0.9, 0.5, 0.5]), MARGIN.float())
    with pytest.raises(ValueError, match=r"for image 1.*choose one between"):
        exact_k(torch.tensor([0.5, 0.001, 0.5]), MARGIN.float())
    with pytest.raises(ValueError, match=r"D of image 2 is 0\.4, not below 0"):
        exact_k(torch.full((3,), 0.5), torch.tensor([-1.0, -2.0, 0.4]))


def test_more_classes_by_bisection() -> None:
    logits = torch.tensor([[3.0, 0.0, 1.0, -1.0], [2.0, 1.5, -2.0, 0.0]], dtype=torch.double)
    target = torch.tensor([2, 1])
    change = torch.tensor([[-2.0, 0.0, 2.0, 0.0], [-0.5, 0.5, 0.0, 0.0]], dtype=torch.double)
    low, high = softmax_range(logits, change, target)
    assert torch.allclose(low, logits.softmax(dim=1)[[0, 1], target])
    wanted = low + torch.tensor([0.3, 0.9]) * (high - low)
    k = bisected_k(wanted, logits, change, target)
    assert torch.allclose((logits + k[:, None] * change).softmax(dim=1)[[0, 1], target], wanted, atol=1e-9)
    with pytest.raises(ValueError, match=r"0\.999 cannot be reached for image 1"):
        bisected_k(torch.tensor([0.5, 0.999], dtype=torch.double), logits, change, target)


def test_both_agree_for_two_classes() -> None:
    logits = torch.stack([-MARGIN, 0 * MARGIN], dim=1)
    change = torch.stack([2 * MARGIN, 0 * MARGIN], dim=1)
    wanted = torch.tensor([0.6, 0.2, 0.5], dtype=torch.double)
    found = bisected_k(wanted, logits, change, torch.ones(3, dtype=torch.long))
    assert torch.allclose(found, exact_k(wanted, MARGIN), atol=1e-9)
