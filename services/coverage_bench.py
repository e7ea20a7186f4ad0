"""Measured coverage of every interval that a study reports, and the page of the documentation that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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
WORDS = {
    "share": "Share of the counterfactuals", "difference": "Difference of prevalences",
    "raw_agreement": "Raw agreement", "ac1": "AC1", "fleiss": "Fleiss' kappa", "conger": "Conger's kappa",
    "brennan_prediger": "Brennan-Prediger", "alpha": "Krippendorff's alpha",
}  # fmt: skip


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
    page: Path | None = None,
    progress: Callable[[float, str], None] = lambda *_: None,
) -> dict[str, Any]:
    """Coverage of 95 % intervals in `SCENARIOS` (`cfcore.study.coverage`).

    Returns the object of `services.figures`: figures covered_STATISTIC_INTERVAL_SCENARIO (shares of the studies that
    have an interval), and `rows`, the tables one under another. page: a Markdown file to write them to. A full run is
    kept under benchmarks/results/.
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
    if page is not None:
        page.write_text(markdown(rows, extent), encoding="utf-8")
    return asdict(result) | {"rows": rows}


def markdown(rows: list[dict[str, Any]], extent: Extent) -> str:
    """The documentation's page of one run: a row a statistic and interval, a column a scenario."""
    frame = pd.DataFrame(rows)
    cells = {(r["statistic"], r["interval"], r["scenario"]): r for r in rows}
    lines = [
        "# Measured coverage of the intervals",
        "",
        "Made by `cfreader bench coverage --page docs/statistics-coverage.md`. Share of nominal 95 % intervals that",
        f"held the true value, {extent.studies} simulated studies a column (standard error about "
        f"{np.sqrt(0.95 * 0.05 / extent.studies):.3f}), {extent.resamples} resamples; in",
        "brackets the median width. “–”: no interval in any study; * where fewer than 90 % of the studies had one.",
        "Readers' errors are independent, given the truth; what each interval is: [statistics.md](statistics.md).",
        "",
        "| Scenario | Patients | Readers | Prevalence (original) | Sensitivity | Specificity | Readers' SD, logit |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, s in SCENARIOS.items():
        lines.append(
            f"| {key.replace('_', ' ')} | {s.patients} | {s.readers} | {s.prevalence:g} ({s.original:g}) | "
            f"{s.sensitivity:g} | {s.specificity:g} | {s.spread:g} |"
        )
    for group in ([k for k, s in SCENARIOS.items() if not s.spread], [k for k, s in SCENARIOS.items() if s.spread]):
        lines += ["", "| Statistic | Interval | " + " | ".join(k.replace("_", " ") for k in group) + " |"]
        lines.append("|---|---|" + "---|" * len(group))
        known = frame[frame["scenario"].isin(group)][["statistic", "interval"]].drop_duplicates()
        for statistic, interval in known.itertuples(index=False):
            told = [_cell(cells.get((statistic, interval, key))) for key in group]
            lines.append(f"| {WORDS[statistic]} | {interval} | " + " | ".join(told) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if row["covered"] is None:
        return "–"
    return f"{row['covered']:.2f}{'*' if row['without'] > 0.1 else ''} ({row['width']:.2f})"
