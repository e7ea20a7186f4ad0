"""The parts of the report that tests and controls fill: hypotheses, comparisons, checks of the readers, figures."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cfcore.reports.charts import (
    comparison_forest,
    contrast_name,
    difference_forest,
    majority_table,
    p_value,
    prevalence_slopes,
    reader_pairs_heat,
)
from cfcore.reports.figures import agreement_forest, findings_heat, time_per_case
from cfcore.reports.interactive import Figure
from cfcore.reports.numbers import decimal, number, percent, spread, with_spread
from cfcore.reports.tables import StudyTables
from cfcore.study.analysis_plan import AnalysisPlan
from cfcore.study.protocol import Protocol
from cfcore.study.questions import ForcedChoice, Question
from cfcore.wording import direction_name

# Beyond this many lines a forest of comparisons cannot be read; the table has them all.
MOST_LINES = 24
ONCE_PER_ARM = (
    "Asked once per arm, after its cases: one answer a reader, about all patients together, and so no interval over "
    "patients."
)
STRENGTHS = (
    "Ranking, most often preferred first: each arm’s counterfactuals, and the originals, which count as one method for "
    "all arms, so that arms can be ranked that never stood side by side. Chance of being chosen: beside an image of "
    "another row, any row alike; 50 % is neither preferred nor passed over. Strength: the same on the scale of log "
    "odds, 0 on average (Bradley and Terry)."
)
REAL = "Here an arm as strong as the originals is one whose counterfactuals are taken for real as often."
REPEATED = (
    "Pairs that a reader rated twice, the sides drawn anew. ICC and kappa (with quadratic weights): 1 where every "
    "repeat equals the first rating, 0 where it is no closer than chance (with few pairs an ICC can fall below −1). "
    "Difference, first rating minus repeat, and limits within which 95 % of such differences lie (Bland and Altman), "
    "in points of the scale. In brackets 95 % intervals; of the limits, one each."
)
REPEATED_HEADS = (
    "Reader", "Rating", "Pairs rated twice", "ICC(2,1)", "Weighted kappa", "Mean difference",
    "95 % limits of agreement",
)  # fmt: skip
CONTROL_WORDS = {
    "identical": "Identical images",
    "reconstruction": "Original against reconstruction",
    "filter": "Original against a plain filter",
    "patients": "Two different patients",
}
# Columns of the tables of questions: shares in [0, 1], counts that are shown where there is anything to count, and
# names that are no words.
_SHARES = frozenset(
    (
        "share", "right", "with_mark", "in_original", "in_counterfactual", "prevalence_original",
        "prevalence_counterfactual", "difference", "chance",
    )
)  # fmt: skip
_WHERE_ANY = frozenset(("missing", "not_asked", "cannot", "area"))
_HEADS = {
    "arm_name": "Arm",
    "missing": "No answer",
    "cannot": "Cannot assess",
    "option": "Answer",
    "sd": "SD",
    "p": "p",
    "with_mark": "Readings with a mark",
    "area": "Mean area, pixels",
    "in_original": "In originals",
    "in_counterfactual": "In counterfactuals",
    "prevalence_original": "In originals",
    "prevalence_counterfactual": "In counterfactuals",
    "duels": "Shown",
    "wins": "Chosen",
    "strength": "Strength (log odds)",
    "chance": "Chance of being chosen",
}
# A share that is of something else than an answer in a column of its own.
_HEADS_OF: dict[type[Question], dict[str, str]] = {
    ForcedChoice: {"share": "Counterfactual chosen", "p": "p (of one half)", "right": "Right answers"}
}
_COUNT = re.compile(r"[\d ]*")


def study_figures(protocol: Protocol, tables: StudyTables, decoded: pd.DataFrame | None) -> list[Figure]:
    """Every figure of a study that has readings; an empty list where there are none."""
    if not len(tables.findings) or not tables.headline.readings_done:
        return []
    named = tables.findings.assign(arm_name=[direction_name(name) for name in tables.findings["arm_name"]])
    found = [
        Figure(
            "findings",
            "Share of readings in which each finding appears",
            "Share of readings in which the finding appears, 95 % bootstrap interval over patients. Tick: seen by the "
            "majority of readers in the majority of cases. Fainter where readers disagree (AC1 below 0.4).",
            findings_heat(named),
        ),
        Figure(
            "table-2",
            "What the majority saw",
            "Table 2 of the StylEx study: a tick where the majority of readers saw the finding in the majority of "
            "cases; "
            "the darker, the higher the raw agreement (below it, with the number of readings n).",
            majority_table(named),
        ),
        Figure(
            "difference",
            "Prevalence in counterfactuals minus prevalence in originals",
            "Prevalence in counterfactuals minus that in originals, as seen in pairs, 95 % bootstrap interval over "
            "patients.",
            difference_forest(named),
        ),
        Figure(
            "slopes",
            "Prevalence in originals and counterfactuals",
            "Prevalence as seen in pairs, in originals and in counterfactuals of the same patients.",
            prevalence_slopes(named),
        ),
        Figure(
            "ac1",
            "Agreement between readers (Gwet AC1)",
            "Agreement beyond chance on what appears (Gwet AC1), 95 % bootstrap interval over patients.",
            agreement_forest(named),
        ),
    ]
    if len(tables.pairs_of_readers):
        found.append(
            Figure(
                "pairs-of-readers",
                "Agreement of each pair of readers",
                "Cohen’s kappa of each pair of readers over all findings, 95 % bootstrap interval over patients.",
                reader_pairs_heat(tables.pairs_of_readers),
            )
        )
    compared = named_comparisons(protocol, tables.comparisons)
    # Where one of two arms has no reading yet there is nothing to draw.
    if len(compared) <= MOST_LINES and compared["difference"].notna().any():
        found.append(
            Figure(
                "comparisons",
                "Differences between arms",
                "Difference of the shares in which a finding appears, second arm minus first, 95 % bootstrap "
                "interval over "
                "patients, p corrected by Benjamini-Hochberg; exploratory.",
                comparison_forest(compared),
            )
        )
    if decoded is not None and decoded["seconds"].notna().any():
        found.append(
            Figure(
                "times",
                "Time per case",
                "Seconds of each case in the reader’s own order, with the reader’s median as a dotted line.",
                time_per_case(decoded[decoded["purpose"] == "reading"]),
            )
        )
    return found


def named_comparisons(protocol: Protocol, table: pd.DataFrame) -> pd.DataFrame:
    """`compare_arms` with the names of the arms as first_name and second_name."""
    names = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    return table.assign(first_name=table["first"].map(names), second_name=table["second"].map(names))


def confirmatory_rows(protocol: Protocol, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The locked family in words: question, both values, difference, p, what follows."""
    asked = {f.key: f.label for f in protocol.findings} | {r.key: r.question for r in protocol.ratings}
    plan = protocol.analysis
    rows = []
    for row in _records(table):
        share = row["estimand"] != "rating"
        rows.append(
            {
                "primary": row["primary"],
                "label": asked.get(row["finding"], row["finding"]),
                "contrast": contrast_words(protocol, row["arms"]),
                "values": f"{_value(row['value_second'], share)} against {_value(row['value_first'], share)}",
                "difference": _value(row["difference"], share),
                "interval": spread(row, "difference", share=share),
                "patients": row["patients"],
                "readings": row["readings"],
                "test": _locked_test(row, plan) + (row["test"] or "none"),
                "p": p_value(row["p"]),
                "p_adjusted": p_value(row["p_adjusted"]),
                "supported": _supported(row, plan.alpha if plan else 0.05),
                "note": row["note"],
            }
        )
    return rows


def contrast_words(protocol: Protocol, arms: str) -> str:
    """ "v1 + against its originals", "v1 + against v2 +" for the arms of a hypothesis."""
    names = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    keys = arms.split(" against ")
    shown = [names.get(key, key) for key in keys]
    return f"{shown[0]} against its originals" if len(shown) == 1 else " against ".join(shown)


def _locked_test(row: Mapping[str, Any], plan: AnalysisPlan | None) -> str:
    """What the interval says, where the locked test of the primary hypothesis is the interval."""
    low, high = number(row["difference_low"]), number(row["difference_high"])
    if plan is None or plan.test != "interval" or not row["primary"] or low is None or high is None:
        return ""
    return f"interval {'excludes' if low > 0 or high < 0 else 'includes'} 0; "


def _supported(row: Mapping[str, Any], alpha: float) -> str:
    p = number(row["p_adjusted"])
    return "" if p is None else "yes" if p <= alpha else "no"


def _value(value: Any, share: bool) -> str:
    return percent(value) if share else decimal(value)


def comparison_rows(protocol: Protocol, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Every comparison between two arms, in the order of the checklist."""
    rows = []
    for row in _records(named_comparisons(protocol, table)):
        odds = with_spread(row, "odds_ratio")
        rows.append(
            {
                "label": row["label"],
                "contrast": contrast_name(row),
                "values": f"{percent(row['value_first'])} against {percent(row['value_second'])}",
                "difference": percent(row["difference"]),
                "interval": spread(row, "difference", share=True),
                "odds": odds,
                "patients": row["patients"],
                "readings": row["readings"],
                "test": row["test"] or "none",
                "p": p_value(row["p"]),
                "p_adjusted": p_value(row["p_adjusted"]),
                "note": row["note"],
            }
        )
    return rows


def check_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each reader's agreement with himself or herself on repeats, and false alarms on identical images."""
    return [
        {
            "reader": row["reader"],
            "repeats": row["repeats"],
            "intra": with_spread(row, "intra_reader"),
            "intra_note": row["intra_reader_note"],
            "controls": row["controls"],
            "alarms": with_spread(row, "false_alarms", share=True),
            "alarms_note": row["false_alarms_note"],
        }
        for row in _records(table)
        if row["repeats"] or row["controls"]
    ]


def repeated_rows(protocol: Protocol, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each reader's ratings of pairs read twice: how far they agree, and how far apart they are. `span`: lines of a
    reader, in the first of them, else 0."""
    asked = {rating.key: rating.question for rating in protocol.ratings}
    shown = [row for row in _records(table) if row["repeats"]]
    lines = Counter(row["reader"] for row in shown)
    return [
        {
            "reader": row["reader"],
            "span": lines.pop(row["reader"], 0),
            "question": asked.get(row["rating"], row["rating"]),
            "repeats": row["repeats"],
            "cells": [
                *({"value": with_spread(row, name), "note": row[f"{name}_note"]} for name in ("icc", "weighted_kappa")),
                {"value": with_spread(row, "bias", digits=1), "note": row["bias_note"]},
                {"value": _limits(row), "note": row["lower_note"]},
            ],
        }
        for row in shown
    ]


def _limits(row: Mapping[str, Any]) -> str:
    """ "−4.0 to 3.3 (−7.5 to −0.4; −0.2 to 6.9)": both limits of agreement, then their intervals."""
    if number(row["lower"]) is None:
        return decimal(None)
    both = f"{decimal(row['lower'], 1)} to {decimal(row['upper'], 1)}"
    intervals = [spread(row, name, digits=1) for name in ("lower", "upper")]
    return f"{both} ({'; '.join(intervals)})" if all(intervals) else both


def control_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Each kind of control: how often something was seen on one side only."""
    return [
        {
            "kind": CONTROL_WORDS.get(row["pair_kind"], row["pair_kind"]),
            "pairs": row["pairs"],
            "readers": row["readers"],
            "answers": row["answers"],
            "share": with_spread(row, "one_sided", share=True),
            "note": row["one_sided_note"],
        }
        for row in _records(table)
    ]


def blinding_rows(protocol: Protocol, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Bang's index of each arm."""
    names = {arm.key: direction_name(arm.name) for arm in protocol.arms}
    return [
        {
            "arm": names.get(row["arm"], row["arm"]),
            "counts": f"{row['right']} / {row['wrong']} / {row['unsure']}",
            "readers": row["readers"],
            "index": with_spread(row, "index"),
            "note": row["index_note"],
        }
        for row in _records(table)
    ]


def strengths_block(table: pd.DataFrame, question: Question | None) -> dict[str, Any] | None:
    """How the arms and the originals stand in a forced choice (`cfcore.study.forced_choice.strengths_table`): what must
    be said of it, column heads and rows as they are read; None for any other question."""
    if not isinstance(question, ForcedChoice):
        return None
    own = table[table["question"] == question.key]
    if own.empty:
        return None
    real = [REAL] if question.right == "original" else []
    notes = dict.fromkeys(
        f"{direction_name(row['arm_name'])}: {row['strength_note']}." for row in _records(own) if row["strength_note"]
    )
    named = own.assign(arm_name=own["arm_name"].where(own["arm"] != "", "originals, all arms"))
    heads, rows = as_read(named.drop(columns=["question", "arm"]), {})
    said = " ".join([STRENGTHS, *real, *notes])
    return {"said": said, "heads": heads, "rows": rows, "counts": count_columns(rows)}


def question_blocks(
    protocol: Protocol, tables: Mapping[str, pd.DataFrame], strengths: pd.DataFrame
) -> list[dict[str, Any]]:
    """The further questions, each with its text, what must be said of it, column heads and rows as they are read, and
    for forced choices `strengths` (`strengths_block`)."""
    asked = {question.key: question for question in protocol.questions}
    labels = {finding.key: finding.label for finding in protocol.findings}
    found = []
    for key, table in tables.items():
        question = asked.get(key)
        once = question is not None and question.ask == "series"
        shown = table.drop(columns=["arm", *(["patients"] if once else [])], errors="ignore")
        heads, rows = as_read(shown, labels, question)
        text = key if question is None else question.text
        said = ONCE_PER_ARM if once else ""
        block = {"text": text, "said": said, "heads": heads, "rows": rows, "counts": count_columns(rows)}
        found.append(block | {"strengths": strengths_block(strengths, question)})
    return found


def count_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    """Indices of the columns that hold whole numbers throughout: they stand to the right."""
    return [i for i in range(len(rows[0]) if rows else 0) if all(_COUNT.fullmatch(row[i]) for row in rows)]


def as_read(
    table: pd.DataFrame, labels: Mapping[str, str], question: Question | None = None
) -> tuple[list[str], list[list[str]]]:
    """Any table of results for people: heads and cells, an estimate with its interval in one cell. Left out are notes
    and what is 0 or empty throughout. labels: finding key -> what readers see. question: whose table it is."""
    names = [str(name) for name in table.columns if not str(name).endswith(("_low", "_high", "_note"))]
    names = [name for name in names if name not in _WHERE_ANY or table[name].fillna(0).astype(bool).any()]
    rows = []
    for row in _records(table):
        row |= {"finding": labels.get(str(row["finding"]), row["finding"])} if "finding" in row else {}
        rows.append([_cell(row, name) for name in names])
    words = _HEADS | (_HEADS_OF.get(type(question), {}) if question else {})
    return [words.get(name, name.replace("_", " ").capitalize()) for name in names], rows


def _cell(row: Mapping[str, Any], name: str) -> str:
    share = name in _SHARES and isinstance(row[name], float)
    if f"{name}_low" in row:
        return with_spread(row, name, share=share)
    return percent(row[name]) if share else _plain(row[name])


def _plain(value: Any) -> str:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, float):
        return decimal(value)
    return direction_name(str(value))


def _records(table: pd.DataFrame) -> Sequence[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
