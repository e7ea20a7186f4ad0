import pytest

from cfcore.study.coverage import Scenario
from services import coverage_bench
from services.coverage_bench import Extent, bench_coverage


@pytest.fixture
def small(monkeypatch):
    scenarios = {"10_common": Scenario(10), "12_readers_differ_5": Scenario(12, readers=5, spread=0.5)}
    monkeypatch.setattr(coverage_bench, "SCENARIOS", scenarios)
    monkeypatch.setattr(coverage_bench, "QUICK", Extent(6, 60))


def test_figures_and_rows(small):
    result = bench_coverage(quick=True)
    assert result["figures"]["covered_ac1_closed_form_10_common"] <= 1
    assert "covered_share_patients_x_readers_12_readers_differ_5" in result["figures"]
    assert {row["scenario"] for row in result["rows"]} == {"10_common", "12_readers_differ_5"}
