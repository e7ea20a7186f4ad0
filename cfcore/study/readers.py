"""The readers themselves: how much they read, how long they took, and how far they agree with themselves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cfcore.study.agreement import bland_altman, cohen_kappa, gwet_ac, icc
from cfcore.study.agreement.binary import binary_pairs
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import clopper_pearson, wilson
from cfcore.study.protocol import Rating
from cfcore.study.resampling import RESAMPLES, draw_patients
from cfcore.study.shaping import flat, readings_only
from cfcore.study.stacking import stack

READER_COLUMNS = (
    "reader", "planned", "done", "answers", "cannot", "missing", "median_seconds",
    "first_side", "first_side_low", "first_side_high", "first_side_note", "first_side_p",
)  # fmt: skip
MISSING_COLUMNS = (
    "reader", "arm", "planned", "done", "unread", "answers", "cannot", "missing", "cannot_share", "missing_share",
)  # fmt: skip
TIME_COLUMNS = ("reader", "arm", "cases", "median", "lower_quartile", "upper_quartile", "geometric_mean")
# A control of another kind (a reconstruction, a filter, two patients) does differ between its sides.
_IDENTICAL = "identical"


def _done(data: pd.DataFrame) -> "pd.Series[bool]":
    """Per case: whether one finding at least was answered."""
    answered = data["status"] != "missing"
    return answered.groupby(data["pair"], sort=False).any()


def readers_table(decoded: pd.DataFrame) -> pd.DataFrame:
    """One row per reader: cases planned and done, answers, cannot, missing, median seconds, share of side A.

    A case is done as soon as one finding was answered. `first_side`: of the answers that name one side, the
    share that names A (Clopper-Pearson, exact p of one half in `first_side_p`); far from one half it shows a side
    bias. Answers of a case count as independent there. None where there is no such answer or no time.
    """
    first = readings_only(decoded)
    rows = []
    for reader, data in first.groupby("reader", sort=False):
        done = _done(data)
        seconds = data.groupby("pair", sort=False)["seconds"].first()[done].dropna()
        sided = data[data["answer"].isin(["A", "B"])]
        on_a = int((sided["answer"] == "A").sum())
        rows.append(
            {
                "reader": reader,
                "planned": len(done),
                "done": int(done.sum()),
                "answers": int((data["status"] != "missing").sum()),
                "cannot": int((data["status"] == "cannot").sum()),
                "missing": int((data["status"] == "missing").sum()),
                "median_seconds": float(seconds.median()) if len(seconds) else None,
                "first_side_p": float(binomtest(on_a, len(sided)).pvalue) if len(sided) else None,
            }
            | flat("first_side", clopper_pearson(on_a, len(sided)))
        )
    return pd.DataFrame(rows, columns=list(READER_COLUMNS))


def missing_table(decoded: pd.DataFrame) -> pd.DataFrame:
    """One row per reader and arm: what was planned and what is not there.

    Columns: reader, arm, planned and done cases, unread (planned - done), answers given, cannot, missing, and both as
    shares: cannot_share of the answers given, missing_share of all answers that were due; None of none. First readings
    only; unread trials must be among the rows.
    """
    rows = []
    for (reader, arm), data in readings_only(decoded).groupby(["reader", "arm"], sort=False):
        done = _done(data)
        given = int((data["status"] != "missing").sum())
        cannot, missing = (int((data["status"] == name).sum()) for name in ("cannot", "missing"))
        rows.append(
            {
                "reader": reader,
                "arm": arm,
                "planned": len(done),
                "done": int(done.sum()),
                "unread": int((~done).sum()),
                "answers": given,
                "cannot": cannot,
                "missing": missing,
                "cannot_share": cannot / given if given else None,
                "missing_share": missing / len(data),
            }
        )
    return pd.DataFrame(rows, columns=list(MISSING_COLUMNS))


def times_table(decoded: pd.DataFrame) -> pd.DataFrame:
    """Seconds per case: one row per reader and arm, and one per reader over all arms (arm "").

    Columns: reader, arm, cases (done, with a time), median, lower_quartile, upper_quartile, geometric_mean (times are
    skewed to the right; cases of 0 s do not enter it). None without a timed case. First readings only.
    """
    first = readings_only(decoded)
    answered = first[first["status"] != "missing"]
    cases = answered.groupby(["reader", "arm", "pair"], sort=False)["seconds"].first().dropna().reset_index()
    rows = []
    for reader in dict.fromkeys(first["reader"]):
        own = cases[cases["reader"] == reader]
        for arm in ("", *dict.fromkeys(first.loc[first["reader"] == reader, "arm"])):
            seconds = (own if arm == "" else own[own["arm"] == arm])["seconds"].to_numpy(dtype=float)
            row: dict[str, Any] = {"reader": reader, "arm": arm, "cases": len(seconds)}
            if len(seconds):
                quartiles = np.quantile(seconds, [0.25, 0.5, 0.75])
                row |= dict(zip(("lower_quartile", "median", "upper_quartile"), map(float, quartiles), strict=True))
            if (seconds > 0).any():
                row["geometric_mean"] = float(np.exp(np.log(seconds[seconds > 0]).mean()))
            rows.append(row)
    frame = pd.DataFrame(rows, columns=list(TIME_COLUMNS)).astype(object)
    return frame.where(frame.notna(), None)


def reader_checks(decoded: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """One row per reader: agreement with oneself on repeats, and false alarms on pairs of two identical
    images.

    Columns: reader, repeats and controls (cases); on repeats, "appears" of the first reading against the repeat, each
    finding of a pair a case: `intra_reader` (AC1) and `intra_reader_kappa` (Cohen), closed form; on identical pairs:
    `false_alarms` (share of pairs with any one-sided finding) and `false_alarm_answers` (share of answers that name one
    side), Wilson; each with _low, _high, _note. Where `decoded` has a column `kind`, only controls of kind "identical"
    count. None with a note where there is no repeat or no control.
    """
    rows = []
    for reader, data in decoded.groupby("reader", sort=False):
        keys = ["pair", "finding"]
        first = data[data["purpose"] == "reading"].set_index(keys)["appears"]
        again = data[data["purpose"] == "repeat"].set_index(keys)["appears"]
        both = pd.concat([first, again], axis=1, keys=["first", "again"], join="inner")
        catch = data[data["purpose"] == "control"]
        if "kind" in catch:
            catch = catch[catch["kind"] == _IDENTICAL]
        assessed = catch[catch["status"] == "assessed"]
        sided = assessed["answer"].isin(["A", "B"])
        trials = sided.groupby(assessed["pair"]).any()
        kappa: Estimate = undefined("no case has two readings")
        if len(both):
            kappa = cohen_kappa(both, categories=(False, True), level=level)
        rows.append(
            {
                "reader": reader,
                "repeats": data.loc[data["purpose"] == "repeat", "pair"].nunique(),
                "controls": catch["pair"].nunique(),
            }
            | flat("intra_reader", gwet_ac(both, categories=(False, True), level=level))
            | flat("intra_reader_kappa", kappa)
            | flat("false_alarms", wilson(int(trials.sum()), len(trials), level))
            | flat("false_alarm_answers", wilson(int(sided.sum()), len(assessed), level))
        )
    return pd.DataFrame(rows)


_REPEATED = ("icc", "weighted_kappa", "bias", "lower", "upper")


def repeated_ratings(rated: pd.DataFrame, ratings: Sequence[Rating], *, level: float = 0.95) -> pd.DataFrame:
    """One row per reader and rating: how a reader's ratings of the same pair agree, first reading against repeat.

    rated: from `decode_ratings`. Columns: reader, rating, repeats (with both values), `icc` (2,1), `weighted_kappa`
    (quadratic, over the scale's points), and Bland and Altman's `bias` (first - repeat), `lower`, `upper` limit of
    agreement in points of the scale; each _low, _high, _note. None with a note where there are too few repeats.
    """
    rows = []
    for reader, data in rated.groupby("reader", sort=False):
        for rating in ratings:
            own = data[data["rating"] == rating.key]
            first, again = (
                own[own["purpose"] == purpose].set_index("pair")["value"] for purpose in ("reading", "repeat")
            )
            both = pd.concat([first, again], axis=1, keys=["first", "again"], join="inner").dropna().astype(int)
            found = dict.fromkeys(_REPEATED, undefined("fewer than two pairs rated twice", len(both)))
            if len(both) > 1:
                limits = bland_altman(both, level=level)
                scale = tuple(range(1, rating.points + 1))
                kappa = cohen_kappa(both, weights="quadratic", categories=scale, level=level)
                of_both = (icc(both, "2,1", level), kappa, limits.bias, limits.lower, limits.upper)
                found = dict(zip(_REPEATED, of_both, strict=True))
            row = {"reader": reader, "rating": rating.key, "repeats": len(both)}
            for name, estimate in found.items():
                row |= flat(name, estimate)
            rows.append(row)
    columns = [column for name in _REPEATED for column in flat(name, undefined(""))]
    return pd.DataFrame(rows, columns=["reader", "rating", "repeats", *columns])


def pairs_of_readers(
    decoded: pd.DataFrame,
    rng: np.random.Generator,
    *,
    outcome: str = "appears",
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> pd.DataFrame:
    """One row per pair of readers, over all findings and arms: how far these two agree.

    Columns: first, second, n ((pair, finding)s that both assessed), `raw_agreement`, `cohen`, `ac1`, each _low, _high,
    _note. Every (pair, finding) is a case, whole patients are resampled. None with a note where the two share no case.
    """
    first = readings_only(decoded)
    rows = []
    if len(first):
        stacked = stack(first, list(dict.fromkeys(first["finding"])), (outcome,))
        codes = stacked.codes[outcome]
        patients = [patient for _ in range(len(codes)) for patient in stacked.patients]
        draws = draw_patients(patients, rng, resamples)
        together = binary_pairs(codes.reshape(-1, len(stacked.readers)), draws, level)
        for (g, h), found in together.items():
            row = {"first": stacked.readers[g], "second": stacked.readers[h], "n": found["cohen"].n}
            for name, estimate in found.items():
                row |= flat(name, estimate)
            rows.append(row)
    names = ("raw_agreement", "cohen", "ac1")
    columns = ["first", "second", "n", *(c for name in names for c in flat(name, undefined("")))]
    return pd.DataFrame(rows, columns=columns)
