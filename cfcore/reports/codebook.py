"""Readings as a tidy CSV, and the codebook that says what each column means."""

import csv
import io
from collections.abc import Iterable

import pandas as pd

from cfcore.reports.tidy import EXTRAS, LONG_COLUMNS, to_csv
from cfcore.study.protocol import Protocol

_SIDES = "A, B"
_BOOLEAN = "true, false, empty where not assessed"


def tidy_csv(decoded: pd.DataFrame) -> str:
    """A decoded table (of findings or of ratings) as CSV: UTF-8 text, comma, LF, one header line, empty for
    missing.

    Booleans are written true and false. A text that a spreadsheet would run as a formula gets a leading
    apostrophe.
    """
    frame = decoded.copy()
    for name in frame.columns:
        kind = frame[name].dtype
        if pd.api.types.is_bool_dtype(kind):
            frame[name] = frame[name].map({True: "true", False: "false"}).astype(object)
        elif pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
            frame[name] = frame[name].map(_harmless, na_action="ignore")
    return frame.to_csv(index=False, lineterminator="\n")


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def codebook(protocol: Protocol) -> str:
    """The codebook as CSV: column, meaning, values, unit; one line per column of both tables, then one per
    finding, rating and arm with its wording."""
    rows: list[tuple[str, str, str, str]] = [
        ("reader", "The reader, by the label of this study", "text", ""),
        ("arm", "The arm (eigenvector and sign, or method) that the pair belongs to", _keys(protocol.arms), ""),
        ("patient", "The patient, numbered within this study", "text", ""),
        ("pair", "The original/counterfactual pair, numbered within this study", "text", ""),
        (
            "purpose",
            "Why the pair was read: first reading, repeat of an earlier pair, or control of two identical images; "
            "only first readings enter prevalence and agreement between readers",
            "reading, repeat, control",
            "",
        ),
        ("position", "Place of the case in the reader's own order", "0, 1, 2, ...", "cases"),
        ("original_side", f"Side on which {_reference(protocol)} stood, drawn at random", _SIDES, ""),
        ("finding", "The finding that was asked for", _keys(protocol.findings), ""),
        (
            "answer",
            "The answer as given, before decoding",
            "A (in A only), B (in B only), both, neither, cannot (assess), empty where none was given",
            "",
        ),
        ("status", "Whether the answer can be used", "assessed, cannot, missing", ""),
        ("in_original", f"The finding was seen in {_reference(protocol)}", _BOOLEAN, ""),
        ("in_counterfactual", "The finding was seen in the counterfactual", _BOOLEAN, ""),
        ("appears", "Seen in the counterfactual and not in the original", _BOOLEAN, ""),
        ("disappears", "Seen in the original and not in the counterfactual", _BOOLEAN, ""),
        ("seconds", "Time that the case was open before it was saved complete", "0 or more, empty if unknown", "s"),
        ("rating", "The rating that was asked for (table of ratings)", _keys(protocol.ratings), ""),
        ("value", "The rating given (table of ratings)", "1 to the number of points, empty where none was given", ""),
    ]
    rows += [(name, *LONG_COLUMNS[name]) for name in EXTRAS]
    rows += [(f"finding = {f.key}", f.label, f"{f.kind} finding", "") for f in protocol.findings]
    rows += [
        (f"rating = {r.key}", r.question, f"1 ({r.low}) to {r.points} ({r.high})", "points") for r in protocol.ratings
    ]
    rows += [(f"arm = {a.key}", a.name, f"degree {protocol.degree:g}", "") for a in protocol.arms]
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("column", "meaning", "values", "unit"))
    writer.writerows([[_harmless(cell) for cell in row] for row in rows])
    return target.getvalue()


def codebook_long(protocol: Protocol) -> str:
    """The codebook of the long table (`cfcore.reports.tidy`) as CSV: column, meaning, values, unit; a line per column,
    then one per finding, rating, further question and arm with its wording."""
    rows: list[tuple[str, str, str, str]] = [(name, *told) for name, told in LONG_COLUMNS.items()]
    rows += [(f"question = {f.key}", f.label, f"{f.kind} finding", "") for f in protocol.findings]
    rows += [
        (f"question = {r.key}", r.question, f"1 ({r.low}) to {r.points} ({r.high})", "points") for r in protocol.ratings
    ]
    for question in protocol.questions:
        values = ", ".join(map(str, question.values())) or question.kind
        rows.append((f"question = {question.key}", question.text, values, ""))
    rows += [(f"arm = {a.key}", a.name, f"degree {protocol.degree_of(a):g}", "") for a in protocol.arms]
    return to_csv(pd.DataFrame(rows, columns=["column", "meaning", "values", "unit"]))


def _keys(items: Iterable[object]) -> str:
    return ", ".join(str(getattr(item, "key", item)) for item in items)


def _reference(protocol: Protocol) -> str:
    return "the original" if protocol.reference == "original" else "the reconstruction of the original"
