"""How long the intervals of a large study take: the vectorised bootstrap against a plain loop over resamples."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cfcore.study.findings import findings_table
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import draw_patients
from cfcore.study.stacking import stack
from services.figures import ROOT, Figures, cached, measured, store

NAME = "bench-agreement"
SEED = 31
SOURCES = (
    "cfcore/study/agreement",
    "cfcore/study/findings.py",
    "cfcore/study/intervals.py",
    "cfcore/study/resampling.py",
    "cfcore/study/stacking.py",
    "services/agreement_bench.py",
)


@dataclass(frozen=True)
class Extent:
    """A study: readers x cases (in each arm) x findings x arms, with so many resamples; `looped` of them plainly."""

    readers: int = 10
    cases: int = 300
    findings: int = 20
    arms: int = 6
    resamples: int = 2000
    looped: int = 100


QUICK = Extent(findings=5, arms=2, looped=20)


def bench_agreement(quick: bool = False, *, from_store: bool = False) -> dict[str, Any]:
    """Figures of `findings_table` on simulated readings: every share, difference and coefficient with its interval.

    Returns the object of `services.figures`: bootstrap_s (wall, the whole table from tidy readings to intervals) and
    bootstrap_cpu_s; loop_cpu_s (a plain NumPy loop over some resamples of one finding and arm, extrapolated to all: see
    settings["extrapolated"]); speedup (ratio of the two CPU times, one process, so that other work on the machine does
    not enter); same_values (1: both gave the same values). A full run is kept under benchmarks/results/.
    """
    if from_store:
        return cached(NAME, {})
    extent = QUICK if quick else Extent()
    settings = {"seed": SEED, "extrapolated": "loop_cpu_s"} | {
        k: getattr(extent, k) for k in extent.__dataclass_fields__
    }
    result: Figures = measured(NAME, settings, lambda: _figures(extent))
    if not quick:
        store(
            result,
            {},
            [p for s in SOURCES for p in ([ROOT / s] if s.endswith(".py") else sorted((ROOT / s).glob("*.py")))],
        )
    return {
        "name": result.name,
        "figures": result.figures,
        "settings": result.settings,
        "seconds": result.seconds,
        "versions": result.versions,
    }


def simulated_readings(extent: Extent, rng: np.random.Generator) -> pd.DataFrame:
    """A decoded table of readers who follow the case with 70 % and otherwise their own luck; 3 % cannot assess."""
    shape = (extent.arms, extent.cases, extent.findings, extent.readers)
    arm, case, finding, reader = (axis.ravel() for axis in np.indices(shape))
    tables = []
    for _ in range(2):
        shared = rng.random(shape[:3])[..., None]
        luck = np.where(rng.random(shape) < 0.7, shared, rng.random(shape))
        tables.append((luck < np.linspace(0.05, 0.6, extent.findings)[None, None, :, None]).ravel())
    original, counterfactual = (pd.array(x, dtype="boolean") for x in tables)
    cannot = rng.random(arm.size) < 0.03
    original[cannot] = counterfactual[cannot] = pd.NA
    return pd.DataFrame(
        {
            "reader": reader,
            "arm": arm.astype(str),
            "patient": arm * extent.cases + case,
            "pair": arm * extent.cases + case,
            "purpose": "reading",
            "finding": finding.astype(str),
            "status": np.where(cannot, "cannot", "assessed"),
            "in_original": original,
            "in_counterfactual": counterfactual,
            "appears": counterfactual & ~original,
            "disappears": original & ~counterfactual,
        }
    )


def _figures(extent: Extent) -> dict[str, float]:
    decoded = simulated_readings(extent, np.random.default_rng(SEED))
    findings = tuple(Finding(str(i), f"Finding {i}") for i in range(extent.findings))
    arms = tuple(Arm(str(i), f"Arm {i}") for i in range(extent.arms))
    started, busy = time.perf_counter(), time.process_time()
    findings_table(decoded, findings, arms, np.random.default_rng(SEED), resamples=extent.resamples)
    bootstrap, bootstrap_cpu = time.perf_counter() - started, time.process_time() - busy
    one = stack(decoded[decoded["arm"] == "0"], ["0"], ("appears", "in_original", "in_counterfactual"))
    draws = draw_patients(one.patients, np.random.default_rng(SEED), extent.looped)
    codes = [one.codes[name][0] for name in ("appears", "in_original", "in_counterfactual")]
    busy = time.process_time()
    looped = np.array([_plain(codes, np.repeat(np.arange(extent.cases), row.astype(int))) for row in draws.weights])
    spent = time.process_time() - busy
    loop = spent / extent.looped * extent.resamples * extent.findings * extent.arms
    point = findings_table(decoded, findings[:1], arms[:1], np.random.default_rng(SEED), resamples=2).iloc[0]
    plain = _plain(codes, np.arange(extent.cases))
    same = np.allclose(plain, [float(point[name]) for name in PLAIN]) and bool(np.isfinite(looped).all())
    return {
        "bootstrap_s": bootstrap,
        "bootstrap_cpu_s": bootstrap_cpu,
        "loop_cpu_s": loop,
        "speedup": loop / bootstrap_cpu,
        "same_values": float(same),
    }


PLAIN = (
    "share", "prevalence_original", "prevalence_counterfactual", "difference", "raw_agreement", "ac1", "fleiss",
    "conger", "brennan_prediger", "alpha", "positive_agreement", "negative_agreement", "prevalence_index",
)  # fmt: skip


def _plain(codes: list[NDArray[np.int8]], rows: NDArray[np.int64]) -> list[float]:
    """The statistics `PLAIN` of the cases `rows`, as one would write them down for one finding and arm."""
    x, original, counterfactual = (c[rows] for c in codes)
    seen = x >= 0
    r, k = seen.sum(axis=1), (x == 1).sum(axis=1)
    several = r >= 2
    r2, k2 = r[several], k[several]
    pa = np.mean((k2 * (k2 - 1) + (r2 - k2) * (r2 - k2 - 1)) / (r2 * (r2 - 1)))
    pi = np.mean(k[r > 0] / r[r > 0])
    p = (x == 1).sum(axis=0) / seen.sum(axis=0)
    n = len(p)
    conger = (p.sum() ** 2 - (p**2).sum() + (1 - p).sum() ** 2 - ((1 - p) ** 2).sum()) / (n * (n - 1))
    off, values, positive = np.sum(k2 * (r2 - k2) / (r2 - 1)), r2.sum(), k2.sum()
    alpha = 1 - (2 * off / values) / (2 * positive * (values - positive) / (values * (values - 1)))
    before, after = ((c == 1).sum() / (c >= 0).sum() for c in (original, counterfactual))
    chance = (2 * pi * (1 - pi), pi**2 + (1 - pi) ** 2, conger, 0.5)
    return [
        k.sum() / r.sum(),
        before,
        after,
        after - before,
        pa,
        *((pa - pe) / (1 - pe) for pe in chance),
        alpha,
        np.sum(k * (k - 1)) / np.sum(k * (r - 1)),
        np.sum((r - k) * (r - k - 1)) / np.sum((r - k) * (r - 1)),
        2 * np.mean(k2 / r2) - 1,
    ]
