"""Two-alternative forced choice: how often the target was chosen, whether a reader favours a side, and a ranking of
methods, or of arms and their originals, by Bradley and Terry."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import bootstrap_mean, clopper_pearson
from cfcore.study.protocol import Arm
from cfcore.study.questions import ForcedChoice, Question
from cfcore.study.resampling import RESAMPLES, Array, bootstrap_interval, resample_patients
from cfcore.study.shaping import flat, readings_only

_STEPS, _LONGEST = 60, 2.0
# No arm has an empty key.
_ORIGINALS = ""
_ESTIMATES = [*flat("strength", undefined("")), *flat("chance", undefined(""))]


def sign_flip_p(differences: Sequence[int]) -> float:
    """Exact two-sided p of a sum of whole numbers, each of whose signs is a fair coin's under the hypothesis.

    differences: one per patient, such as choices for minus against. Patients with 0 say nothing; without any other p
    is 1. The distribution is the product of (x^d + x^-d) / 2, multiplied out (Fisher 1935, randomisation test).
    """
    sizes = [abs(int(d)) for d in differences if d]
    chances = np.ones(1)
    for size in sizes:
        wider = np.zeros(len(chances) + 2 * size)
        wider[: len(chances)] += chances / 2
        wider[2 * size :] += chances / 2
        chances = wider
    reach = sum(sizes)
    sums = np.arange(-reach, reach + 1)
    return float(min(chances[np.abs(sums) >= abs(sum(differences))].sum(), 1.0))


def choice_table(
    choices: pd.DataFrame,
    rng: np.random.Generator,
    *,
    target: str = "counterfactual",
    by: Sequence[str] = ("arm",),
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per arm (or value of `by`): how often readers chose the target out of the two.

    choices: reader, patient, `chosen` (what stood on the chosen side, e.g. "counterfactual" or "original"; NA where
    nothing was chosen) and the columns of `by`. Columns: those, choices, missing, readers, patients, `share` with the
    bootstrap over patients (_low, _high, _note) and p of one half: exact flips of the patients' signs (`sign_flip_p`),
    which is the binomial test where every patient has one choice. p is None without choices.
    """
    rows = []
    for key, data in choices.groupby(list(by), sort=False):
        made = data[data["chosen"].notna()]
        hit = np.asarray(made["chosen"] == target, dtype=np.float64)
        balance = pd.Series(2 * hit - 1, index=made.index).groupby(made["patient"]).sum()
        share: Estimate = undefined("no choice")
        if len(made):
            resample = resample_patients(list(made["patient"]), rng, resamples)
            share = bootstrap_mean(hit, np.ones(len(hit)), resample, level)
        row: dict[str, Any] = dict(zip(by, key, strict=True)) | {
            "choices": len(made),
            "missing": len(data) - len(made),
            "readers": made["reader"].nunique(),
            "patients": made["patient"].nunique(),
        }
        rows.append(row | flat("share", share) | {"p": sign_flip_p(list(balance.astype(int))) if len(made) else None})
    columns = [*by, "choices", "missing", "readers", "patients", *flat("share", undefined("")), "p"]
    return pd.DataFrame(rows, columns=columns)


def side_bias(choices: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """One row per reader: reader, choices, `first_side` (share of side A, Clopper-Pearson) and exact p of one half.

    choices: reader, `side` ("A", "B"; NA where nothing was chosen). Sides are drawn at random, so a share away from
    one half is the reader's habit. p is None without choices.
    """
    rows = []
    for reader, data in choices.groupby("reader", sort=False):
        sides = data["side"].dropna()
        k, n = int((sides == "A").sum()), len(sides)
        p = float(binomtest(k, n).pvalue) if n else None
        rows.append({"reader": reader, "choices": n} | flat("first_side", clopper_pearson(k, n, level)) | {"p": p})
    return pd.DataFrame(rows, columns=["reader", "choices", *flat("first_side", undefined("")), "p"])


def _connected(met: Array) -> Array:
    """(b,) whether every method met every other, directly or through others. met: (b, k, k) number of duels."""
    k = met.shape[1]
    reach = (met > 0).astype(float) + np.eye(k)
    for _ in range(max(k.bit_length(), 1)):
        reach = np.minimum(reach @ reach, 1)
    return np.asarray((reach > 0).all(axis=(1, 2)))


def _strengths(wins: Array) -> Array:
    """(b, k) log strengths, sum 0, of (b, k, k) wins of row over column, by Firth's penalised likelihood.

    nan where the methods fall into groups that never met.
    """
    k = wins.shape[1]
    met = wins + wins.transpose(0, 2, 1)
    strengths = np.full(wins.shape[:2], np.nan)
    good = np.flatnonzero(_connected(met))
    w, n = wins[good], met[good]
    theta = np.zeros((len(good), k))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(theta[:, None, :] - theta[:, :, None]))
        weight = n * p * (1 - p)
        information = np.eye(k) * weight.sum(axis=2)[:, :, None] - weight
        # The ones lift the direction in which all strengths grow together, which no duel can see.
        inverse = np.linalg.inv(information + 1 / k)
        diagonal = np.einsum("bii->bi", inverse)
        leverage = weight * (diagonal[:, :, None] + diagonal[:, None, :] - 2 * inverse)
        score = np.sum(w - n * p + leverage * (0.5 - p), axis=2)
        step = np.einsum("bij,bj->bi", inverse, score)
        longest = np.abs(step).max(axis=1, keepdims=True, initial=0)
        theta += step * np.minimum(1, _LONGEST / np.maximum(longest, 1e-300))
        if longest.max(initial=0) < 1e-10:
            break
    strengths[good] = theta - theta.mean(axis=1, keepdims=True)
    return strengths


def bradley_terry(
    duels: pd.DataFrame,
    rng: np.random.Generator,
    *,
    methods: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per method, strongest first: method, duels, wins, `strength` and `chance`, each _low, _high, _note.

    duels: one row per choice with patient, `winner` and `loser` (names of methods). P(i beats j) = 1 / (1 + exp(s_j -
    s_i)), strengths s sum to 0 (Bradley and Terry 1952). Fitted by Firth's penalised likelihood (Firth 1993; Jeffreys
    prior), so that a method that won or lost all its duels has a finite strength. chance: of beating a method drawn
    from the others. Intervals: bootstrap over patients. None with a note where there are fewer than two methods or
    where methods never met, not even through others. Raises ValueError for a duel of a method with itself or a method
    outside `methods`.
    """
    if (duels["winner"] == duels["loser"]).any():
        raise ValueError("A duel has the same method on both sides: identical pairs are controls, not duels.")
    seen = sorted(set(duels["winner"]) | set(duels["loser"]), key=str)
    names = list(methods) if methods is not None else seen
    if strange := [name for name in seen if name not in names]:
        raise ValueError(f"Duels of {strange}: the methods are {names}.")
    k, index = len(names), {name: i for i, name in enumerate(names)}
    cell = duels["winner"].map(index).to_numpy(dtype=np.int64) * k + duels["loser"].map(index).to_numpy(dtype=np.int64)
    resample = resample_patients(list(duels["patient"]), rng, resamples)
    # Duels in the same cell of the same patient always come together.
    each = np.zeros((resample.n_patients, k * k))
    np.add.at(each, (resample.patient_of, cell), 1)
    first_row = np.unique(resample.patient_of, return_index=True)[1]
    drawn = resample.weights[:, first_row] @ each
    wins = each.sum(axis=0).reshape(k, k)
    point = np.full(k, np.nan)
    if k > 1 and len(duels):
        point = _strengths(wins[None])[0]
    solved = bool(np.isfinite(point).all()) and k > 1
    replicates = _strengths(drawn.reshape(-1, k, k)) if solved else np.full((resamples, k), np.nan)
    why = "fewer than two methods" if k < 2 else "methods that never met, not even through others"
    rows = []
    for i, name in enumerate(names):
        won, lost = int(wins[i].sum()), int(wins[:, i].sum())
        strength = chance = undefined(why, won + lost)
        if solved:
            extra = "won or lost every duel: penalised estimate" if 0 in (won, lost) else ""
            strength = _with_interval(point[i], replicates[:, i], resample.n_patients, level, won + lost, extra)
            beats = _beats(point[None], i)[0]
            chance = _with_interval(beats, _beats(replicates, i), resample.n_patients, level, won + lost, extra)
        rows.append(
            {"method": name, "duels": won + lost, "wins": won} | flat("strength", strength) | flat("chance", chance)
        )
    order = sorted(range(k), key=lambda i: -point[i] if np.isfinite(point[i]) else 0.0)
    return pd.DataFrame([rows[i] for i in order], columns=["method", "duels", "wins", *_ESTIMATES])


def strengths_table(
    decoded: pd.DataFrame,
    questions: Sequence[Question],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per forced choice and arm, and one for the originals, most often chosen first (`bradley_terry`).

    decoded: from `cfcore.study.decode_questions`. A first reading's choice is a duel of its arm's counterfactual with
    an original; the originals of all arms are one method, through which arms compare that never stood side by side.
    Columns: question, arm ("" for the originals), arm_name, duels, wins, then each with _low, _high, _note:
    `strength` (log odds, sum 0) and `chance` (of being chosen beside a method drawn from the others). An arm without a
    choice stands last, without a number and with a note.
    """
    first = readings_only(decoded)
    choices = [question for question in questions if isinstance(question, ForcedChoice)]
    names = {_ORIGINALS: "originals"} | {arm.key: arm.name for arm in arms}
    rows: list[dict[str, Any]] = []
    # A stream a question: adding one at the end does not move the intervals of the others.
    for question, own in zip(choices, rng.spawn(len(choices)), strict=True):
        made = first[(first["question"] == question.key) & (first["status"] == "answered")]
        generated = made["chosen"] == "counterfactual"
        duels = pd.DataFrame(
            {
                "patient": made["patient"],
                "winner": made["arm"].where(generated, _ORIGINALS),
                "loser": made["arm"].where(~generated, _ORIGINALS),
            }
        )
        ranked = bradley_terry(duels, own, resamples=resamples, level=level)
        head = {"question": question.key}
        for row in ranked.to_dict("records"):
            key = row.pop("method")
            rows.append(head | {"arm": key, "arm_name": names.get(key, key)} | row)
        nothing = {"duels": 0, "wins": 0} | flat("strength", undefined("no choice"))
        nothing |= flat("chance", undefined("no choice"))
        silent = [key for key in names if key not in set(ranked["method"])]
        rows += [head | {"arm": key, "arm_name": names[key]} | nothing for key in silent]
    return pd.DataFrame(rows, columns=["question", "arm", "arm_name", "duels", "wins", *_ESTIMATES])


def _beats(strengths: Array, i: int) -> Array:
    """(b,) mean chance of method i against each of the others."""
    others = np.delete(strengths, i, axis=1)
    return np.asarray(np.mean(1 / (1 + np.exp(others - strengths[:, [i]])), axis=1))


def _with_interval(value: float, replicates: Array, patients: int, level: float, n: int, extra: str) -> Estimate:
    low, high, se, note = bootstrap_interval(replicates, float(value), patients, level)
    return Estimate(float(value), low, high, se, n, "; ".join(filter(None, [extra, note])))
