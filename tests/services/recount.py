"""Every number of an export once more, from nothing but its long table and its protocol, by the plainest arithmetic.

Nothing here comes from `cfcore`: whoever reads the CSV with pandas could have written it. What a number means is
docs/statistics.md.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.genmod.cov_struct import Exchangeable, Independence
from statsmodels.genmod.families import Binomial, Gaussian
from statsmodels.stats.proportion import proportion_confint

Numbers = dict[str, Any]
Row = Mapping[str, Any]
NONE = float("nan")
SIDED = ("A", "B")
Z = float(stats.norm.ppf(0.975))


def mean(values: Iterable[float]) -> float:
    listed = [float(v) for v in values]
    return sum(listed) / len(listed) if listed else NONE


class Export:
    """The long table and the protocol of an export. first: first readings of findings, decoded again."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.long = pd.read_csv(io.BytesIO(files["readings-long.csv"]), dtype=str, keep_default_na=False)
        for name in ("seconds", "value", "position"):
            self.long[name] = pd.to_numeric(self.long[name].replace("", None), errors="coerce")
        self.protocol = json.loads(files["protocol.json"])
        self.questions = {q["key"]: q for q in self.protocol.get("questions", [])}
        self.ratings = {r["key"]: r for r in self.protocol["ratings"]}
        self.arms = [arm["key"] for arm in self.protocol["arms"]]
        ticked = self.long[self.long["kind"] == "finding"].copy()
        said, side = ticked["answer"], ticked["original_side"]
        ticked["assessed"] = ~said.isin(["", "cannot"])
        ticked["in_original"] = (said == "both") | (said == side)
        ticked["in_counterfactual"] = (said == "both") | (said.isin(SIDED) & (said != side))
        ticked["appears"] = ticked["in_counterfactual"] & ~ticked["in_original"]
        self.ticked = ticked
        self.first = ticked[ticked["purpose"] == "reading"]

    def of(self, row: Row, *columns: str) -> pd.DataFrame:
        """First readings that belong to a row of a table."""
        table = self.first
        for name in columns:
            table = table[table["question" if name == "finding" else name] == row[name]]
        return table


# Shares and their closed forms.


def wilson(name: str, k: int, n: int) -> Numbers:
    low, high = proportion_confint(k, n, method="wilson") if n else (NONE, NONE)
    return {name: k / n if n else NONE, f"{name}_low": low, f"{name}_high": high}


def clopper(name: str, k: int, n: int) -> Numbers:
    low, high = proportion_confint(k, n, method="beta") if n else (NONE, NONE)
    return {name: k / n if n else NONE, f"{name}_low": low, f"{name}_high": high}


def newcombe(name: str, both: int, later: int, before: int, neither: int) -> Numbers:
    """Method 10 for paired shares (Newcombe 1998): later = in the second member only, before = in the first only."""
    n = both + later + before + neither
    if not n:
        return {name: NONE, f"{name}_low": NONE, f"{name}_high": NONE}
    one, two = wilson("p", both + later, n), wilson("p", both + before, n)
    cross = both * neither - later * before
    cross = max(cross - n / 2, 0) if cross > 0 else cross
    below = (both + later) * (before + neither) * (both + before) * (later + neither)
    phi = cross / below**0.5 if below else 0.0
    d = one["p"] - two["p"]
    a, b = one["p"] - one["p_low"], two["p_high"] - two["p"]
    c, e = one["p_high"] - one["p"], two["p"] - two["p_low"]
    low = d - max(a * a - 2 * phi * a * b + b * b, 0) ** 0.5
    high = d + max(c * c - 2 * phi * c * e + e * e, 0) ** 0.5
    return {name: d, f"{name}_low": max(low, -1), f"{name}_high": min(high, 1)}


# Agreement: pair by pair of readers, case by case.

Case = Mapping[str, Hashable]
Weight = Callable[[Any, Any], float]


def cases_of(table: pd.DataFrame, value: str) -> list[dict[str, Any]]:
    """For each pair of images what its readers said: reader -> value."""
    return [dict(zip(own["reader"], own[value], strict=True)) for _, own in table.groupby("pair", sort=False)]


def alike(a: Any, b: Any) -> float:
    return float(a == b)


def agreement(cases: Sequence[Case], categories: Sequence[Any], weight: Weight = alike) -> Numbers:
    """Raw agreement and the coefficients that correct it for chance (Gwet 2014, chapters 2, 5)."""
    several = [list(case.values()) for case in cases if len(case) >= 2]
    if not several:
        return dict.fromkeys(("raw_agreement", "ac1", "fleiss", "conger", "brennan_prediger", "alpha"), NONE)
    pa = mean(mean(weight(a, b) for a, b in itertools.permutations(said, 2)) for said in several)
    read = [list(case.values()) for case in cases if case]
    pi = {k: mean(mean(v == k for v in said) for said in read) for k in categories}
    q, total = len(categories), sum(weight(a, b) for a in categories for b in categories)
    readers = sorted({reader for case in cases for reader in case})
    own = {r: [case[r] for case in cases if r in case] for r in readers}
    use = {r: {k: mean(v == k for v in said) for k in categories} for r, said in own.items()}
    chance = {
        "ac1": total / (q * (q - 1)) * sum(p * (1 - p) for p in pi.values()),
        "fleiss": sum(weight(a, b) * pi[a] * pi[b] for a in categories for b in categories),
        "conger": mean(
            sum(weight(a, b) * use[g][a] * use[h][b] for a in categories for b in categories)
            for g, h in itertools.permutations(readers, 2)
        ),
        "brennan_prediger": total / q**2,
    }
    found = {name: (pa - pe) / (1 - pe) if abs(1 - pe) > 1e-9 else NONE for name, pe in chance.items()}
    return {"raw_agreement": pa} | found | {"alpha": alpha(cases, lambda a, b: 1 - weight(a, b))}


def alpha(cases: Sequence[Case], apart: Weight) -> float:
    """Krippendorff 2011: observed over expected disagreement of all values in cases with two readings or more."""
    several = [list(case.values()) for case in cases if len(case) >= 2]
    values = [v for said in several for v in said]
    n = len(values)
    if n < 2:
        return NONE
    observed = sum(sum(apart(a, b) for a, b in itertools.permutations(s, 2)) / (len(s) - 1) for s in several) / n
    expected = sum(apart(a, b) for a, b in itertools.permutations(values, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected else NONE


def ordinal(cases: Sequence[Case], points: int) -> Weight:
    """Krippendorff's ordinal difference: it follows from how often each point is used."""
    values = [v for case in cases if len(case) >= 2 for v in case.values()]
    used = [values.count(k) for k in range(1, points + 1)]

    def apart(a: Any, b: Any) -> float:
        a, b = min(a, b), max(a, b)
        return (sum(used[a - 1 : b]) - (used[a - 1] + used[b - 1]) / 2) ** 2

    return apart


def specific(cases: Sequence[Case], value: Any) -> float:
    same = sum((k := list(c.values()).count(value)) * (k - 1) for c in cases)
    possible = sum(list(c.values()).count(value) * (len(c) - 1) for c in cases)
    return same / possible if possible else NONE


def bias(cases: Sequence[Case]) -> float:
    readers = sorted({reader for case in cases for reader in case})
    apart = []
    for g, h in itertools.combinations(readers, 2):
        shared = [(case[g], case[h]) for case in cases if g in case and h in case]
        if shared:
            apart.append(abs(sum(a for a, _ in shared) - sum(b for _, b in shared)) / len(shared))
    return mean(apart)


def kappa(pairs: Sequence[tuple[Any, Any]], weight: Weight = alike) -> float:
    """Cohen's, of two readers."""
    if not pairs:
        return NONE
    pa = mean(weight(a, b) for a, b in pairs)
    pe = mean(weight(a, b) for a, _ in pairs for _, b in pairs)
    return (pa - pe) / (1 - pe) if abs(1 - pe) > 1e-12 else NONE


def intraclass(x: np.ndarray[Any, Any]) -> Numbers:
    """The six forms of Shrout and Fleiss (1979) from the mean squares, with their F intervals."""
    n, k = x.shape
    bms = k * x.mean(axis=1).var(ddof=1)
    jms = n * x.mean(axis=0).var(ddof=1)
    wms = float(((x - x.mean(axis=1, keepdims=True)) ** 2).sum()) / (n * (k - 1))
    ems = (wms * n * (k - 1) - jms * (k - 1)) / ((n - 1) * (k - 1))
    out: Numbers = {}

    def put(single: str, of_mean: str, value: float, low: float, high: float) -> None:
        for name, v in ((single, value), (f"{single}_low", low), (f"{single}_high", high)):
            out[name] = v
            # Spearman-Brown, which has no end below.
            below = 1 + (k - 1) * v
            out[name.replace(single, of_mean)] = max(k * v / below, -1.0) if below > 1e-12 else -1.0

    for single, of_mean, rest, df in (
        ("icc_1_1", "icc_1_k", wms, n * (k - 1)),
        ("icc_3_1", "icc_3_k", ems, (n - 1) * (k - 1)),
    ):
        low = bms / rest / stats.f.ppf(0.975, n - 1, df)
        high = bms / rest * stats.f.ppf(0.975, df, n - 1)
        value = (bms - rest) / (bms + (k - 1) * rest)
        put(single, of_mean, value, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1))
    rho = (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n)
    a = k * rho / (n * (1 - rho))
    b = 1 + k * rho * (n - 1) / (n * (1 - rho))
    v = (a * jms + b * ems) ** 2 / ((a * jms) ** 2 / (k - 1) + (b * ems) ** 2 / ((n - 1) * (k - 1)))
    f_low, f_high = stats.f.ppf(0.975, n - 1, v), stats.f.ppf(0.975, v, n - 1)
    low = n * (bms - f_low * ems) / (f_low * (k * jms + (k * n - k - n) * ems) + n * bms)
    high = n * (f_high * bms - ems) / (k * jms + (k * n - k - n) * ems + n * f_high * bms)
    put("icc", "icc_mean", rho, low, high)
    return out


def concordance(x: np.ndarray[Any, Any]) -> float:
    """Kendall's W of n readers (columns) who rank k cases, corrected for ties."""
    k, n = x.shape
    ranks = np.apply_along_axis(stats.rankdata, 0, x)
    ties = sum(t**3 - t for column in x.T for t in np.unique(column, return_counts=True)[1])
    spread = ((ranks.sum(axis=1) - n * (k + 1) / 2) ** 2).sum()
    return 12 * spread / (n**2 * (k**3 - k) - n * ties)


# Tests between groups of readings.


def gee(rows: pd.DataFrame) -> tuple[float, float, float, float]:
    """Coefficient of the second group, its 95 % bounds and p: reader as fixed effect, clustered on the patient."""
    binary = set(rows["value"]) <= {0.0, 1.0}
    if binary:
        rows = rows.groupby("reader").filter(lambda own: own["value"].nunique() > 1)
    rows = rows.assign(second=rows["second"].astype(float))
    for structure in (Exchangeable(), Independence()):
        family = Binomial() if binary else Gaussian()
        model = smf.gee("value ~ second + C(reader)", "patient", rows, cov_struct=structure, family=family)
        fit = model.fit(cov_type="bias_reduced", maxiter=100)
        value, se = float(fit.params["second"]), float(fit.bse["second"])
        if fit.converged and np.isfinite([value, se]).all() and se > 0:
            break
    df = rows["patient"].nunique() - 2
    half = float(stats.t.ppf(0.975, df)) * se
    return value, value - half, value + half, float(2 * stats.t.sf(abs(value) / se, df))


def swapped(rows: pd.DataFrame, most: int = 10_000) -> tuple[float, bool]:
    """p when the two labels of each patient may be swapped, each reader's mean taken off; and whether it is exact."""
    centred = rows["value"] - rows["reader"].map(rows.groupby("reader")["value"].mean())
    means = centred.groupby([rows["patient"], rows["second"]]).mean().unstack().dropna()
    d = (means[True] - means[False]).to_numpy(dtype=float)
    d = d[np.abs(d) > 1e-12]
    if not len(d):
        return 1.0, True
    exact = 2 ** len(d) <= most
    signs = (
        itertools.product((-1, 1), repeat=len(d)) if exact else np.random.default_rng(1).choice((-1, 1), (most, len(d)))
    )
    sums = [abs(float(np.dot(s, d))) for s in signs]
    return mean(s >= abs(d.sum()) - 1e-9 for s in sums), exact


def exchanged(rows: pd.DataFrame) -> float:
    """p when whole patients may change group, where none has readings in both; every arrangement is tried."""
    centred = rows["value"] - rows["reader"].map(rows.groupby("reader")["value"].mean())
    means = centred.groupby(rows["patient"]).mean().to_numpy(dtype=float)
    second = rows.groupby("patient")["second"].first().to_numpy(dtype=bool)
    seen = abs(means[second].mean() - means[~second].mean())
    apart = []
    for chosen in itertools.combinations(range(len(means)), int(second.sum())):
        there = np.isin(np.arange(len(means)), chosen)
        apart.append(abs(means[there].mean() - means[~there].mean()))
    return mean(a >= seen - 1e-9 for a in apart)


def tested(rows: pd.DataFrame, test: str) -> Numbers:
    """What two groups of readings differ by, and how surely. rows: patient, reader, second, value."""
    first, second = (rows.loc[rows["second"] == group, "value"].mean() for group in (False, True))
    found: Numbers = {"value_first": first, "value_second": second, "difference": second - first}
    found |= {"patients": rows["patient"].nunique(), "readings": len(rows)}
    if test == "GEE":
        value, low, high, p = gee(rows)
        if set(rows["value"]) <= {0.0, 1.0}:
            found |= {"odds_ratio": np.exp(value), "odds_ratio_low": np.exp(low), "odds_ratio_high": np.exp(high)}
        else:
            found |= {"difference": value, "difference_low": low, "difference_high": high}
            found |= {"odds_ratio": NONE}
        return found | {"p": p}
    if test == "permutation of patients":
        return found | {"odds_ratio": NONE, "p": exchanged(rows)}
    assert test == "permutation within patients", f"no recount of the test “{test}”"
    p, exact = swapped(rows)
    # Arrangements drawn at random are others than the report's.
    return found | {"odds_ratio": NONE, "p": p if exact else pytest.approx(p, abs=0.03)}
