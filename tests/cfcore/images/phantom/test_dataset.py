"""Data sets: balance, splits by patient, overlap of the classes, planted shortcuts."""

import numpy as np
import pytest

from cfcore.images.phantom import PATHOLOGIES, SHORTCUT, build_dataset, sample_patient


@pytest.mark.parametrize("pathology", PATHOLOGIES)
def test_balanced_split_and_reproducible(pathology: str) -> None:
    cases = build_dataset(1000, 3, pathology)
    assert cases == build_dataset(1000, 3, pathology)
    assert sum(c.label for c in cases) == 500
    assert [sum(c.split == s for c in cases) for s in ("train", "val", "test")] == [700, 100, 200]
    assert len({c.key for c in cases}) == len({c.patient.seed for c in cases}) == 1000


def test_data_sets_share_no_patient() -> None:
    one, two = ({c.patient.seed for c in build_dataset(50, seed, "effusion")} for seed in (0, 1))
    assert not one & two


def test_cardiothoracic_ratio_overlaps_in_a_grey_zone() -> None:
    cases = build_dataset(3000, 1, "cardiomegaly")
    ratios = np.array([c.patient.factors.cardiothoracic_ratio for c in cases])
    label = np.array([c.label for c in cases])
    assert ratios[label == 1].min() < ratios[label == 0].max()
    assert 0.01 < (ratios[label == 1] < 0.5).mean() < 0.06
    assert 0.01 < (ratios[label == 0] > 0.5).mean() < 0.08


def test_pathology_is_what_the_label_says() -> None:
    for case in build_dataset(400, 2, "effusion"):
        level = max(case.patient.factors.effusion_left, case.patient.factors.effusion_right)
        assert level >= 0.05 if case.label else level <= 0.04
    for case in build_dataset(400, 2, "atelectasis"):
        assert case.patient.factors.atelectasis >= 0.45 if case.label else case.patient.factors.atelectasis <= 0.1


def test_shortcut_ties_pacemaker_and_age_to_the_class() -> None:
    cases = build_dataset(3000, 4, "cardiomegaly", SHORTCUT)
    for label, share in ((1, 0.60), (0, 0.05)):
        group = [c.patient.factors for c in cases if c.label == label]
        assert np.mean([f.pacemaker for f in group]) == pytest.approx(share, abs=0.04)
    ages = [np.mean([c.patient.factors.age for c in cases if c.label == k]) for k in (0, 1)]
    assert ages[1] > ages[0] + 10
    plain = build_dataset(3000, 4, "cardiomegaly")
    ages = [np.mean([c.patient.factors.age for c in plain if c.label == k]) for k in (0, 1)]
    assert abs(ages[1] - ages[0]) < 2


@pytest.mark.parametrize(
    "factor", ["effusion_left", "opacity", "lucency", "congestion", "barrel", "build", "atelectasis"]
)
def test_any_coupled_factor_differs_between_the_classes(factor: str) -> None:
    cases = build_dataset(400, 5, "cardiomegaly", {factor: (0.9, 0.1)})
    means = [np.mean([getattr(c.patient.factors, factor) for c in cases if c.label == k]) for k in (0, 1)]
    assert means[1] > 2 * max(means[0], 0.0)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="cardiomegaly, effusion, atelectasis"):
        sample_patient(1, "fracture")
    with pytest.raises(ValueError, match="cannot couple 'hat'"):
        sample_patient(1, "effusion", True, {"hat": (0.1, 0.2)})
    with pytest.raises(ValueError, match="probabilities"):
        sample_patient(1, "effusion", True, {"age": (0.1, 1.2)})
    with pytest.raises(ValueError, match="name the pathology"):
        sample_patient(1, couple=SHORTCUT)
    with pytest.raises(ValueError, match="n must be"):
        build_dataset(0, 1, "effusion")
