"""Krippendorff's alpha: observed against expected disagreement, for any number of readers, with gaps."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from cfcore.study.agreement.chance import finish, ratio
from cfcore.study.agreement.table import Table, as_table
from cfcore.study.agreement.weights import scores
from cfcore.study.estimate import Estimate
from cfcore.study.resampling import Array, Resample

Metric = Literal["nominal", "ordinal", "interval", "ratio"]


def _difference(metric: Metric, categories: Sequence[Any], totals: Array) -> Array:
    """(b, q, q) or (1, q, q) squared difference between categories. totals: (b, q) values of each, for ordinal."""
    q = len(categories)
    if metric == "nominal":
        return 1 - np.eye(q)[None]
    if metric == "ordinal":
        upto = np.cumsum(totals, axis=1)
        middle = upto - totals / 2
        return (middle[:, :, None] - middle[:, None, :]) ** 2
    x = scores(categories)
    if metric == "interval":
        return ((x[:, None] - x[None, :]) ** 2)[None]
    if metric == "ratio":
        if (x < 0).any():
            raise ValueError("The ratio metric needs values of 0 or more: use interval.")
        total = x[:, None] + x[None, :]
        return (((x[:, None] - x[None, :]) / np.where(total > 0, total, 1)) ** 2)[None]
    raise ValueError(f"Unknown metric “{metric}”: use nominal, ordinal, interval or ratio.")


def krippendorff_alpha(
    readings: Table | ArrayLike,
    *,
    metric: Metric = "nominal",
    categories: Sequence[Any] | None = None,
    resample: Resample | None = None,
    level: float = 0.95,
) -> Estimate:
    """1 - observed / expected disagreement, at most 1 (Krippendorff 2011, coincidence matrix).

    metric: nominal, ordinal, interval or ratio difference; the last two need numeric categories. Cases with
    one reading are dropped. Without a `resample` the
    interval is Gwet's (2014, chapter 6), not published for the ordinal metric, whose weights follow the data.
    None with a note where all values are the same: nothing can be said about agreement where nothing varies.
    """
    table = as_table(readings, categories)
    q = len(table.categories)
    r = table.per_case
    several = r >= 2
    counts = np.where(several[:, None], table.counts, 0)
    less = np.where(several, r - 1, 1)

    def disagreement(w: Array, delta: Array) -> tuple[Array, Array]:
        """Observed and expected, for one (q, q) difference; no coincidence matrix, which grows with q squared."""
        # Scaled to at most 1, which leaves alpha as it is and makes 1 - disagreement a share.
        delta = ratio(delta, delta.max(keepdims=True)) if q > 1 else delta
        totals = w @ counts
        n = totals.sum(axis=1)
        got = ratio(w @ (np.sum(counts * (counts @ delta), axis=1) / less), n)
        return got, ratio(np.sum((totals @ delta) * totals, axis=1), n * (n - 1))

    def parts(w: Array) -> tuple[Array, Array]:
        if metric == "ordinal":
            # The difference follows from how often each category is used, so it changes with the resample.
            totals = w @ counts
            each = [disagreement(w[[i]], _difference(metric, table.categories, totals[[i]])[0]) for i in range(len(w))]
            got, expected = (np.concatenate(x) for x in zip(*each, strict=True))
        else:
            got, expected = disagreement(w, _difference(metric, table.categories, counts)[0])
        return 1 - got, 1 - expected

    def influence() -> Array:
        seen, n_seen = counts[several], r[several]
        delta = _difference(metric, table.categories, seen.sum(axis=0)[None])[0]
        matrix = 1 - delta / delta.max()
        mean = n_seen.mean()
        pi = seen.mean(axis=0) / mean
        pe = float(pi @ matrix @ pi)
        agreeing = np.sum(seen * (seen @ matrix - 1), axis=1) / (mean * (n_seen - 1))
        pa, excess = float(agreeing.mean()), (n_seen - mean) / mean
        # Gwet's pa lacks the small-sample term, so his values lie around a smaller alpha: moved to ours.
        lower = (pa - pe) / (1 - pe)
        own = (agreeing - pa * excess - pe) / (1 - pe)
        chance = seen @ matrix @ pi / mean - pe * excess
        return own - 2 * (1 - lower) * (chance - pe) / (1 - pe) + (1 - lower) / n_seen.sum()

    return finish(parts, table, None if metric == "ordinal" else influence, resample, level)
