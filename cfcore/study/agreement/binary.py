"""Every agreement statistic of many binary outcomes of the same cases at once.

The bootstrap is one matrix product: resamples x cases times cases x sufficient statistics. Tests hold every number to
the functions of one table (`gwet_ac`, `fleiss_kappa`, ...), which say what each means and where it is published.
"""

from dataclasses import dataclass, fields, replace
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from cfcore.study.agreement.chance import corrected, ratio, settle
from cfcore.study.agreement.raw import bias_index
from cfcore.study.agreement.table import Table
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.resampling import Array, PatientDraws, bootstrap_interval

COEFFICIENTS = ("raw_agreement", "ac1", "fleiss", "conger", "brennan_prediger", "alpha")
Codes = NDArray[np.int8]


@dataclass(frozen=True)
class Sums:
    """Sums over (resampled) cases, (b, outcomes) each, and per reader (b, outcomes, readers).

    several: cases with two readings or more. agree: their shares of agreeing pairs. read: cases with a reading.
    share: their shares of positive readings (share_several: of those with two or more). values, o_mixed, o_positive: of
    the coincidence matrix (all, one off-diagonal cell, the positive diagonal). possible_*, same_*: pairs of readings
    whose first is positive (negative), and those whose second is so, too. chosen, seen: positive readings and readings
    of each reader.
    """

    several: Array
    agree: Array
    read: Array
    share: Array
    share_several: Array
    values: Array
    o_mixed: Array
    o_positive: Array
    same_positive: Array
    possible_positive: Array
    same_negative: Array
    possible_negative: Array
    chosen: Array
    seen: Array


_SINGLE = 12


def _statistics(codes: Codes) -> Array:
    """(cases, outcomes x (12 + 2 readers)) what each case adds to `Sums`. codes: (outcomes, cases, readers)."""
    seen = (codes >= 0).astype(float)
    chosen = (codes == 1).astype(float)
    r, k = seen.sum(axis=2), chosen.sum(axis=2)
    several = (r >= 2).astype(float)
    possible = np.where(r >= 2, r * (r - 1), 1)
    same_positive, same_negative = k * (k - 1), (r - k) * (r - k - 1)
    less = np.where(r >= 2, r - 1, 1)
    single = np.stack(
        [
            several,
            several * (same_positive + same_negative) / possible,
            (r > 0).astype(float),
            k / np.where(r > 0, r, 1),
            several * k / np.where(r > 0, r, 1),
            several * r,
            several * k * (r - k) / less,
            several * same_positive / less,
            same_positive,
            k * (r - 1),
            same_negative,
            (r - k) * (r - 1),
        ],
        axis=2,
    )
    each = np.concatenate([single, chosen, seen], axis=2)
    return each.transpose(1, 0, 2).reshape(codes.shape[1], codes.shape[0] * each.shape[2])


def _sums(weights: Array, statistics: Array, outcomes: int, readers: int) -> Sums:
    total = (weights @ statistics).reshape(len(weights), outcomes, _SINGLE + 2 * readers)
    per_reader = total[:, :, _SINGLE:]
    single = {field.name: total[:, :, i] for i, field in enumerate(fields(Sums)[:_SINGLE])}
    return Sums(**single, chosen=per_reader[:, :, :readers], seen=per_reader[:, :, readers:])


def _observed_and_chance(s: Sums, takes_part: NDArray[np.bool_]) -> dict[str, tuple[Array, Array]]:
    """(b, outcomes) observed and chance agreement by coefficient. takes_part: (outcomes, readers), read anything."""
    pa = ratio(s.agree, s.several)
    pi = ratio(s.share, s.read)
    p = np.where(takes_part, ratio(s.chosen, s.seen), 0.0)
    readers = takes_part.sum(axis=1)
    pairs = np.maximum(readers * (readers - 1), 1)
    total = p.sum(axis=2)
    both = total**2 - np.sum(p**2, axis=2)
    # Sum over ordered pairs of p_g p_h + (1 - p_g) (1 - p_h).
    conger = (2 * both - 2 * (readers - 1) * total + readers * (readers - 1)) / pairs
    n_positive = s.o_positive + s.o_mixed
    return {
        "raw_agreement": (pa, np.zeros_like(pa)),
        "ac1": (pa, 2 * pi * (1 - pi)),
        "fleiss": (pa, pi**2 + (1 - pi) ** 2),
        "conger": (pa, conger),
        "brennan_prediger": (pa, np.full_like(pa, 0.5)),
        "alpha": (
            1 - ratio(2 * s.o_mixed, s.values),
            1 - ratio(2 * n_positive * (s.values - n_positive), s.values * (s.values - 1)),
        ),
    }


def _ratio_estimate(value: Array, replicates: Array, draws: PatientDraws, level: float, n: int, why: str) -> Estimate:
    if not np.isfinite(value[0]):
        return undefined(why, n)
    low, high, se, note = bootstrap_interval(replicates, float(value[0]), draws.n_patients, level)
    return Estimate(float(value[0]), low, high, se, n, note)


def binary_agreement(codes: Codes, draws: PatientDraws, level: float = 0.95) -> list[dict[str, Estimate]]:
    """Agreement on each of several binary outcomes of the same cases, bootstrap over patients.

    codes: (outcomes, cases, readers), 1 seen, 0 not seen, -1 missing. draws: of the cases' patients, shared by all
    outcomes. Returns one mapping per outcome: raw_agreement, ac1, fleiss, conger, brennan_prediger, alpha,
    positive_agreement, negative_agreement, prevalence_index (all with intervals) and bias_index (without). Degenerate
    answers as in the functions of one table. Raises ValueError for draws of other cases.
    """
    outcomes, _, readers = codes.shape
    by_patient = draws.by_patient(_statistics(codes))
    takes_part = np.asarray((codes >= 0).any(axis=1))
    point = _sums(np.ones((1, len(by_patient))), by_patient, outcomes, readers)
    drawn = _sums(draws.weights, by_patient, outcomes, readers)
    found, replicates = (_observed_and_chance(s, takes_part) for s in (point, drawn))
    drawn_values = {name: corrected(*replicates[name]) for name in COEFFICIENTS}
    answers = []
    for f in range(outcomes):
        r = (codes[f] >= 0).sum(axis=1)
        n = int(np.sum(r >= 2))
        units = len(np.unique(draws.patient_of[r >= 2]))
        row: dict[str, Estimate] = {}
        for name in COEFFICIENTS:
            pa, pe = (float(x[0, f]) for x in found[name])
            row[name] = settle(pa, pe, n, units, drawn_values[name][:, f], draws.n_patients, level)
        raw = row["raw_agreement"]
        if raw.low is not None:
            row["raw_agreement"] = replace(raw, low=max(raw.low, 0.0))
        for name, label in (("positive", True), ("negative", False)):
            share, shares = (
                ratio(getattr(s, f"same_{name}")[:, f], getattr(s, f"possible_{name}")[:, f]) for s in (point, drawn)
            )
            row[f"{name}_agreement"] = _ratio_estimate(share, shares, draws, level, n, f"nobody chose {label}")
        index, indices = (2 * ratio(s.share_several[:, f], s.several[:, f]) - 1 for s in (point, drawn))
        row["prevalence_index"] = _ratio_estimate(index, indices, draws, level, n, "no case has two readings")
        row["bias_index"] = bias_index(_as_table(codes[f]))
        answers.append(row)
    return answers


def _as_table(codes: Codes) -> Table:
    counts = np.stack([(codes == k).sum(axis=1) for k in (0, 1)], axis=1)
    return Table(counts.astype(float), (False, True), codes.astype(np.int64))


def binary_pairs(codes: Codes, draws: PatientDraws, level: float = 0.95) -> dict[tuple[int, int], dict[str, Estimate]]:
    """Agreement of each pair of readers on a binary outcome: raw_agreement, cohen and ac1, bootstrap over patients.

    codes: (cases, readers) as above. Keys are the readers' columns (first < second). Degenerate answers as in
    `percent_agreement`, `cohen_kappa` and `gwet_ac` of the two. Raises ValueError for draws of other cases.
    """
    pairs = list(combinations(range(codes.shape[1]), 2))
    cells = [
        ((codes[:, g] == a) & (codes[:, h] == b)).astype(float) for g, h in pairs for a, b in product((1, 0), repeat=2)
    ]
    if not pairs:
        return {}
    by_patient = draws.by_patient(np.stack(cells, axis=1))
    out = {}
    everyone = np.ones((1, len(by_patient)))
    counted = [(w @ by_patient).reshape(len(w), len(pairs), 4) for w in (everyone, draws.weights)]
    for i, (g, h) in enumerate(pairs):
        both_read = (codes[:, g] >= 0) & (codes[:, h] >= 0)
        n, units = int(both_read.sum()), len(np.unique(draws.patient_of[both_read]))
        parts = []
        for cell in (c[:, i] for c in counted):
            n11, n10, n01, n00 = (ratio(cell[:, k], cell.sum(axis=1)) for k in range(4))
            pa, one, two = n11 + n00, n11 + n10, n11 + n01
            pi = (one + two) / 2
            chance = {"raw_agreement": np.zeros_like(pa), "ac1": 2 * pi * (1 - pi)}
            chance["cohen"] = one * two + (1 - one) * (1 - two)
            parts.append((pa, chance))
        (pa, pe), (drawn_pa, drawn_pe) = parts
        out[g, h] = {
            name: settle(
                float(pa[0]), float(pe[name][0]), n, units, corrected(drawn_pa, drawn_pe[name]), draws.n_patients, level
            )
            for name in ("raw_agreement", "cohen", "ac1")
        }
    return out
