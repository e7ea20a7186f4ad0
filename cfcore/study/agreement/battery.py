"""Every coefficient of one table of readings, with the weights that fit its level of measurement."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from cfcore.study.agreement.brennan_prediger import brennan_prediger
from cfcore.study.agreement.cohen import cohen_kappa
from cfcore.study.agreement.conger import conger_kappa
from cfcore.study.agreement.fleiss import fleiss_kappa
from cfcore.study.agreement.gwet import gwet_ac
from cfcore.study.agreement.icc import FORMS, icc
from cfcore.study.agreement.kendall import kendall_w
from cfcore.study.agreement.krippendorff import krippendorff_alpha
from cfcore.study.agreement.raw import percent_agreement
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import Weights
from cfcore.study.estimate import Estimate
from cfcore.study.resampling import RESAMPLES, Resample, resample_patients

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
SCALES: tuple[Scale, ...] = get_args(Scale)
FITTING: dict[Scale, Weights] = {
    "nominal": "identity",
    "ordinal": "ordinal",
    "interval": "quadratic",
    "ratio": "ratio",
}
CLOSED, F, BOOTSTRAP, NONE = "closed form", "F", "bootstrap over units", ""
COLUMNS = ("name", "coefficient", "value", "low", "high", "se", "n", "interval", "note")
# Kendall's W compares every unit with every other, in every resample.
_RANKED = 1500
_CELLS = 40_000_000


def _shared_units(n: int, rng: np.random.Generator, resamples: int) -> Resample:
    return resample_patients(range(n), rng, max(min(resamples, _CELLS // max(n, 1)), 200))


def every_coefficient(
    readings: pd.DataFrame,
    scale: Scale = "nominal",
    *,
    rng: np.random.Generator,
    categories: Sequence[Any] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per coefficient of a table of units (rows) x readers (columns), gaps allowed.

    scale: "nominal"; "ordinal" (ordinal weights), "interval" (quadratic), "ratio" (ratio weights): with the last three
    every kappa and Brennan-Prediger are weighted, AC2 joins AC1, `agreement_weighted` joins `agreement`, and alpha
    takes the scale's metric. Kendall's W comes with ordinal or more, the six ICCs with numbers (interval, ratio),
    Cohen's kappa with two readers. categories: every value that readers could choose, in order; by default those that
    occur. Columns: name (key), coefficient (in words), value, low, high, se, n (units behind it), interval ("closed
    form": t with n - 1; "F"; "bootstrap over units" where no variance is published; "" for none), note. None where
    undefined, and the note says why. Raises ValueError for an unknown scale.
    """
    if scale not in SCALES:
        raise ValueError(f"Unknown level “{scale}”: use {', '.join(SCALES)}.")
    table = as_table(readings, categories)
    weights = FITTING[scale]
    weighted = scale != "nominal"
    kind = f", {weights} weights" if weighted else ""
    rows: list[dict[str, Any]] = []

    def add(name: str, words: str, interval: str, estimate: Estimate) -> None:
        has = estimate.low is not None
        numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high, "se": estimate.se}
        rows.append(
            {"name": name, "coefficient": words}
            | numbers
            | {"n": estimate.n, "interval": interval if has else NONE, "note": estimate.note}
        )

    def closed(name: str, words: str, function: Callable[..., Estimate], **options: Any) -> None:
        add(name, words, CLOSED, function(table, level=level, **options))

    closed("agreement", "Raw agreement", percent_agreement)
    if weighted:
        closed("agreement_weighted", f"Agreement{kind}", percent_agreement, weights=weights)
    if table.codes is not None and table.codes.shape[1] == 2:
        closed("cohen", f"Cohen's kappa{kind}", cohen_kappa, weights=weights)
    closed("fleiss", f"Fleiss' kappa{kind}", fleiss_kappa, weights=weights)
    closed("conger", f"Conger's kappa{kind}", conger_kappa, weights=weights)
    closed("ac1", "Gwet's AC1", gwet_ac)
    if weighted:
        closed("ac2", f"Gwet's AC2{kind}", gwet_ac, weights=weights)
    closed("brennan_prediger", f"Brennan-Prediger{kind}", brennan_prediger, weights=weights)
    add("alpha", f"Krippendorff's alpha, {scale}", *_alpha(table, scale, rng, resamples, level))
    if weighted:
        ranks = _numbers(readings, table)
        resample = _shared_units(len(ranks), rng, resamples) if len(ranks) <= _RANKED else None
        add("kendall_w", "Kendall's W", BOOTSTRAP, kendall_w(ranks, resample=resample, level=level))
    if scale in ("interval", "ratio"):
        for form in FORMS:
            add(f"icc_{form.replace(',', '_')}", f"ICC({form})", F, icc(readings, form, level))
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)
    return frame.where(frame.notna(), None)


def _alpha(table: Table, scale: Scale, rng: np.random.Generator, resamples: int, level: float) -> tuple[str, Estimate]:
    if scale != "ordinal":
        return CLOSED, krippendorff_alpha(table, metric=scale, level=level)
    resample = _shared_units(len(table.counts), rng, resamples)
    return BOOTSTRAP, krippendorff_alpha(table, metric=scale, resample=resample, level=level)


def _numbers(readings: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The ranks of the categories in place of their names."""
    assert table.codes is not None
    return pd.DataFrame(np.where(table.codes < 0, np.nan, table.codes), columns=readings.columns)
