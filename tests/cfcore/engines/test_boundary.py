"""Where a class changes: the first change of a curve, to the tolerance, for all ways at once and on real engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.boundary import STEPS, TOLERANCE, boundary, first_change
from cfcore.engines.medxgan import MedXGANEngine
from cfcore.rendering import RENDERINGS, Rendering
from tests.cfcore.engines.test_medxgan import CONFIG, Planted, bright, dark
from tests.services.shift_engine import Brightness, Shift, ShiftConfig

__all__ = ["bright", "dark"]

# The target from 0.3137 on; in two stretches; never; until 0.8 only; everywhere.
WAYS: tuple[Callable[[float], bool], ...] = (
    lambda d: d >= 0.3137,
    lambda d: 0.21 <= d < 0.4 or d >= 0.9,
    lambda d: False,
    lambda d: d < 0.8,
    lambda d: True,
)


def says(rows: Tensor, degrees: Tensor) -> Tensor:
    return torch.tensor([WAYS[row](degree) for row, degree in zip(rows.tolist(), degrees.tolist(), strict=True)])


def curve(ends: list[float], steps: int = STEPS) -> tuple[Tensor, Tensor]:
    grid = torch.linspace(0, 1, steps + 1, dtype=torch.float64) * torch.tensor(ends, dtype=torch.float64)[:, None]
    rows = torch.arange(len(ends)).repeat_interleave(steps + 1)
    return grid, says(rows, grid.flatten()).view(grid.shape)


def test_the_first_change_of_every_way_is_found_to_the_tolerance() -> None:
    found = first_change(says, *curve([1.0] * 5))
    assert found.target_at_start.tolist() == [False, False, False, True, True]
    one, first, none, back, always = found.degree.tolist()
    assert 0 <= one - 0.3137 < TOLERANCE and 0 <= first - 0.21 < TOLERANCE and 0 <= back - 0.8 < TOLERANCE
    assert none != none and always != always


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 1e-6])
def test_the_degree_itself_was_judged_of_the_other_class(tolerance: float) -> None:
    asked: dict[tuple[int, float], bool] = {}

    def watched(rows: Tensor, degrees: Tensor) -> Tensor:
        answers = says(rows, degrees)
        asked.update(zip(zip(rows.tolist(), degrees.tolist(), strict=True), answers.tolist(), strict=True))
        return answers

    grid, hits = curve([1.0])
    degree = first_change(watched, grid, hits, tolerance).degree.item()
    known = asked | {(0, d): bool(hit) for d, hit in zip(grid[0].tolist(), hits[0].tolist(), strict=True)}
    assert known[0, degree]
    assert any(not hit and 0 < degree - d <= tolerance for (_, d), hit in known.items())


def test_all_ways_are_asked_at_once_and_only_while_they_are_open() -> None:
    calls: list[list[int]] = []

    def watched(rows: Tensor, degrees: Tensor) -> Tensor:
        calls.append(rows.tolist())
        return says(rows, degrees)

    first_change(watched, *curve([1.0] * 5), TOLERANCE)
    assert calls == [[0, 1, 3]] * 7, "an eighth of the way, halved seven times, is below a thousandth"


def test_a_way_may_lead_down() -> None:
    ways = (lambda d: d <= -3.3,)

    def down(rows: Tensor, degrees: Tensor) -> Tensor:
        return torch.tensor([ways[0](d) for d in degrees.tolist()])

    grid = torch.linspace(0, -10, 9, dtype=torch.float64)[None]
    found = first_change(down, grid, down(torch.zeros(9), grid[0])[None]).degree.item()
    assert 0 <= -3.3 - found < 0.01


@pytest.mark.parametrize(
    ("degrees", "hits", "tolerance", "words"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 4, dtype=torch.bool), 0.1, r"degrees \(2, 3\) and classes \(2, 4\)"),
        (torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool), 0.1, "m > 0"),
        (torch.zeros(1, 3), torch.zeros(1, 3, dtype=torch.bool), 0.0, "the tolerance is 0"),
    ],
)
def test_what_is_no_curve_is_refused(degrees: Tensor, hits: Tensor, tolerance: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        first_change(says, degrees, hits, tolerance)


def test_medxgan_crosses_where_its_generator_says(classifier: Classifier, bright: Tensor) -> None:
    """A picture is bright where |z2| exceeds 0.5, and z2 goes to 0 in proportion to the degree."""
    engine = MedXGANEngine.fit(classifier, bright, 0, CONFIG, generator=Planted())
    z2 = engine.latents(engine.encode(bright, 0))[1].abs()[:, 0].double()
    found = boundary(engine, bright, 0, torch.ones(2), ["negative"] * 2, rendering="plain")
    assert not found.target_at_start.any()
    beyond = found.degree - (1 - 0.5 / z2)
    assert (beyond > -1e-5).all() and (beyond < TOLERANCE).all(), (found.degree, z2)
    shown = engine.move(bright[:1], 0, direction="negative", degree=found.degree[0].item(), rendering="plain")
    assert shown.flipped.all()


def test_medxgan_without_a_flip_and_from_beyond(classifier: Classifier, bright: Tensor, dark: Tensor) -> None:
    engine = MedXGANEngine(classifier, Planted(), CONFIG)
    engine.pathologies.fill_(0.1)
    found = boundary(engine, dark, 1, torch.ones(3), ["positive 1"] * 3, rendering="plain")
    assert found.degree.isnan().all() and not found.target_at_start.any()
    back = boundary(engine, bright, 1, torch.ones(2), ["positive 1"] * 2, rendering="plain")
    assert back.target_at_start.all() and (back.degree > 0.5).all(), "bright already, and dark at |z2| = 0.5"


@pytest.mark.parametrize("rendering", RENDERINGS)
def test_images_side_by_side_say_what_each_says_alone(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every rendering, each along its own direction and to its own end; more images than a batch takes."""
    monkeypatch.setattr(Brightness, "size", (16, 16))
    engine = Shift(Brightness(), ShiftConfig())
    engine.size = (16, 16)
    images = 0.1 + 0.01 * torch.arange(20).view(20, 1, 1, 1) + torch.zeros(20, 1, 32, 32)
    names, ends = ["up", "down"] * 10, torch.tensor([10.0, -12.0] * 10)
    found = boundary(engine, images, 1, ends, names, rendering=rendering).degree
    expected = (0.5 - images.mean(dim=(1, 2, 3)).double()) / 0.05 * torch.tensor([1.0, -1.0] * 10)
    beyond = (found - expected) * ends.sign()
    assert (beyond > -1e-4).all() and (beyond < TOLERANCE * 12).all()
    for row in (0, 7):
        alone = boundary(engine, images[row : row + 1], 1, ends[row : row + 1], [names[row]], rendering=rendering)
        assert alone.degree.item() == pytest.approx(found[row].item(), abs=1e-9)


def test_the_class_is_that_of_the_picture_at_the_sources_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fourth pixel is white and cannot get brighter: 1 / 4 + 3 / 4 (0.2 + x) = 0.5; of means 0.4 + x = 0.5."""
    monkeypatch.setattr(Brightness, "size", (16, 16))
    engine = Shift(Brightness(), ShiftConfig())
    engine.size = (16, 16)
    image = torch.full((1, 1, 32, 32), 0.2)
    image[:, :, ::2, ::2] = 1.0
    found = boundary(engine, image, 1, torch.tensor([10.0]), ["up"], rendering="detail transfer").degree.item()
    assert 0 <= found - (0.5 - 0.4) / 0.75 / 0.05 + 1e-4 < 10 * TOLERANCE
    assert engine.move(image, 1, direction="up", degree=found, rendering="detail transfer").flipped.all()


def test_every_image_needs_an_end_and_a_direction() -> None:
    with pytest.raises(ValueError, match="2 images, 1 ends, 2 directions, 8 steps"):
        boundary(Shift(Brightness(), ShiftConfig()), torch.zeros(2, 1, 8, 8), 1, torch.ones(1), ["up", "up"])
