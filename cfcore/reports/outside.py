"""Two sections of the report: raw results beside adjudicated ones, and readers scored against reference answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cfcore.reports.charts import interval_points
from cfcore.reports.figures import GRID, axis_title, folded, plain
from cfcore.reports.footnotes import Footnotes
from cfcore.reports.interactive import Figure
from cfcore.reports.numbers import decimal, number, percent, spread
from cfcore.study.adjudicated import ADJUDICATED, COMPARED, PLACES
from cfcore.study.protocol import Protocol
from cfcore.wording import counted, direction_name

Tables = Mapping[str, pd.DataFrame]
SHARES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")
_PLACE_WORDS = {
    "original": "original only",
    "counterfactual": "counterfactual only",
    "both": "both",
    "neither": "neither",
    "cannot": "cannot assess",
}


def adjudication_block(protocol: Protocol, tables: Tables) -> dict[str, Any] | None:
    """What the section on adjudication shows; None without a decision. tables: `services.report.outside` by name."""
    if "adjudicated" not in tables:
        return None
    notes = Footnotes()
    decisions = _records(tables["adjudicated"])
    compared = _records(tables["adjudicated-findings"])
    return {
        "said": _sentence(decisions, compared),
        "rows": _compared(protocol, compared, notes),
        "readers": [
            row
            | {
                "differed_of": f"{row['differed']} of {row['answers']}",
                "cases_of": f"{row['cases_differed']} of {row['cases']}",
            }
            for row in _records(tables["adjudicated-readers"])
        ],
        "decisions": [_decision(protocol, row) for row in decisions],
        "notes": notes.items(),
    }


def _sentence(decisions: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]]) -> str:
    answers = sum(int(row["pairs"]) for row in compared)
    disputed = sum(int(row["disputed"]) for row in compared)
    cases = len({row["pair"] for row in decisions})
    chairs = len({row["chair"] for row in decisions})
    undecided = sum(int(row["undecided"]) for row in compared)
    left = f" {counted(undecided, 'disagreement')} stayed undecided and is in no adjudicated number."
    who = "One chair" if chairs == 1 else counted(chairs, "chair").capitalize()
    return (
        f"Readers differed on {disputed} of {answers} questions about a finding of a case. {who}, blind to readers, "
        f"arms and sides, decided {len(decisions)} of them in {counted(cases, 'case')}, with a reason for each case. "
        f"Raw answers are unchanged.{left if undecided else ''}"
    )


def _compared(protocol: Protocol, rows: Sequence[Mapping[str, Any]], notes: Footnotes) -> list[dict[str, Any]]:
    found, last = [], None
    for row in rows:
        found.append(
            {
                "label": row["label"] if row["finding"] != last else "",
                "span": len(protocol.arms),
                "arm": direction_name(str(row["arm_name"])),
                "counts": [row[name] for name in ("pairs", "disputed", "decided")],
                "cells": [
                    [_cell(row, f"{kind}_{name}", notes) for kind in ("raw", "adjudicated")] for name in COMPARED
                ],
            }
        )
        last = row["finding"]
    return found


def _decision(protocol: Protocol, row: Mapping[str, Any]) -> dict[str, Any]:
    labels = {finding.key: finding.label for finding in protocol.findings}
    arms = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    said = [
        f"{_PLACE_WORDS[place]}: {row[f'said_{place}']}" for place in PLACES if isinstance(row[f"said_{place}"], str)
        and row[f"said_{place}"]
    ]  # fmt: skip
    return {
        "pair": row["pair"],
        "arm": arms.get(row["arm"], row["arm"]),
        "finding": labels.get(row["finding"], row["finding"]),
        "said": "; ".join(said),
        "decided": _PLACE_WORDS[row["decided"]],
        "reason": row["reason"],
    }


def accuracy_block(protocol: Protocol, tables: Tables) -> dict[str, Any] | None:
    """What the section on accuracy shows; None without a score. tables: as `adjudication_block`."""
    labels = {finding.key: finding.label for finding in protocol.findings}
    questions = {question.key: question.text for question in protocol.questions}
    notes = Footnotes()
    blocks = []
    for name, head, of in (
        ("scores-by-reader", "Reader", "reader"),
        ("scores-by-finding", "Finding", "finding"),
        ("single-scores", "Reader", "reader"),
    ):
        rows = _records(tables.get(name, pd.DataFrame()))
        if rows:
            named = [{"name": labels.get(row[of], row[of]), "mark": row[of] == ADJUDICATED} | row for row in rows]
            blocks.append({"key": name, "head": head, "rows": [_scored(row, notes) for row in named]})
    told = [
        {
            "reader": row["reader"],
            "question": questions.get(row["question"], row["question"]),
            "right": f"{row['correct']} of {row['n']}",
            "share": percent(row["correct"] / row["n"] if row["n"] else None),
            "d": {
                "value": decimal(row["d_prime"]),
                "interval": spread({"d_low": row["low"], "d_high": row["high"]}, "d"),
                "mark": notes.mark(row["note"]),
            },
        }
        for row in _records(tables.get("real-or-generated", pd.DataFrame()))
    ]
    if not blocks and not told:
        return None
    return {"blocks": blocks, "d_prime": told, "notes": notes.items(), "reference": _reference(tables)}


def _reference(tables: Tables) -> str:
    table = tables.get("reference-answers")
    if table is None:
        return ""
    present = int(table["present"].astype(bool).sum())
    return (
        f"{counted(len(table), 'reference answer')} on {counted(table['pair'].nunique(), 'original')}, "
        f"{present} with the finding."
    )


def _scored(row: Mapping[str, Any], notes: Footnotes) -> dict[str, Any]:
    return {
        "name": row["name"],
        "adjudicated": row["mark"],
        "counts": [row[name] for name in ("readings", "positive", "negative", "not_assessed")],
        "cells": [_cell(row, name, notes) for name in SHARES] + [_cell(row, "auc", notes, share=False)],
    }


def _cell(row: Mapping[str, Any], name: str, notes: Footnotes, *, share: bool = True) -> dict[str, Any]:
    return {
        "value": percent(row[name]) if share else decimal(row[name]),
        "interval": spread(row, name, share=share),
        "mark": notes.of(row, name),
    }


def outside_figures(tables: Tables) -> list[Figure]:
    """Sensitivity and specificity of each reader with their intervals; nothing without scores."""
    if "scores-by-reader" not in tables:
        return []
    return [
        Figure(
            "sensitivity-specificity",
            "Sensitivity and specificity of each reader",
            "Sensitivity and specificity of each reader on originals over all findings, 95 % interval; “adjudicated” "
            "is what readers agreed on, or the chair decided.",
            accuracy_forest(tables["scores-by-reader"]),
        )
    ]


def accuracy_forest(table: pd.DataFrame) -> go.Figure:
    """Readers from top to bottom, sensitivity above specificity. table: `accuracy_table` by reader."""
    rows = _records(table)
    figure = go.Figure()
    for j, name in enumerate(("sensitivity", "specificity")):
        known = [(i, row) for i, row in enumerate(rows) if number(row[name]) is not None]
        interval_points(
            figure,
            name.capitalize(),
            j,
            [(row, name, i + (j - 0.5) * 0.3, f"{row['reader']}: {percent(row[name])}") for i, row in known],
        )
    plain(figure, 100 + 46 * len(rows))
    figure.update_xaxes(
        range=[-0.02, 1.03], tickvals=[0, 0.25, 0.5, 0.75, 1], ticktext=["0", "25", "50", "75", "100"],
        gridcolor=GRID, title=axis_title("Per cent"),
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[folded(str(row["reader"])) for row in rows],
    )
    return figure


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
