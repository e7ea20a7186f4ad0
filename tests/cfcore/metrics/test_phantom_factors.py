"""Measured factors of phantoms: sides taken together, what cannot be measured, the spread that was written down."""

from __future__ import annotations

import numpy as np
import pytest

from cfcore.images.phantom import PATHOLOGIES, build_dataset, counterfactual, render, sample_patient
from cfcore.metrics.phantom_factors import FACTORS, SPREAD, factors_along, measured_factors


def test_the_spread_is_that_of_the_phantoms() -> None:
    cases = [case for i, p in enumerate(PATHOLOGIES) for case in build_dataset(60, 64 + i, p)]
    images = np.stack([render(case.patient, 64) for case in cases])
    found = measured_factors(images)
    assert set(SPREAD) == set(FACTORS)
    # One patient in twenty has a pacemaker: too few here to estimate a spread from.
    assert SPREAD["device"] == pytest.approx((0.05 * 0.95) ** 0.5, rel=0.1)
    for factor in FACTORS[:-1]:
        assert np.nanstd(found[factor]) == pytest.approx(SPREAD[factor], rel=0.35), factor


def test_both_sides_count_and_noise_cannot_be_measured() -> None:
    patient = counterfactual(sample_patient(4242, positive=False), effusion_left=0.0, effusion_right=0.0)
    both = counterfactual(patient, effusion_left=0.15, effusion_right=0.15)
    one = counterfactual(patient, effusion_left=0.15)
    noise = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    frames = [np.stack([render(p, 64), noise]) for p in (patient, one, both)]
    rows = factors_along(frames)
    assert rows["effusion"].shape == (3, 2) and np.isnan(rows["effusion"][:, 1]).all()
    none, single, double = rows["effusion"][:, 0]
    assert none < 0.05 and single - none == pytest.approx(0.15, abs=0.05)
    assert double > single + 0.08
