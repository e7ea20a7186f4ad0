"""The page of the documentation that shows the measured coverage (`services/coverage_bench.py`), and its drawing.

Apart from the measurement, so that another wording or colour makes no figures stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cfcore.reports.coverage import coverage_svg
from cfcore.study.coverage import Scenario

PICTURE = "statistics-coverage.svg"
WORDS = {
    "share": "Share of the counterfactuals", "difference": "Difference of prevalences",
    "raw_agreement": "Raw agreement", "ac1": "AC1", "fleiss": "Fleiss' kappa", "conger": "Conger's kappa",
    "brennan_prediger": "Brennan-Prediger", "alpha": "Krippendorff's alpha",
}  # fmt: skip


def write_page(result: Mapping[str, Any], path: Path) -> None:
    """The Markdown page of a result of `bench_coverage`, fresh or stored; its picture lies in images/ beside it."""
    path.write_text(markdown(result), encoding="utf-8")


def write_picture(result: Mapping[str, Any], folder: Path) -> Path:
    """The drawing of a result of `bench_coverage`, in a folder that is made where it is missing; the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PICTURE
    path.write_text(coverage_svg(result["rows"], _scenarios(result), WORDS, result["settings"]["studies"]), "utf-8")
    return path


def _scenarios(result: Mapping[str, Any]) -> dict[str, Scenario]:
    return {key: Scenario(**values) for key, values in result["settings"]["scenarios"].items()}


def markdown(result: Mapping[str, Any]) -> str:
    """The documentation's page of one run: the drawing, then a row a statistic and interval, a column a scenario."""
    rows, settings, scenarios = result["rows"], result["settings"], _scenarios(result)
    studies, resamples = settings["studies"], settings["resamples"]
    frame = pd.DataFrame(rows)
    cells = {(r["statistic"], r["interval"], r["scenario"]): r for r in rows}
    lines = [
        "# Measured coverage of the intervals",
        "",
        "Made by `cfreader bench coverage --page docs/statistics-coverage.md --picture docs/images`, with `--cached`",
        f"from the stored run. Share of nominal 95 % intervals that held the true value, {studies} simulated studies",
        f"a scenario (standard error about {np.sqrt(0.95 * 0.05 / studies):.3f}), {resamples} resamples. Readers'",
        "errors are independent, given the truth; what each interval is: [statistics.md](statistics.md).",
        "",
        f"![Coverage of every interval, a panel a scenario](images/{PICTURE})",
        "",
        "A mark on the dashed line holds what it promises; right of it the interval is wider than it needs to be,",
        "left of it too narrow. The bar is Wilson's 95 % interval of the simulation; a hollow mark says that fewer",
        "than 90 % of the studies had an interval.",
        "",
        "## Scenarios",
        "",
        "| Scenario | Patients | Readers | Prevalence (original) | Sensitivity | Specificity | Readers' SD, logit |",
        "|---|---|---|---|---|---|---|",
    ]
    for key, s in scenarios.items():
        lines.append(
            f"| {key.replace('_', ' ')} | {s.patients} | {s.readers} | {s.prevalence:g} ({s.original:g}) | "
            f"{s.sensitivity:g} | {s.specificity:g} | {s.spread:g} |"
        )
    lines += [
        "",
        "## Numbers",
        "",
        "Coverage, in brackets the median width. “–”: no interval in any study; * where fewer than 90 % of the",
        "studies had one.",
    ]
    for group in ([k for k, s in scenarios.items() if not s.spread], [k for k, s in scenarios.items() if s.spread]):
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
