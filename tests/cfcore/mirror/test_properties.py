"""What holds for every head and every point: half on the boundary, the opposite behind it, a wanted confidence."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional

from cfcore.mirror.confidence import bisected_k, exact_k, pairwise_range, softmax_range
from cfcore.mirror.names import POINTS, Points
from cfcore.mirror.points import mirror_margin, pairwise_step, step_of

LEAST_APART = 0.1  # of two rows of W
shares = st.floats(0, 1)
often = settings(deadline=None, max_examples=50)


class Case:
    """A head, one point, C's class of it and another one; float64."""

    def __init__(self, weight: Tensor, bias: Tensor, z: Tensor, turn: int) -> None:
        self.head, self.z = (weight, bias), z
        self.logits = functional.linear(z, weight, bias)
        self.source = self.logits.argmax(dim=1)
        self.target = (self.source + turn) % len(weight)
        self.margin = mirror_margin(z, weight, bias, self.source, self.target)

    def at(self, k: Tensor, step: Tensor) -> Tensor:
        """(1, classes) softmax of the head on z + k step."""
        return functional.linear(self.z + k * step, *self.head).softmax(dim=1)


@st.composite
def cases(draw: st.DrawFn, most: int) -> Case:
    """2 to `most` classes (3 and more where `most` is), 1 to 12 features, all of -5 to 5."""
    classes = draw(st.integers(2 if most == 2 else 3, most))
    features = draw(st.integers(1 if most == 2 else 2, 12))
    numbers = st.floats(-5, 5, width=32)
    weight, bias, z = (
        torch.from_numpy(draw(arrays("float64", shape, elements=numbers)))
        for shape in ((classes, features), (classes,), (1, features))
    )
    case = Case(weight, bias, z, draw(st.integers(1, classes - 1)))
    apart = (weight[case.target] - weight[case.source]).norm().item()
    assume(apart > LEAST_APART)
    return case


@often
@given(case=cases(2), points=st.sampled_from(POINTS))
def test_two_classes_are_even_on_the_boundary_and_opposite_behind_it(case: Case, points: Points) -> None:
    step = step_of(points, case.z, *case.head, case.source, case.target)
    for k, expected in ((0.0, case.margin), (0.5, 0 * case.margin), (1.0, -case.margin)):
        pair = functional.linear(case.z + k * step, *case.head)
        difference = (pair[:, case.target] - pair[:, case.source])[:, 0]
        torch.testing.assert_close(difference, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(case.at(torch.tensor(0.5), step), torch.full((1, 2), 0.5).double(), rtol=0, atol=1e-6)


@often
@given(case=cases(2), share=shares)
def test_two_classes_have_the_wanted_confidence(case: Case, share: float) -> None:
    assume(case.margin < 0)
    low, high = pairwise_range(case.margin)
    wanted = torch.clamp(low + share * (high - low), low, high)
    k = exact_k(wanted, case.margin)
    assert 0 <= k <= 1
    found = case.at(k, pairwise_step(case.z, *case.head, case.source, case.target))[:, case.target][:, 0]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)


@often
@given(case=cases(2), share=st.floats(0.01, 1), above=st.booleans())
def test_two_classes_refuse_what_is_out_of_reach(case: Case, share: float, above: bool) -> None:
    assume(case.margin < 0)
    low, high = pairwise_range(case.margin)
    wanted = high + share * (1 - high) if above else (1 - share) * low
    # At a margin of some -40 the way ends in 1 itself, beyond which there is nothing.
    assume(wanted > high if above else wanted < low)
    with pytest.raises(ValueError, match=told(wanted, low, high)):
        exact_k(wanted, case.margin)


@often
@given(case=cases(6), points=st.sampled_from(POINTS), share=shares)
def test_more_classes_have_the_wanted_confidence(case: Case, points: Points, share: float) -> None:
    change, low, high = led(case, points)
    wanted = torch.clamp(low + share * (high - low), low, high)
    k = bisected_k(wanted, case.logits, change, case.target)
    assert 0 <= k <= 1
    step = step_of(points, case.z, *case.head, case.source, case.target)
    torch.testing.assert_close(case.at(k, step)[:, case.target][:, 0], wanted, rtol=0, atol=1e-9)


@often
@given(case=cases(6), points=st.sampled_from(POINTS), share=st.floats(0.01, 1), above=st.booleans())
def test_more_classes_refuse_what_is_out_of_reach(case: Case, points: Points, share: float, above: bool) -> None:
    change, low, high = led(case, points)
    wanted = high + share * (1 - high) if above else (1 - share) * low
    assume(wanted > high if above else wanted < low)
    with pytest.raises(ValueError, match=told(wanted, low, high)):
        bisected_k(wanted, case.logits, change, case.target)


def led(case: Case, points: Points) -> tuple[Tensor, Tensor, Tensor]:
    """W step, and the target's probability at both ends of the way, which is to rise."""
    step = step_of(points, case.z, *case.head, case.source, case.target)
    change = functional.linear(step, case.head[0])
    low, high = softmax_range(case.logits, change, case.target)
    assume(low < high)
    return change, low, high


def told(wanted: Tensor, low: Tensor, high: Tensor) -> str:
    """The error's words for one image."""
    return re.escape(
        f"a confidence of {float(wanted):.6g} cannot be reached for image 0: its way to the mirror image goes from "
        f"{float(low):.6g} (k = 0) to {float(high):.6g} (k = 1); choose one between"
    )
