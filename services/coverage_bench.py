"""Measured coverage of every interval that a study reports; `services/coverage_page.py` shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cfcore.study.coverage import Scenario, coverage
from services.figures import ROOT, Figures, cached, measured, store

NAME = "bench-coverage"
SEED = 53
SOURCES = ("cfcore/study/agreement", "cfcore/study/coverage.py", "cfcore/study/findings.py",
           "cfcore/study/intervals.py", "cfcore/study/resampling.py", "services/coverage_bench.py")  # fmt: skip
SCENARIOS = {
    "10_common": Scenario(10),
    "10_rare": Scenario(10, prevalence=0.1, original=0.05, sensitivity=0.8),
    "30_common": Scenario(30),
    "30_rare": Scenario(30, prevalence=0.1, original=0.05, sensitivity=0.8),
    "30_noisy": Scenario(30, sensitivity=0.7, specificity=0.7),
    "30_five_readers": Scenario(30, readers=5),
    "100_common": Scenario(100),
    "30_readers_differ_5": Scenario(30, readers=5, spread=0.8),
    "30_readers_differ_10": Scenario(30, readers=10, spread=0.8),
}


@dataclass(frozen=True)
class Extent:
    """Simulated studies a scenario, and resamples of each."""

    studies: int = 500
    resamples: int = 1000


QUICK = Extent(40, 200)


def bench_coverage(
    quick: bool = False,
    *,
    from_store: bool = False,
    progress: Callable[[float, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Coverage of 95 % intervals in `SCENARIOS` (`cfcore.study.coverage`).

    Returns the object of `services.figures`: figures covered_STATISTIC_INTERVAL_SCENARIO (shares of the studies that
    have an interval), and `rows`, the tables one under another. A full run is kept under benchmarks/results/.
    """
    if from_store:
        content = cached(NAME, {})
        return content | {"rows": content["settings"]["rows"]}
    extent = QUICK if quick else Extent()
    rows: list[dict[str, Any]] = []

    def work() -> dict[str, float]:
        figures = {}
        for i, (key, scenario) in enumerate(SCENARIOS.items()):
            progress(i / len(SCENARIOS), key)
            rng = np.random.default_rng([SEED, i])
            table = coverage(scenario, rng, studies=extent.studies, resamples=extent.resamples)
            for row in table.astype(object).where(table.notna(), None).to_dict("records"):
                rows.append({"scenario": key} | {str(k): v for k, v in row.items()})
                if row["covered"] is not None:
                    interval = row["interval"].split(",")[0].replace(" ", "_").lower()
                    figures[f"covered_{row['statistic']}_{interval}_{key}"] = float(row["covered"])
        return figures

    scenarios = {key: asdict(scenario) for key, scenario in SCENARIOS.items()}
    settings = asdict(extent) | {"seed": SEED, "level": 0.95, "scenarios": scenarios, "rows": rows}
    result: Figures = measured(NAME, settings, work)
    if not quick:
        store(result, {}, [p for s in SOURCES for p in (sorted((ROOT / s).glob("*.py")) or [ROOT / s])])
    return asdict(result) | {"rows": rows}
