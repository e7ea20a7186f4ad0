"""Factors are validated, and a change of one leaves everything else held."""

import numpy as np
import pytest

from cfcore.images.phantom import RANGES, Factors, Patient, changed_region, counterfactual, masks

CHANGES = {
    "cardiothoracic_ratio": 0.60,
    "effusion_left": 0.15,
    "effusion_right": 0.15,
    "atelectasis": 0.8,
    "mediastinal_shift": 0.15,
    "opacity": 0.8,
    "lucency": 0.9,
    "congestion": 0.8,
    "barrel": 0.9,
    "pacemaker": True,
    "build": 0.7,
    "age": 88.0,
}


@pytest.mark.parametrize("name", sorted(RANGES))
def test_out_of_range_names_factor_and_range(name: str) -> None:
    for value in (RANGES[name][0] - 0.01, RANGES[name][1] + 0.01):
        with pytest.raises(ValueError, match=name):
            Factors(**{name: value})
    with pytest.raises(ValueError, match=name):
        Factors(**{name: float("nan")})


@pytest.mark.parametrize(
    "wrong",
    [{"opacity_side": "middle"}, {"atelectasis_side": ""}, {"opacity_position": (0.5, 1.2)}, {"pacemaker": 1}],
)
def test_wrong_kinds_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Factors(**wrong)


def test_patient_needs_a_seed() -> None:
    with pytest.raises(ValueError, match="seed"):
        Patient(-1)


def test_counterfactual_keeps_the_rest_and_names_unknown_factors() -> None:
    patient = Patient(4, Factors(age=70.0))
    changed = counterfactual(patient, pacemaker=True)
    assert changed.seed == 4 and changed.factors == Factors(age=70.0, pacemaker=True)
    with pytest.raises(ValueError, match="unknown factor heart"):
        counterfactual(patient, heart=1)


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_every_factor_shows(name: str) -> None:
    patient = Patient(8, Factors())
    region = changed_region(patient, counterfactual(patient, **{name: CHANGES[name]}), 128)
    assert 0.003 < region.mean() < 0.95


def test_changes_stay_local() -> None:
    """Effusion moves its own side only, a pacemaker the upper chest and the lead, and noise nothing."""
    patient = Patient(8, Factors())
    assert not changed_region(patient, patient, 128, threshold=0.0).any()
    fluid = changed_region(patient, counterfactual(patient, effusion_left=0.12), 128)
    assert fluid[:, 64:].sum() > 20 * fluid[:, :56].sum()
    heart = counterfactual(patient, cardiothoracic_ratio=0.58)
    moved = changed_region(patient, heart, 128)
    lungs = masks(patient, 128)
    lateral = np.zeros_like(moved)
    lateral[:, :24] = lateral[:, 108:] = True
    assert moved[lateral & (lungs["left lung"] | lungs["right lung"])].mean() < 0.02
    assert moved[masks(heart, 128)["heart"] & ~lungs["heart"]].mean() > 0.6


def test_changed_region_refuses_two_patients() -> None:
    with pytest.raises(ValueError, match="seeds 1 and 2"):
        changed_region(Patient(1), Patient(2), 64)
    with pytest.raises(ValueError, match="threshold"):
        changed_region(Patient(1), Patient(1), 64, threshold=1.5)


def test_shift_follows_the_collapse_unless_set() -> None:
    assert Factors(atelectasis=1.0, atelectasis_side="left").shift > 0
    assert Factors(atelectasis=1.0, atelectasis_side="right").shift < 0
    assert Factors(atelectasis=1.0, mediastinal_shift=0.0).shift == 0.0
    assert np.isclose(Factors().shift, 0.0)
