"""A study with everything in it: first readings, repeats, controls, guesses, ratings, a further question, comments."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from cfcore.reports.others import answers_table
from cfcore.reports.tables import Questions
from cfcore.study.analysis_plan import AnalysisPlan, Hypothesis
from cfcore.study.decode import decode_ratings, decode_readings
from cfcore.study.design.choices import Control, Design, Repeats
from cfcore.study.protocol import Protocol
from cfcore.study.questions import Likert
from tests.cfcore.reports.conftest import ARMS, FINDINGS, PROTOCOL, simulated_rows

EXTRAS = ("simulated", "pair_kind", "source_class", "flipped")
SURE = Likert(key="sure", text="How sure are you, “all in all”?\nNow", low="=not", high="very, very")
PLAN = AnalysisPlan(
    "Does the heart widen under v17 +?", "ctr", contrast=("v17+",), looks=(0.5, 1.0),
    family=(Hypothesis("ctr", ("v17+",)), Hypothesis("ctr", ("v17+", "v2-")), Hypothesis("realism", ("v2-", "v17+"))),
)  # fmt: skip
WHOLE: Protocol = dataclasses.replace(
    PROTOCOL, analysis=PLAN, questions=(SURE,), controls=(Control("identical", 2), Control("patients", 1)),
    repeats=Repeats(2, 3), guess_share=0.1, design=Design(readers=3),
)  # fmt: skip
ASKED = Questions(WHOLE.findings, WHOLE.ratings, WHOLE.arms, WHOLE.analysis, WHOLE.questions)


def trials() -> list[dict[str, Any]]:
    """Simulated first readings, then for each reader two repeats, three controls and a guess."""
    rng = np.random.default_rng(5)
    rows = []
    for row in simulated_rows():
        rows.append(row | {"purpose": "reading", "pair_kind": "counterfactual", "flipped": row["pair"] % 2 == 0})
    for reader in ("R1", "R2", "R3"):
        own = [row for row in rows if row["reader"] == reader]
        last = max(row["position"] for row in own)
        for i, row in enumerate(own[:2], 1):
            rows.append(row | {"purpose": "repeat", "position": last + i})
        for i, kind in enumerate(("identical", "identical", "patients"), 3):
            answers = {f.key: "A" if (i, f.key) == (3, "ctr") else "both" for f in FINDINGS}
            about = {"reader": reader, "arm": kind, "patient": f"K{i}", "pair": 100 + i, "original_side": "B"}
            rows.append(
                about | {"purpose": "control", "position": last + i, "answers": answers, "ratings": {}, "seconds": 4.0}
                | {"pair_kind": kind, "flipped": None}
            )  # fmt: skip
        guess = own[0] | {"purpose": "guess", "position": last + 6, "answers": {}, "ratings": {}}
        rows.append(guess | {"given": {"guess": ("A", "B", "unsure")[int(rng.integers(3))]}})
    return [row | {"simulated": row["reader"] == "R3", "source_class": "Healthy"} for row in rows]


def whole_study() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """decoded, rated and answers, as `services.results` makes them."""
    rows = trials()
    read = [row for row in rows if row["purpose"] in ("reading", "repeat", "control")]
    decoded = decode_readings(read, [f.key for f in FINDINGS])
    rated = decode_ratings(read, [r.key for r in WHOLE.ratings])
    return with_extras(decoded, read), with_extras(rated, read), answers_table(list(answers(rows)))


def with_extras(table: pd.DataFrame, rows: list[dict[str, Any]]) -> pd.DataFrame:
    by_trial = {(row["reader"], row["position"]): row for row in rows}
    found = [by_trial[key] for key in zip(table["reader"], table["position"], strict=True)]
    extra = {name: [row[name] for row in found] for name in EXTRAS}
    return table.assign(**extra).astype({"simulated": "boolean", "flipped": "boolean"})


def answers(rows: list[dict[str, Any]]) -> Any:
    columns = ("reader", "arm", "patient", "pair", "purpose", "position", "original_side", "seconds", *EXTRAS)
    for i, row in enumerate(rows):
        trial = {name: row.get(name) for name in columns}
        if row["purpose"] == "guess":
            about = {"question": "guess", "kind": "choice", "label": "Which?", "value": None}
            yield trial | about | {"answer": row["given"]["guess"]}
        elif row["purpose"] == "reading":
            value = None if i % 7 == 0 else 1 + i % 5
            about = {"question": "sure", "kind": "likert", "label": SURE.text}
            yield trial | about | {"answer": None if value is None else str(value), "value": value}
            if i % 5 == 0:
                said = {"question": "comment", "kind": "comment", "label": "Comment", "value": None}
                yield trial | said | {"answer": "=HYPERLINK(1), “שלום” 🙂\n'-quoted"}


__all__ = ["ARMS", "ASKED", "PLAN", "WHOLE", "trials", "whole_study"]
