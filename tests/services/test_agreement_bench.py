import numpy as np
import pytest

from cfcore.study.agreement import conger_kappa, gwet_ac, krippendorff_alpha
from services import agreement_bench
from services.agreement_bench import PLAIN, Extent, _plain, bench_agreement, simulated_readings

SMALL = Extent(readers=4, cases=30, findings=2, arms=2, resamples=50, looped=5)


def test_figures_of_a_quick_run(monkeypatch):
    monkeypatch.setattr(agreement_bench, "QUICK", SMALL)
    result = bench_agreement(quick=True)
    assert result["name"] == "bench-agreement" and result["figures"]["same_values"] == 1
    assert result["figures"]["bootstrap_s"] > 0 and result["settings"]["extrapolated"] in result["figures"]


def test_the_plain_loop_is_a_fair_rival():
    rng = np.random.default_rng(0)
    x = (rng.random((40, 5)) < 0.4).astype(np.int8)
    got = dict(zip(PLAIN, _plain([x, x, x], np.arange(40)), strict=True))
    for name, function in (("ac1", gwet_ac), ("conger", conger_kappa), ("alpha", krippendorff_alpha)):
        assert got[name] == pytest.approx(function(x, categories=(0, 1)).value)


def test_the_study_has_the_size_it_claims():
    decoded = simulated_readings(SMALL, np.random.default_rng(0))
    assert len(decoded) == 4 * 30 * 2 * 2 and decoded["appears"].isna().any()
