"""Slices: one person at every size, with and without the lesion; the mask says where they differ."""

from __future__ import annotations

import numpy as np
import pytest

from cfcore.images.brain import VERSION, Slice, Template, build_brains, draw, procedural_template

# Radius in mm, pixels of the mask, mean of the image and of its twin, for the seeds 0, 1 and 2.
FIRST = ((8.95, 19, 47.50, 46.97), (16.73, 64, 36.88, 35.55), (7.71, 15, 42.46, 42.79))


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return [procedural_template()]


@pytest.fixture(scope="module")
def lesions(templates: list[Template]) -> list[Slice]:
    return [draw(seed, templates, 64, True) for seed in range(40)]


def test_a_seed_gives_the_same_slice_again(templates: list[Template], lesions: list[Slice]) -> None:
    again = draw(3, templates, 64, True)
    np.testing.assert_array_equal(again.image, lesions[3].image)
    assert (again.subject, again.lesion) == (lesions[3].subject, lesions[3].lesion)
    assert len({s.image.tobytes() for s in lesions}) == 40


def test_the_twin_is_the_healthy_slice_of_the_same_person(templates: list[Template], lesions: list[Slice]) -> None:
    healthy = draw(5, templates, 64, False)
    np.testing.assert_array_equal(healthy.image, lesions[5].twin)
    np.testing.assert_array_equal(healthy.image, healthy.twin)
    assert healthy.lesion is None and not healthy.mask.any()


def test_pictures_differ_at_the_lesion_alone(lesions: list[Slice]) -> None:
    for s in lesions:
        assert s.lesion is not None and s.image.dtype == np.uint8 and s.mask.any()
        differs = s.image != s.twin
        rows, columns = np.nonzero(differs)
        reach = 2.6 * s.lesion.radius / 210 * 64 + 1
        assert np.hypot(columns + 0.5 - 64 * s.lesion.centre[0], rows + 0.5 - 64 * s.lesion.centre[1]).max() < reach
        # The border is soft: the mask is the larger part of the change.
        change = np.abs(s.image.astype(int) - s.twin)
        assert change[s.mask].sum() > 0.5 * change.sum()
    assert np.mean([(s.image != s.twin)[s.mask].mean() for s in lesions]) > 0.9


def test_lesions_are_bright_or_dark_and_lie_in_tissue(lesions: list[Slice]) -> None:
    assert {s.lesion.kind for s in lesions if s.lesion} == {"bright", "dark"}
    for s in lesions:
        assert s.lesion is not None
        change = s.image[s.mask].astype(float).mean() - s.twin[s.mask].mean()
        assert change > 0 if s.lesion.kind == "bright" else change < 0
        assert s.twin[s.mask].min() > 0


def test_the_mask_has_the_size_of_the_lesion(lesions: list[Slice]) -> None:
    areas = np.array([s.mask.sum() * (210 / 64) ** 2 for s in lesions])
    discs = np.array([np.pi * s.lesion.radius**2 for s in lesions if s.lesion])
    assert np.corrcoef(areas, discs)[0, 1] > 0.85
    assert 0.6 < np.median(areas / discs) < 1.4


def test_one_person_at_every_size(templates: list[Template], lesions: list[Slice]) -> None:
    large = draw(7, templates, 128, True)
    assert large.lesion == lesions[7].lesion
    halved = large.twin.reshape(64, 2, 64, 2).mean((1, 3))
    assert np.corrcoef(halved.ravel(), lesions[7].twin.ravel())[0, 1] > 0.97
    assert draw(7, templates, 33, True).image.shape == (33, 33)


def test_a_brain_on_black_ground(lesions: list[Slice]) -> None:
    for s in lesions:
        covered = (s.twin > 40).mean()
        assert 0.25 < covered < 0.65
        assert not s.twin[0].any() and not s.twin[:, 0].any()
        assert 80 < np.median(s.twin[s.twin > 40]) < 200


def test_version_1_stays_as_it_is(lesions: list[Slice]) -> None:
    # Another picture needs another version: data sets and trained models name theirs.
    assert VERSION == "1"
    for s, row in zip(lesions, FIRST, strict=False):
        assert s.lesion is not None
        assert [s.lesion.radius, s.mask.sum(), s.image.mean(), s.twin.mean()] == pytest.approx(row, abs=0.05)


def test_wrong_input_is_named(templates: list[Template]) -> None:
    for size in (16, 1024):
        with pytest.raises(ValueError, match=f"size must be 32 to 512 px, got {size}"):
            draw(0, templates, size, True)
    with pytest.raises(ValueError, match="no brain template"):
        draw(0, [], 64, True)


def test_half_of_a_data_set_has_lesions() -> None:
    cases = build_brains(200, 3)
    assert cases == build_brains(200, 3)
    assert sum(c.label for c in cases) == 100
    assert [sum(c.split == s for c in cases) for s in ("train", "val", "test")] == [140, 20, 40]
    assert not {c.seed for c in cases} & {c.seed for c in build_brains(200, 4)}
    with pytest.raises(ValueError, match="n must be"):
        build_brains(0, 1)
