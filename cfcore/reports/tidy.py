"""The long table: every answer of a study in one tidy CSV, from which every number of the report follows."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cfcore.reports.others import ANSWER_COLUMNS, answers_table
from cfcore.reports.tables import Questions
from cfcore.study.decode import RATING_COLUMNS, READING_COLUMNS
from cfcore.study.protocol import Arm, Finding, Protocol, Rating

# Column -> (meaning, values, unit). The codebook is made from this, so no column can go without.
LONG_COLUMNS: Mapping[str, tuple[str, str, str]] = {
    "seed": ("Seed of the study; bootstrap intervals follow from it", "0, 1, 2, ...", ""),
    "reader": ("The reader, by the label of this study", "R1, R2, ...", ""),
    "simulated": ("The reader is a program", "true, false", ""),
    "arm": ("Key of the arm (eigenvector and sign, or method) that the pair belongs to", "see arm =", ""),
    "arm_name": ("The arm as researchers read it", "text", ""),
    "arm_number": ("Place of the arm in the protocol", "1, 2, ..., empty for a control", ""),
    "patient": ("The patient, numbered within this study", "P01, P02, ...", ""),
    "pair": ("The pair of images, numbered within this study", "C01, C02, ...", ""),
    "pair_kind": (
        "What the pair is: an original with its counterfactual, or one of the controls",
        "counterfactual, identical, reconstruction, filter, patients",
        "",
    ),
    "source_class": ("Class that the classifier gave the original", "text, empty if unknown", ""),
    "flipped": ("The classifier gives the counterfactual the target class", "true, false", ""),
    "purpose": (
        "Why the pair was read; only first readings enter prevalence and agreement between readers",
        "reading (first reading), repeat, control, guess (of the generated side, at the end)",
        "",
    ),
    "position": ("Place of the case in the reader's own order", "0, 1, 2, ...", "cases"),
    "original_side": ("Side on which the original (or the reconstruction) stood, drawn at random", "A, B", ""),
    "question": ("Key of what was asked", "see finding = and rating =", ""),
    "kind": (
        "Kind of question",
        "finding, rating, comment, or a further question: sides, presence, likert, vas, forced_choice, same, choice, "
        "number, text, mark, confidence",
        "",
    ),
    "role": ("Main or secondary finding", "main, secondary, empty for other questions", ""),
    "label": ("The question as readers saw it", "text", ""),
    "low": ("Word at the lowest point of a rating", "text", ""),
    "high": ("Word at the highest point of a rating", "text", ""),
    "points": ("Number of points of a rating", "2 to 11", "points"),
    "answer": (
        "The answer as given, before decoding; text of a comment; marks as JSON",
        "for a finding A (in A only), B (in B only), both, neither, cannot (assess), empty where none was given",
        "",
    ),
    "value": ("The answer as a number: rating, scale, number", "number, empty where none was given", ""),
    "status": ("Whether the answer can be used", "assessed, cannot, missing", ""),
    "in_original": ("The finding was seen in the original", "true, false, empty where not assessed", ""),
    "in_counterfactual": ("The finding was seen in the counterfactual", "true, false, empty where not assessed", ""),
    "appears": ("Seen in the counterfactual and not in the original", "true, false, empty where not assessed", ""),
    "disappears": ("Seen in the original and not in the counterfactual", "true, false, empty where not assessed", ""),
    "seconds": ("Time that the case was open before it was saved complete", "0 or more, empty if unknown", "s"),
}
BOOLEANS = ("simulated", "flipped", "in_original", "in_counterfactual", "appears", "disappears")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONE_RETURN = re.compile(r"\r(?!\n)")
# Known of a trial beside what decoding needs.
EXTRAS = ("simulated", "pair_kind", "source_class", "flipped")


@dataclass(frozen=True)
class LongStudy:
    """A study read back from its long table: what `study_tables` takes."""

    asked: Questions
    seed: int
    decoded: pd.DataFrame
    rated: pd.DataFrame
    answers: pd.DataFrame


def long_table(
    decoded: pd.DataFrame, rated: pd.DataFrame, answers: pd.DataFrame, protocol: Protocol, seed: int
) -> pd.DataFrame:
    """One row per reader, case and question, columns `LONG_COLUMNS`; findings first, then ratings, then the rest.

    decoded, rated: as decoded, with the columns `EXTRAS` where they are known. answers: from `answers_table`, with
    the same columns, comments of kind "comment" among them.
    """
    names = {arm.key: arm.name for arm in protocol.arms}
    findings = pd.DataFrame(
        [{"question": f.key, "role": f.kind, "label": f.label} for f in protocol.findings],
        columns=["question", "role", "label"],
    )
    ratings = pd.DataFrame(
        [
            {"question": r.key, "label": r.question, "low": r.low, "high": r.high, "points": r.points}
            for r in protocol.ratings
        ],
        columns=["question", "label", "low", "high", "points"],
    )
    ticked = decoded.rename(columns={"finding": "question"}).assign(kind="finding").merge(findings, on="question")
    given = rated.rename(columns={"rating": "question"}).assign(kind="rating").merge(ratings, on="question")
    given["status"] = given["value"].isna().map({True: "missing", False: "assessed"})
    # merge keeps the order of its left table only for unique keys on the right, which these are.
    parts = [part.astype(object) for part in (ticked, given, answers) if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(LONG_COLUMNS))
    table["seed"] = seed
    table["arm_name"] = table["arm"].map(names)
    table["arm_number"] = table["arm"].map({key: i for i, key in enumerate(names, 1)}).astype("Int64")
    table = table.reindex(columns=list(LONG_COLUMNS))
    return table.astype({"position": "Int64", "points": "Int64"})


def to_csv(table: pd.DataFrame) -> str:
    """A table as CSV: UTF-8 text, comma, LF, one header line, true and false, empty for missing.

    A text that a spreadsheet would run as a formula gets a leading apostrophe, which `read_long` takes off again. A
    lone carriage return, which would end the row for many a reader of CSV, becomes a line feed.
    """
    # Column by column as objects: whole numbers with gaps would become 5.0 otherwise.
    plain = pd.DataFrame({name: pd.Series([_cell(v) for v in table[name]], dtype=object) for name in table.columns})
    return plain.to_csv(index=False, lineterminator="\n")


def harmless(text: str) -> str:
    """`text` with an apostrophe before a character that would make a spreadsheet run it as a formula, and before
    apostrophes that stand there already, so that one can always be taken off again."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _cell(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, str):
        return harmless(_LONE_RETURN.sub("\n", value))
    if value is True or value is False or type(value).__name__ in ("bool", "bool_"):
        return "true" if value else "false"
    return value


def _text(value: Any) -> Any:
    escaped = isinstance(value, str) and value[:1] == "'" and value.lstrip("'").startswith(_FORMULA)
    return value[1:] if escaped else value


def read_long(source: str) -> LongStudy:
    """A study from the text of its long table. Raises ValueError for a table that lacks a column.

    Findings, ratings and arms come in the order in which they occur.
    """
    table = pd.read_csv(
        io.StringIO(source), keep_default_na=False, na_values=[""], float_precision="round_trip", dtype=object
    )
    if lacking := [name for name in LONG_COLUMNS if name not in table.columns]:
        raise ValueError(f"The table lacks the columns {', '.join(lacking)}: export the long table again.")
    table = table.map(_text)
    for name in BOOLEANS:
        table[name] = table[name].map({"true": True, "false": False}).astype("boolean")
    table = table.astype(object).where(table.notna(), None)
    ticked, given = (table[table["kind"] == kind].reset_index(drop=True) for kind in ("finding", "rating"))
    others = table[~table["kind"].isin(["finding", "rating"])]
    arms = [(int(n), *row) for n, *row in _distinct(table, ("arm_number", "arm", "arm_name")) if n is not None]
    asked = Questions(
        tuple(Finding(*row) for row in _distinct(ticked, ("question", "label", "role"))),
        tuple(
            Rating(key, label, low, high, int(points))
            for key, label, low, high, points in _distinct(given, ("question", "label", "low", "high", "points"))
        ),
        tuple(Arm(key, name) for _, key, name in sorted(arms)),
    )
    decoded = ticked.rename(columns={"question": "finding"})[[*READING_COLUMNS, *EXTRAS]]
    rated = given.rename(columns={"question": "rating"})[[*RATING_COLUMNS, *EXTRAS]]
    seed = int(table["seed"].iloc[0]) if len(table) else 0
    answers = answers_table(
        {str(name): value for name, value in row.items()}
        for row in others[[*ANSWER_COLUMNS, *EXTRAS]].to_dict("records")
    )
    return LongStudy(asked, seed, _typed(decoded), _typed(rated), _typed(answers))


def _distinct(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(dict.fromkeys(zip(*(table[name] for name in columns), strict=True)))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers, times and booleans as `decode_readings` and `decode_ratings` have them."""
    kinds = dict.fromkeys(BOOLEANS, "boolean") | {"position": "Int64", "value": "Int64", "seconds": "Float64"}
    typed = table.copy()
    for name in typed.columns.intersection(list(kinds)):
        if kinds[name] != "boolean":
            typed[name] = pd.to_numeric(typed[name])
    return typed.astype({name: kind for name, kind in kinds.items() if name in typed.columns})
