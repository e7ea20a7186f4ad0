"""Comparisons between arms or methods: GEE clustered on the patient, and permutations where patients are few."""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from math import comb
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.multiplicity import Family, adjusted
from cfcore.study.protocol import Arm, Finding
from cfcore.study.resampling import RESAMPLES, Array, bootstrap_interval, draw_patients
from cfcore.study.shaping import flat, readings_only, split
from cfcore.wording import counted

PERMUTATIONS = 10_000
# Below this many patients the sandwich variance cannot be trusted, bias-reduced or not.
FEW_PATIENTS = 20
_LARGEST = 10.0  # log odds ratio beyond which a logistic fit has run away


@dataclass(frozen=True)
class Comparison:
    """Two groups of readings against each other.

    first, second: mean (share) of each. difference: second - first, bootstrap over patients. odds_ratio: second to
    first, of binary values under GEE only. test: "GEE", "permutation within patients", "permutation of patients" or ""
    where there is none. p: two-sided, None where there is no test. note: why, and what the test left out.
    """

    first: float | None
    second: float | None
    difference: Estimate
    odds_ratio: Estimate
    test: str
    p: float | None
    patients: int
    readings: int
    note: str


def _enough_signs(patients: int, permutations: int) -> bool:
    return 2**patients <= permutations


def _within(differences: Array, rng: np.random.Generator, permutations: int) -> float:
    """p of the mean of the patients' differences when the two labels of every patient may be swapped."""
    d = differences[np.abs(differences) > 1e-12]
    if not len(d):
        return 1.0
    exact = _enough_signs(len(d), permutations)
    if exact:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(d))))
    else:
        signs = rng.choice((-1.0, 1.0), size=(permutations, len(d)))
    beyond = int(np.sum(np.abs(signs @ d) >= abs(d.sum()) - 1e-9))
    return beyond / len(signs) if exact else (beyond + 1) / (permutations + 1)


def _between(values: Array, second: NDArray[np.bool_], rng: np.random.Generator, permutations: int) -> float:
    """p of the difference of two groups' means of patients when whole patients may change group."""
    n, k = len(values), int(second.sum())
    if comb(n, k) <= permutations:
        chosen = np.array([np.isin(np.arange(n), c) for c in combinations(range(n), k)])
    else:
        chosen = np.argsort(rng.random((permutations, n)), axis=1) < k
    means = chosen @ values / k - (~chosen) @ values / (n - k)
    seen = values[second].mean() - values[~second].mean()
    beyond = int(np.sum(np.abs(means) >= abs(seen) - 1e-9))
    return beyond / len(chosen) if comb(n, k) <= permutations else (beyond + 1) / (permutations + 1)


def permutation_test(
    data: pd.DataFrame, rng: np.random.Generator, *, permutations: int = PERMUTATIONS
) -> tuple[float | None, str, str]:
    """Two-sided p of no difference between two groups, the test's name, and a note.

    data: patient, reader, second (bool), value. Each reader's mean is taken off first, so that readers who tick more do
    not speak for the group that they read more of. Where patients have readings in both groups, their two labels are
    swapped, all readers together, and patients with one group only do not enter; where no patient has both, whole
    patients change group. All arrangements where they are at most `permutations`, else that many at random with (k + 1)
    / (m + 1) (Phipson and Smyth 2010). None with a note below two patients, or where one group has none.
    """
    centred = data["value"] - data.groupby("reader")["value"].transform("mean")
    means = centred.groupby([data["patient"], data["second"]]).mean().unstack()
    means = means.reindex(columns=[False, True])
    both = means.dropna()
    if len(both) >= 2:
        left = len(means) - len(both)
        note = f"{counted(left, 'patient')} with one group only left out" if left else ""
        p = _within((both[True] - both[False]).to_numpy(dtype=float), rng, permutations)
        least = 2 / 2 ** len(both)
        if least > 0.05:
            note = "; ".join(filter(None, [note, f"{len(both)} patients allow no p below {least:.3g}"]))
        return p, "permutation within patients", note
    single = means[means.isna().any(axis=1)]
    second = single[True].notna().to_numpy()
    if min(second.sum(), (~second).sum()) < 1 or len(single) < 3:
        return None, "", "no test: fewer than two patients in common, and too few in each group"
    values = single[True].fillna(single[False]).to_numpy(dtype=float)
    # Readers are centred on what they read, so nothing is left to tell apart where all values are equal.
    return _between(values, second, rng, permutations), "permutation of patients", "no patient has both groups"


def _gee(data: pd.DataFrame, level: float) -> tuple[Estimate, float | None, str]:
    """log odds ratio (binary values) or difference of means, p, and why there is none.

    value ~ second + reader, clustered on the patient, exchangeable working correlation, Mancl and DeRouen's
    bias-reduced covariance, t with patients - 2 degrees of freedom.
    """
    # Importing statsmodels takes a second, which no other statistic should pay.
    from statsmodels.genmod.cov_struct import Exchangeable, Independence
    from statsmodels.genmod.families import Binomial, Gaussian
    from statsmodels.genmod.generalized_estimating_equations import GEE

    binary = bool(data["value"].isin((0, 1)).all())
    note = ""
    if binary:
        steady = data.groupby("reader")["value"].transform("nunique") < 2
        silent = data.loc[steady, "reader"].nunique()
        if silent:
            data = data[~steady]
            note = f"{counted(silent, 'reader')} who always answered alike left out of the model"
        shares = data.groupby("second")["value"].mean()
        if len(shares) < 2 or shares.isin((0, 1)).any():
            return undefined("a group without variation"), None, "a group without variation has no odds ratio"
    design = np.column_stack(
        [
            data["second"].to_numpy(dtype=float),
            pd.get_dummies(data["reader"]).to_numpy(dtype=float),
        ]
    )
    n = data["patient"].nunique()
    family = Binomial() if binary else Gaussian()
    clusters = pd.factorize(data["patient"])[0]
    for structure in (Exchangeable(), Independence()):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                model = GEE(
                    data["value"].to_numpy(dtype=float), design, groups=clusters, family=family, cov_struct=structure
                )
                fit = model.fit(cov_type="bias_reduced", maxiter=100)
                value, se = float(fit.params[0]), float(fit.bse[0])
                converged = bool(fit.converged)
        except (np.linalg.LinAlgError, ValueError, ZeroDivisionError):
            continue
        if converged and np.isfinite([value, se]).all() and se > 0 and (not binary or abs(value) < _LARGEST):
            df = max(n - 2, 1)
            half = float(t.ppf((1 + level) / 2, df)) * se
            estimate = Estimate(value, value - half, value + half, se, n, note)
            return estimate, float(2 * t.sf(abs(value) / se, df)), note
    return undefined("the model did not converge"), None, "the model did not converge"


def _difference(data: pd.DataFrame, rng: np.random.Generator, resamples: int, level: float) -> Estimate:
    """Mean of the second minus mean of the first group, bootstrap over patients."""
    second = data["second"].to_numpy(dtype=float)
    x = data["value"].to_numpy(dtype=float)
    draws = draw_patients(list(data["patient"]), rng, resamples)
    columns = np.stack([second * x, second, (1 - second) * x, 1 - second], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, n_a, b, n_b = (draws.weights @ draws.by_patient(columns)).T
        replicates = a / n_a - b / n_b
    value = float(x[second == 1].mean() - x[second == 0].mean())
    low, high, se, note = bootstrap_interval(replicates, value, draws.n_patients, level)
    return Estimate(value, low, high, se, data["patient"].nunique(), note)


def compare(
    data: pd.DataFrame,
    first: Hashable,
    second: Hashable,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    level: float = 0.95,
) -> Comparison:
    """Whether two groups of readings differ; patients, not readings, are the independent units.

    data: patient, reader, group, value (booleans, numbers; NA: not assessed, left out). With 20 patients or more:
    generalised estimating equations (Liang and Zeger 1986), reader as fixed effect, clustered on the patient, the
    covariance of Mancl and DeRouen 2001, t with patients - 2 degrees of freedom; logistic for binary values, linear
    for others. Below that, where one group has no variation, or where the model does not converge: `permutation_test`,
    and the note says why. Where a group has no reading, everything is None and the note says so.
    """
    rows = data[data["group"].isin([first, second]) & data["value"].notna()]
    rows = rows.assign(second=rows["group"] == second, value=rows["value"].astype(float))
    patients, count = rows["patient"].nunique(), len(rows)
    means = rows.groupby("second")["value"].mean()
    if len(means) < 2:
        none = undefined("a group has no reading", patients)
        one, two = (float(means[k]) if k in means.index else None for k in (False, True))
        return Comparison(one, two, none, none, "", None, patients, count, "a group has no reading")
    difference = _difference(rows, rng, resamples, level)
    odds, p, notes = undefined("permutation test"), None, []
    if patients >= FEW_PATIENTS:
        coefficient, p, note = _gee(rows, level)
        notes.append(note)
        binary = bool(rows["value"].isin((0, 1)).all())
        if p is not None and coefficient.value is not None:
            odds = _exponential(coefficient) if binary else undefined("not binary: see the difference", patients)
            if not binary:
                difference = replace(coefficient, note="GEE")
        else:
            odds = undefined(note, patients)
    test = "GEE"
    if p is None:
        p, test, note = permutation_test(rows, rng, permutations=permutations)
        if patients < FEW_PATIENTS:
            notes.append(f"fewer than {FEW_PATIENTS} patients")
        notes.append(note)
    note = "; ".join(dict.fromkeys(filter(None, notes)))
    return Comparison(float(means[False]), float(means[True]), difference, odds, test, p, patients, count, note)


def _exponential(log: Estimate) -> Estimate:
    value, low, high = (None if x is None else float(np.exp(x)) for x in (log.value, log.low, log.high))
    return Estimate(value, low, high, None, log.n, log.note)


def comparison_table(
    data: pd.DataFrame,
    contrasts: Sequence[tuple[Hashable, Hashable]],
    rng: np.random.Generator,
    *,
    by: Sequence[str] = (),
    family: Family = "exploratory",
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per value of `by` and contrast (first, second), p adjusted over all rows of the table.

    data: as for `compare`, with the columns of `by`. family: "confirmatory" (Holm) or "exploratory"
    (Benjamini-Hochberg). Columns: those of `by`, first, second, value_first, value_second, difference, odds_ratio (each
    _low, _high, _note), test, p, p_adjusted, adjustment, patients, readings, note.
    """
    rows = []
    groups = list(data.groupby(list(by), sort=False)) if by else [((), data)]
    for key, part in groups:
        for first, second in contrasts:
            found = compare(part, first, second, rng, resamples=resamples, permutations=permutations, level=level)
            rows.append(dict(zip(by, key, strict=True)) | {"first": first, "second": second} | _columns(found))
    return _adjust(rows, by, family)


def _columns(found: Comparison) -> dict[str, Any]:
    return (
        {"value_first": found.first, "value_second": found.second}
        | flat("difference", found.difference)
        | flat("odds_ratio", found.odds_ratio)
        | {"test": found.test, "p": found.p, "patients": found.patients, "readings": found.readings, "note": found.note}
    )


def _adjust(rows: list[dict[str, Any]], keys: Sequence[str], family: Family) -> pd.DataFrame:
    values, name = adjusted([row["p"] for row in rows], family)
    for row, value in zip(rows, values, strict=True):
        row |= {"p_adjusted": value, "adjustment": name}
    empty = Comparison(None, None, undefined(""), undefined(""), "", None, 0, 0, "")
    columns = [*keys, "first", "second", *_columns(empty), "p_adjusted", "adjustment"]
    return pd.DataFrame(rows, columns=columns)


Outcome = Literal["appears", "disappears", "in_original", "in_counterfactual"]


def compare_arms(
    decoded: pd.DataFrame,
    findings: Sequence[Finding],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    outcome: Outcome = "appears",
    contrasts: Sequence[tuple[str, str]] | None = None,
    group_of: Mapping[str, str] | None = None,
    family: Family = "exploratory",
    resamples: int = RESAMPLES,
    permutations: int = PERMUTATIONS,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per finding and contrast of arms: `comparison_table` of the readings of a study.

    decoded: from `decode_readings`; repeats and controls are left out. contrasts: pairs of arm keys (first, second);
    all pairs by default. group_of: arm key -> method, to compare methods that have several arms each (contrasts then
    name methods; arms without one are left out). Columns: finding, label, then those of `comparison_table`. p values
    are adjusted over the table, so give one family of questions at a time.
    """
    first = readings_only(decoded)
    named = {arm.key: arm.key for arm in arms} if group_of is None else group_of
    data = first.assign(group=first["arm"].map(named), value=first[outcome])
    groups = list(dict.fromkeys(named[arm.key] for arm in arms if arm.key in named))
    pairs = list(contrasts) if contrasts is not None else list(combinations(groups, 2))
    if strange := sorted({name for pair in pairs for name in pair} - set(groups)):
        raise ValueError(f"Contrasts name {strange}: the groups are {groups}.")
    data_of = split(data, ("finding",))
    rows = []
    for finding in findings:
        part = data_of((finding.key,))
        for one, two in pairs:
            found = compare(part, one, two, rng, resamples=resamples, permutations=permutations, level=level)
            head = {"finding": finding.key, "label": finding.label, "first": one, "second": two}
            rows.append(head | _columns(found))
    return _adjust(rows, ("finding", "label"), family)
