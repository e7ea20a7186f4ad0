"""The mirror image in feature space: by hand, by closed form and by search, and what the head says of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cfcore.mirror.names import kfe_name
from cfcore.mirror.points import mirror_margin, pairwise_step, searched_step, step_of, swapped_step

Head = tuple[Tensor, Tensor]


@pytest.fixture
def head() -> Head:
    """Five classes on twelve features, in float64."""
    drawn = torch.Generator().manual_seed(0)
    return torch.randn(5, 12, generator=drawn, dtype=torch.double), torch.randn(5, generator=drawn, dtype=torch.double)


@pytest.fixture
def rows(head: Head) -> tuple[Tensor, Tensor, Tensor]:
    """Seven points, the class of each, and another one."""
    z = torch.randn(7, 12, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    source = functional.linear(z, *head).argmax(dim=1)
    return z, source, (source + 1 + torch.arange(7) % 4) % 5


def test_two_features_by_hand() -> None:
    """W1 - W0 = (3, 4), b1 - b0 = -10, z = (1, -2): D = -15, |Wm|^2 = 25, so a whole step is 1.2 (3, 4)."""
    weight, bias = torch.tensor([[0.0, 1.0], [3.0, 5.0]]), torch.tensor([4.0, -6.0])
    z, source, target = torch.tensor([[1.0, -2.0]]), torch.tensor([0]), torch.tensor([1])
    assert mirror_margin(z, weight, bias, source, target).tolist() == [-15.0]
    step = pairwise_step(z, weight, bias, source, target)
    assert torch.allclose(step, torch.tensor([[3.6, 4.8]]))
    assert torch.allclose(z + 0.5 * step, torch.tensor([[2.8, 0.4]]))
    assert torch.allclose(z + step, torch.tensor([[4.6, 2.8]]))


def test_the_head_says_half_on_the_boundary_and_the_opposite_behind_it(head: Head, rows: tuple[Tensor, ...]) -> None:
    z, source, target = rows
    margin = mirror_margin(z, *head, source, target)
    step = pairwise_step(z, *head, source, target)
    for k, expected in ((0.0, margin), (0.5, 0 * margin), (1.0, -margin)):
        pair = functional.linear(z + k * step, *head).gather(1, torch.stack([source, target], dim=1))
        assert torch.allclose(pair[:, 1] - pair[:, 0], expected, atol=1e-10)
        if k == 0.5:
            assert torch.allclose(pair.softmax(dim=1), torch.full_like(pair, 0.5))


def test_the_point_of_all_classes_has_the_swapped_softmax(head: Head, rows: tuple[Tensor, ...]) -> None:
    z, source, target = rows
    before = functional.linear(z, *head).softmax(dim=1)
    after = functional.linear(z + swapped_step(z, *head, source, target), *head).softmax(dim=1)
    swapped = before.clone()
    swapped.scatter_(1, source[:, None], before.gather(1, target[:, None]))
    swapped.scatter_(1, target[:, None], before.gather(1, source[:, None]))
    assert torch.allclose(after, swapped, atol=1e-12)
    halfway = functional.linear(z + 0.5 * swapped_step(z, *head, source, target), *head).softmax(dim=1)
    assert torch.allclose(halfway.gather(1, source[:, None]), halfway.gather(1, target[:, None]))


def test_closed_form_and_search_agree(head: Head, rows: tuple[Tensor, ...]) -> None:
    closed, searched = swapped_step(rows[0], *head, *rows[1:]), searched_step(rows[0], *head, *rows[1:])
    assert torch.allclose(closed, searched, atol=1e-7)
    # The shortest of all steps that do it: none has a part outside the row space of the centred weights.
    centred = head[0] - head[0].mean(dim=0)
    outside = closed - closed @ torch.linalg.pinv(centred) @ centred
    assert outside.abs().max() < 1e-10


def test_for_two_classes_all_ways_are_one(rows: tuple[Tensor, ...]) -> None:
    """Also for a head with one logit, whose rows are 0 and w."""
    w = torch.randn(12, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    weight, bias = torch.stack([0 * w, w]), torch.tensor([0.0, -0.3], dtype=torch.double)
    source = functional.linear(rows[0], weight, bias).argmax(dim=1)
    steps = [step_of(way, rows[0], weight, bias, source, 1 - source) for way in ("pairwise", "closed form", "L-BFGS")]
    assert torch.allclose(steps[0], steps[1]) and torch.allclose(steps[0], steps[2], atol=1e-7)
    at = functional.linear(rows[0] + steps[0], weight, bias)[:, 1]
    assert torch.allclose(at, -functional.linear(rows[0], weight, bias)[:, 1])


def test_a_target_that_is_the_source_is_refused(head: Head, rows: tuple[Tensor, ...]) -> None:
    z, source, target = rows
    wrong = torch.where(torch.arange(7) == 3, source, target)
    for way in (pairwise_step, swapped_step, searched_step, mirror_margin):
        with pytest.raises(ValueError, match=r"image 3 is of class .* already, which is the target"):
            way(z, *head, source, wrong)
    with pytest.raises(ValueError, match=r"no way 'straight'.*pairwise, closed form, L-BFGS"):
        step_of("straight", z, *head, source, target)  # type: ignore[arg-type]


def test_names_of_the_pictures_on_the_way() -> None:
    assert [kfe_name(k) for k in (0.0, 0.49, 0.5, 0.99, 1.0)] == ["SFE", "SFE", "CFE", "CFE", "Reflection"]
    with pytest.raises(ValueError, match=r"k is 1\.2"):
        kfe_name(1.2)


@pytest.mark.parametrize(("classes", "features"), [(5, 12), (10, 512), (4, 3), (8, 3), (2, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("equal", [False, True], ids=["full", "equal rows"])
def test_the_closed_form_is_the_shortest_least_squares_step(
    classes: int, features: int, dtype: torch.dtype, equal: bool
) -> None:
    """Against numpy.linalg.lstsq in float64; also where the rank is deficient and the swap cannot be reached."""
    drawn = torch.Generator().manual_seed(classes + features)
    weight, bias = torch.randn(classes, features, generator=drawn), torch.randn(classes, generator=drawn)
    if equal and classes > 2:
        weight[-1] = weight[-2]
    z = torch.randn(5, features, generator=drawn)
    source, target = torch.zeros(5, dtype=torch.long), torch.ones(5, dtype=torch.long)
    head = weight.to(dtype), bias.to(dtype)
    wide = weight.double().numpy()
    margin = mirror_margin(z.double(), weight.double(), bias.double(), source, target).numpy()
    change = np.zeros((classes, 5))
    change[0], change[1] = margin, -margin
    best = np.linalg.lstsq(wide - wide.mean(axis=0), change, rcond=1e-10)[0].T
    exact = 1e-4 if dtype == torch.float32 else 1e-9
    for way in (swapped_step, searched_step):
        found = way(z.to(dtype), *head, source, target)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.double().numpy(), best, atol=exact * np.abs(best).max())


def test_classes_that_the_head_does_not_tell_apart_have_no_mirror() -> None:
    weight, bias = torch.ones(3, 4), torch.tensor([0.0, 1.0, 2.0])
    weight[0] = 2.0
    z, source, target = torch.rand(2, 4), torch.tensor([0, 1]), torch.tensor([1, 2])
    for way in (pairwise_step, searched_step):
        with pytest.raises(ValueError, match="same weights for the classes 1 and 2 of image 1, so that no mirror"):
            way(z, weight, bias, source, target)
    assert swapped_step(z, weight, bias, source, target).isfinite().all()
