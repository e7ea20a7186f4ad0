"""Syntax that reads the long table into R and SPSS with the labels of its columns and values."""

from collections.abc import Mapping, Sequence

from cfcore.reports.tidy import BOOLEANS, LONG_COLUMNS
from cfcore.study.protocol import Protocol
from cfcore.wording import direction_name

CSV = "readings-long.csv"
_INTEGERS = ("seed", "arm_number", "position", "points")
_NUMBERS = ("value", "seconds")
_ANSWERS = {"A": "seen in A only", "B": "seen in B only", "both": "seen in both", "neither": "seen in neither",
            "cannot": "cannot assess"}  # fmt: skip
_STATUS = {"assessed": "assessed", "cannot": "cannot assess", "missing": "no answer"}
_PURPOSES = {"reading": "first reading", "repeat": "repeat", "control": "control", "series": "after an arm",
             "guess": "guess of the generated side"}  # fmt: skip


def value_labels(protocol: Protocol) -> dict[str, dict[str, str]]:
    """Column -> value -> label, for every column whose values are codes."""
    questions = {f.key: f.label for f in protocol.findings} | {r.key: r.question for r in protocol.ratings}
    questions |= {question.key: question.text for question in protocol.questions}
    return {
        "arm": {arm.key: direction_name(arm.name) for arm in protocol.arms},
        "question": questions,
        "status": _STATUS,
        "purpose": _PURPOSES,
    }


def r_syntax(protocol: Protocol) -> str:
    """An R script that reads the long table beside it into the data frame `readings`, needing no package."""
    kinds = [f'  {name} = "{_r_kind(name)}"' for name in LONG_COLUMNS]
    lines = [
        "# Reads the long table of a cfreader study with types and labels. Run it in the folder of the table.",
        f"# Study: {_one_line(protocol.title)}",
        "readings <- read.csv(",
        f'  "{CSV}", encoding = "UTF-8", na.strings = "", check.names = FALSE, stringsAsFactors = FALSE,',
        "  colClasses = c(",
        ",\n".join(f"  {kind}" for kind in kinds),
        "  )",
        ")",
        "# A text that a spreadsheet would run as a formula carries an apostrophe.",
        "texts <- vapply(readings, is.character, TRUE)",
        'readings[texts] <- lapply(readings[texts], function(x) sub("^\'([=+@\\t\\r-])", "\\\\1", x))',
        f'for (name in c({_quoted(BOOLEANS)})) readings[[name]] <- readings[[name]] == "true"',
    ]
    for column, labels in value_labels(protocol).items():
        lines += [
            f"readings${column}_label <- factor(",
            f"  readings${column},",
            f"  levels = c({_quoted(labels)}),",
            f"  labels = c({_quoted(_distinct(labels))})",
            ")",
        ]
    lines += [f'attr(readings${name}, "label") <- {_r(meaning)}' for name, (meaning, _, _) in LONG_COLUMNS.items()]
    return "\n".join(lines) + "\n"


def _r_kind(name: str) -> str:
    return "integer" if name in _INTEGERS else "numeric" if name in _NUMBERS else "character"


def _r(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("\r", " ")
    return f'"{escaped}"'


def _quoted(texts: Mapping[str, str] | Sequence[str]) -> str:
    return ", ".join(_r(text) for text in texts)


def _distinct(labels: Mapping[str, str]) -> list[str]:
    """Labels that differ, as a factor wants them."""
    values = list(labels.values())
    return [f"{v} ({k})" if values.count(v) > 1 else v for k, v in labels.items()]


def spss_syntax(protocol: Protocol) -> str:
    """SPSS syntax (also read by PSPP) that reads the long table with variable and value labels."""
    variables = [f"  {name} {_spss_format(name)}" for name in LONG_COLUMNS]
    lines = [
        "* Encoding: UTF-8.",
        "* Reads the long table of a cfreader study; run it in the folder of the table.",
        f"* Study: {_one_line(protocol.title).rstrip('.')}.",
        "GET DATA",
        "  /TYPE=TXT",
        f'  /FILE="{CSV}"',
        '  /ENCODING="UTF8"',
        "  /ARRANGEMENT=DELIMITED",
        '  /DELIMITERS=","',
        "  /QUALIFIER='\"'",
        "  /FIRSTCASE=2",
        "  /VARIABLES=",
        *variables,
        "  .",
        "VARIABLE LABELS",
        *[f"  {name} {_spss(meaning[:255])}" for name, (meaning, _, _) in LONG_COLUMNS.items()],
        "  .",
    ]
    for column, labels in (value_labels(protocol) | {"answer": _ANSWERS}).items():
        values = [f"  {_spss(value)} {_spss(label[:120])}" for value, label in labels.items()]
        lines += ["VALUE LABELS", f"  {column}", *values, "  ."]
    for name in BOOLEANS:
        lines += ["VALUE LABELS", f"  {name} 'true' 'yes' 'false' 'no'", "  ."]
    return "\n".join([*lines, "EXECUTE."]) + "\n"


def _spss_format(name: str) -> str:
    if name in _INTEGERS:
        return "F8.0"
    if name in _NUMBERS:
        return "F12.3"
    return "A2000" if name == "answer" else "A5" if name in BOOLEANS else "A255" if name == "label" else "A64"


def _spss(text: str) -> str:
    plain = _one_line(text).replace("'", "''")
    return f"'{plain}'"


def _one_line(text: str) -> str:
    return " ".join(text.split())
