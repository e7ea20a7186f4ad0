"""Tables of further questions and of single images, recounted (`tests.services.recount`)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pandas as pd

from tests.services.recount import SIDED, Export, Numbers, Row, mean

SINGLE = "Findings in single images"


def asked(export: Export, key: str, row: Row) -> tuple[pd.DataFrame, Numbers]:
    """First answers to a question under one arm, and the counts that all tables of questions begin with."""
    long = export.long
    own = long[(long["question"] == key) & (long["arm"] == row["arm"])]
    own = own[own["purpose"].isin(["reading", "series", "single"])]
    question = export.questions[key]
    shown = pd.Series(True, index=own.index)
    if condition := question.get("only_if"):
        before = long[long["question"] == condition["question"]].set_index(["reader", "position"])["answer"]
        earlier = [before.get((r, p), "") for r, p in zip(own["reader"], own["position"], strict=True)]
        shown = pd.Series([answer in condition["values"] for answer in earlier], index=own.index)
    given = own[shown & (own["answer"] != "")]
    return given, {
        "readings": len(given),
        "missing": int((shown & (own["answer"] == "")).sum()),
        "not_asked": int((~shown).sum()),
        "readers": given["reader"].nunique(),
        "patients": given["patient"].nunique(),
    }


def numbers(values: pd.Series) -> Numbers:
    return {"mean": values.mean(), "median": values.median(), "sd": values.std(ddof=1)}


def scale(export: Export, key: str, row: Row) -> Numbers:
    given, counts = asked(export, key, row)
    return counts | numbers(given["value"])


def confidence(export: Export, key: str, row: Row) -> Numbers:
    given, _ = asked(export, key, row)
    told = [json.loads(answer).get(row["finding"]) for answer in given["answer"]]
    own = given.assign(value=told).dropna(subset=["value"])
    counts = {"readings": len(own), "missing": 0, "not_asked": 0}
    counts |= {"readers": own["reader"].nunique(), "patients": own["patient"].nunique()}
    return counts | numbers(own["value"].astype(float))


def forced_choice(export: Export, key: str, row: Row) -> Numbers:
    given, counts = asked(export, key, row)
    generated = given["answer"] != given["original_side"]
    balance = (2 * generated.astype(int) - 1).groupby(given["patient"]).sum()
    flips = itertools.product((-1, 1), repeat=len(balance))
    p = mean(abs(sum(s * b for s, b in zip(signs, balance, strict=True))) >= abs(balance.sum()) for signs in flips)
    found = counts | {"share": mean(generated), "p": p}
    right = export.questions[key].get("right")
    return found | ({"right": mean(generated == (right == "counterfactual"))} if right else {})


def option(export: Export, key: str, row: Row) -> Numbers:
    given, counts = asked(export, key, row)
    question = export.questions[key]
    known = given[given["answer"] != "cannot"]
    found = counts | {"count": int((known["answer"] == row["option"]).sum())}
    found["share"] = mean(known["answer"] == row["option"])
    if question["kind"] == "presence":
        found["cannot"] = len(given) - len(known)
    if question["kind"] == "choice" and (
        question.get("right_for_original") or question.get("right_for_counterfactual")
    ):
        alone = known[known["purpose"] == "single"]
        wanted = alone["original_side"].map(
            {"A": question["right_for_original"], "B": question["right_for_counterfactual"]}
        )
        found["right"] = mean(alone["answer"] == wanted)
    return found


def sides(export: Export, key: str, row: Row) -> Numbers:
    given, counts = asked(export, key, row)
    known = given[given["answer"] != "cannot"]
    both, own = known["answer"] == "both", known["answer"] == known["original_side"]
    other = known["answer"].isin(SIDED) & ~own
    return counts | {
        "cannot": len(given) - len(known),
        "in_original": mean(both | own),
        "in_counterfactual": mean(both | other),
    }


def boxes(export: Export, key: str, row: Row) -> Numbers:
    given, counts = asked(export, key, row)
    drawn, with_mark = [], []
    for answer, side in zip(given["answer"], given["original_side"], strict=True):
        wanted = [m for m in json.loads(answer) if (m["side"] == side) == (row["image"] == "original")]
        with_mark.append(bool(wanted))
        drawn += [abs((b[0] - a[0]) * (b[1] - a[1])) for m in wanted for a, b in [m["points"]]]
    return counts | {"marks": len(drawn), "with_mark": mean(with_mark), "area": mean(drawn)}


def single_images(export: Export, key: str, row: Row) -> Numbers:
    long = export.long
    own = long[(long["purpose"] == "single") & (long["kind"] == "presence") & (long["label"] == row["finding"])]
    own = own[own["arm"] == row["arm"]]
    known = own[own["answer"].isin(["present", "absent"])]
    shares = {side: mean(known.loc[known["original_side"] == side, "answer"] == "present") for side in SIDED}
    return {
        "originals": int((known["original_side"] == "A").sum()),
        "counterfactuals": int((known["original_side"] == "B").sum()),
        "cannot": int((own["answer"] == "cannot").sum()),
        "missing": int((own["answer"] == "").sum()),
        "readers": known["reader"].nunique(),
        "patients": known["patient"].nunique(),
        "prevalence_original": shares["A"],
        "prevalence_counterfactual": shares["B"],
        "difference": shares["B"] - shares["A"],
    }


def texts(export: Export, key: str, row: Row) -> Numbers:
    """A list of what was written, without a number."""
    given, _ = asked(export, key, row)
    own = given[(given["reader"] == row["reader"]) & (given["pair"] == row["pair"])]
    assert list(own["answer"]) == [row["text"]]
    return {}


KINDS: dict[str, Callable[[Export, str, Row], Numbers]] = {
    "likert": scale, "vas": scale, "number": scale, "confidence": confidence, "forced_choice": forced_choice,
    "same": option, "choice": option, "presence": option, "sides": sides, "mark": boxes, "text": texts,
}  # fmt: skip
