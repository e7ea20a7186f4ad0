"""What a study's questions found, a table a question: means and shares with intervals, counts, texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.estimate import Estimate, undefined
from cfcore.study.forced_choice import choice_table
from cfcore.study.intervals import bootstrap_mean
from cfcore.study.protocol import Arm
from cfcore.study.questions import (
    Choice,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    Question,
    SameDifferent,
    Sides,
    VisualAnalogue,
)
from cfcore.study.resampling import RESAMPLES, bootstrap_interval, resample_patients
from cfcore.study.shaping import flat, readings_only


def question_tables(
    decoded: pd.DataFrame,
    marks: pd.DataFrame,
    questions: Sequence[Question],
    arms: Sequence[Arm],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> dict[str, pd.DataFrame]:
    """Question key -> its table: one row per arm, and per option, finding or image where the kind has them.

    decoded, marks: from `cfcore.study.decode_questions`. Repeats and controls are left out. All tables but that of
    texts begin with arm, arm_name, readings, missing, not_asked, readers, patients. After them, an estimate x being
    the columns x, x_low, x_high, x_note (bootstrap over patients):

    - likert, vas, number, confidence (and its `finding`): mean, median, sd;
    - forced_choice: share that chose the counterfactual, and p of one half; `right` where an answer is right;
    - same, choice, presence: `option`, count, share; cannot (presence); `right` where an option is right;
    - sides: share in_original, in_counterfactual, and cannot;
    - mark: `image`, with_mark (share of readings with a mark there), marks, area (mean of a mark, square pixels);
    - text: arm, arm_name, reader, pair, text: a list.
    """
    first = readings_only(decoded)
    drawn = readings_only(marks)
    tables = {}
    # A stream a question: adding one at the end does not move the intervals of the others.
    for question, own in zip(questions, rng.spawn(len(questions)), strict=True):
        data = first[first["question"] == question.key]
        rows: list[dict[str, Any]] = []
        for arm in arms:
            cell = data[data["arm"] == arm.key]
            head = {"arm": arm.key, "arm_name": arm.name}
            made = drawn[(drawn["question"] == question.key) & (drawn["arm"] == arm.key)]
            rows += [head | row for row in _arm_rows(question, cell, made, own, resamples, level)]
        tables[question.key] = pd.DataFrame(rows)
    return tables


def _arm_rows(
    question: Question,
    data: pd.DataFrame,
    marks: pd.DataFrame,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> list[dict[str, Any]]:
    if isinstance(question, FreeText):
        said = data[data["status"] == "answered"]
        answers = zip(said["reader"], said["pair"], said["answer"], strict=True)
        return [{"reader": reader, "pair": pair, "text": text} for reader, pair, text in answers]
    counts = _counts(data)
    options: dict[str, Any] = {"rng": rng, "resamples": resamples, "level": level}
    if isinstance(question, Confidence):
        findings = dict.fromkeys(data["finding"].dropna())
        return [
            {"finding": key} | _counts(part) | _numbers(part, (1.0, float(question.points)), **options)
            for key in findings
            for part in [data[data["finding"] == key]]
        ]
    if isinstance(question, Likert):
        return [counts | _numbers(data, (1.0, float(question.points)), **options)]
    if isinstance(question, VisualAnalogue):
        return [counts | _numbers(data, (0.0, 100.0), **options)]
    if isinstance(question, Number):
        return [counts | _numbers(data, (question.low, question.high), **options)]
    if isinstance(question, ForcedChoice):
        table = choice_table(data[data["status"] != "not asked"].assign(all=""), rng, by=("all",), resamples=resamples)
        found = table.iloc[0].to_dict() if len(table) else flat("share", undefined("no choice")) | {"p": None}
        share = {name: found[name] for name in (*flat("share", undefined("")), "p")}
        return [counts | share | (_right(data, **options) if question.right else {})]
    if isinstance(question, SameDifferent | Choice | Presence):
        named = [o for o in question.values() if o != "cannot"]
        scored = isinstance(question, Choice) and bool(question.right_for_original or question.right_for_counterfactual)
        right = _right(data, **options) if scored else {}
        cannot = {"cannot": int((data["status"] == "cannot").sum())} if isinstance(question, Presence) else {}
        return [counts | cannot | {"option": o} | _option(data, o, **options) | right for o in named]
    if isinstance(question, Sides):
        cannot = {"cannot": int((data["status"] == "cannot").sum())}
        return [counts | cannot | _seen(data, "in_original", **options) | _seen(data, "in_counterfactual", **options)]
    if isinstance(question, Mark):
        return [counts | _marked(data, marks, image, **options) for image in ("original", "counterfactual")]
    raise ValueError(f"There is no summary for questions of kind “{question.kind}”.")


def _counts(data: pd.DataFrame) -> dict[str, Any]:
    given = data[data["status"].isin(["answered", "cannot"])]
    return {
        "readings": len(given),
        "missing": int((data["status"] == "missing").sum()),
        "not_asked": int((data["status"] == "not asked").sum()),
        "readers": given["reader"].nunique(),
        "patients": given["patient"].nunique(),
    }


def _numbers(
    data: pd.DataFrame, bounds: tuple[float, float], rng: np.random.Generator, resamples: int, level: float
) -> dict[str, Any]:
    """Mean and median of the answers, each with the bootstrap over patients."""
    given = data[data["value"].notna()]
    values = given["value"].to_numpy(dtype=float)
    if not len(values):
        none = undefined("no answer")
        return flat("mean", none) | flat("median", none) | {"sd": None}
    resample = resample_patients(list(given["patient"]), rng, resamples)
    mean = bootstrap_mean(values, np.ones(len(values)), resample, level, bounds)
    medians = weighted_medians(values, resample.weights)
    middle = float(np.median(values))
    low, high, se, note = bootstrap_interval(medians, middle, resample.n_patients, level)
    median = Estimate(middle, low, high, se, resample.n_patients, note)
    return flat("mean", mean) | flat("median", median) | {"sd": float(values.std(ddof=1)) if len(values) > 1 else None}


def weighted_medians(values: np.ndarray[Any, Any], weights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(b,) medians of (rows,) values counted (b, rows) times each, nan where a row of weights is empty.

    The middle value, or the mean of the two middle ones, as `numpy.median` of the values written out.
    """
    order = np.argsort(values, kind="stable")
    ranked, running = values[order], np.cumsum(weights[:, order], axis=1)
    total = running[:, -1]
    lower = (running > ((total - 1) // 2)[:, None]).argmax(axis=1)
    upper = (running > (total // 2)[:, None]).argmax(axis=1)
    return np.where(total > 0, (ranked[lower] + ranked[upper]) / 2, np.nan)


def _share(hits: pd.Series, patients: pd.Series, rng: np.random.Generator, resamples: int, level: float) -> Estimate:
    if not len(hits):
        return undefined("no answer")
    resample = resample_patients(list(patients), rng, resamples)
    return bootstrap_mean(hits.to_numpy(dtype=float), np.ones(len(hits)), resample, level)


def _option(data: pd.DataFrame, option: str | int, **how: Any) -> dict[str, Any]:
    given = data[data["status"] == "answered"]
    hits = given["chosen"] == option
    return {"count": int(hits.sum())} | flat("share", _share(hits, given["patient"], **how))


def _right(data: pd.DataFrame, **how: Any) -> dict[str, Any]:
    scored = data[data["right"].notna()]
    return flat("right", _share(scored["right"], scored["patient"], **how))


def _seen(data: pd.DataFrame, name: str, **how: Any) -> dict[str, Any]:
    given = data[data[name].notna()]
    return flat(name, _share(given[name], given["patient"], **how))


def _marked(data: pd.DataFrame, marks: pd.DataFrame, image: str, **how: Any) -> dict[str, Any]:
    given = data[data["status"] == "answered"]
    own = marks[marks["image"] == image]
    key = ["reader", "pair", "position"]
    with_mark = pd.MultiIndex.from_frame(given[key]).isin(pd.MultiIndex.from_frame(own[key])) if len(own) else None
    hits = pd.Series(False if with_mark is None else with_mark, index=given.index, dtype=bool)
    area = float(own["area"].mean()) if len(own) and (own["shape"] != "point").all() else None
    share = flat("with_mark", _share(hits, given["patient"], **how))
    return {"image": image, "marks": len(own)} | share | {"area": area}
