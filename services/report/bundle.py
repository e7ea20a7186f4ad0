"""Every file that leaves the workspace with a study, and the one archive that holds them all."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from cfcore.reports.codebook import codebook_long
from cfcore.reports.html import report_figures, study_report
from cfcore.reports.imrmc import imrmc_file
from cfcore.reports.interactive import Figure
from cfcore.reports.syntax import r_syntax, spss_syntax
from cfcore.reports.tables import Questions, more_tables
from cfcore.reports.tidy import long_table, to_csv
from cfcore.reports.workbook import workbook
from cfcore.study.protocol import canonical_json
from db.models import now
from services.notebook import list_entries
from services.notebook import picture as entry_picture
from services.report.content import report_content
from services.report.manifest import manifest
from services.report.pdf import NoPdf, to_pdf
from services.report.sittings import sitting_files
from services.report.sr import REMEDY, can_write, case_files
from services.result_truth import truth_csv
from services.results import StudyResults
from services.workspace import Workspace

MAX_BYTES = 2_500_000
Progress = Callable[[float, str], None]
README = """Export of a cfreader study

report.html              the report; opens in any browser, loads nothing from elsewhere
report.pdf               the same on paper
readings-long.csv        every answer, one row per reader, case and question: every number follows from it
codebook.csv             what each column of it means
readings.R, readings.sps read it into R and SPSS (or PSPP) with labels
results.json             every table as JSON
tables/, tables.xlsx     every table, as CSV and as one workbook
figures/                 every figure as SVG
imrmc/                   a file for iMRMC for each finding (docs/report.md says what question it answers)
dicom/                   each case: both images, and a structured report (TID 1500)
sittings/                screens, how each case was looked at, lines that were measured: no number rests on them
notebook/                entries of the notebook that belong to the study
protocol.json            the protocol as it was locked (its digest is in manifest.json)
manifest.json            versions, seeds, hashes of weights, images and of every file here

Read it back in Python:  from cfcore.reports.tidy import read_long
"""


def study_files(
    workspace: Workspace, found: StudyResults, progress: Progress = lambda share, message: None
) -> tuple[dict[str, bytes], list[str]]:
    """(name -> content of every file of the export, what had to be left out and why).

    progress: called with the share done, in [0, 1], and what is being written.
    """
    notes: list[str] = []
    study = found.study
    progress(0.0, "gathering cases")
    content = report_content(workspace, found)
    figures = report_figures(content)
    files = data_files(found, content.outside)
    progress(0.2, "drawing figures")
    files |= {f"figures/{figure.key}.svg": _svg(figure) for figure in figures}
    if truth := truth_csv(workspace, found):
        files["tables/true-factors.csv"] = truth.encode()
    progress(0.3, "writing the report")
    files["report.html"] = study_report(content, max_bytes=MAX_BYTES, interactive=True).encode()
    progress(0.45, "printing the report")
    try:
        files["report.pdf"] = to_pdf(study_report(content, max_bytes=MAX_BYTES))
    except NoPdf as error:
        notes.append(str(error))
    progress(0.75, "writing DICOM")
    if can_write():
        for i, case in enumerate(found.cases):
            progress(0.75 + 0.2 * i / len(found.cases), f"writing DICOM, case {case.label}")
            files |= {f"dicom/{case.label}/{name}": data for name, data in case_files(workspace, found, case).items()}
    else:
        notes.append(REMEDY)
    files |= sitting_files(workspace, found) | _notebook(workspace, study.id)
    if notes:
        files["left-out.txt"] = ("\n".join(notes) + "\n").encode()
    progress(0.97, "writing the manifest")
    files["README.txt"] = README.encode()
    files["manifest.json"] = manifest(workspace, found, files, now()).encode()
    return files, notes


def data_files(found: StudyResults, outside: Mapping[str, pd.DataFrame]) -> dict[str, bytes]:
    """Everything but the report itself, its figures and its pictures: tables, readings, syntax, protocol. outside: the
    tables that rest on more than the readings, by file name."""
    protocol = found.study.protocol
    tables = {**named_tables(found), **outside}
    files = {
        "readings-long.csv": long_csv(found),
        "codebook.csv": codebook_long(protocol),
        "readings.R": r_syntax(protocol),
        "readings.sps": spss_syntax(protocol),
        "protocol.json": canonical_json(protocol),
        "results.json": results_json(found, tables),
        **{f"tables/{name}.csv": to_csv(table) for name, table in tables.items()},
        **{
            f"imrmc/{finding.key}.imrmc": imrmc_file(
                found.decoded, finding.key, f"{found.study.title}: {finding.label}"
            )
            for finding in protocol.findings
        },
    }
    return {name: text.encode() for name, text in files.items()} | {"tables.xlsx": workbook(tables)}


def long_csv(found: StudyResults) -> str:
    """The long table of a study as CSV (`cfcore.reports.tidy`)."""
    study = found.study
    return to_csv(long_table(found.decoded, found.rated, found.answers, study.protocol, study.seed))


def named_tables(found: StudyResults) -> dict[str, pd.DataFrame]:
    """Every table of a study under its file name; empty ones are left out."""
    tables, protocol = found.tables, found.study.protocol
    asked = Questions(protocol.findings, protocol.ratings, protocol.arms)
    named = {
        "findings": tables.findings,
        "per-reader": tables.per_reader,
        "readers": tables.readers,
        "ratings": tables.ratings,
        "pairs-of-readers": tables.pairs_of_readers,
        "confirmatory": tables.confirmatory,
        "comparisons": tables.comparisons,
        "repeats-and-false-alarms": tables.checks,
        "repeated-ratings": tables.repeated_ratings,
        "controls": tables.controls,
        "blinding": tables.blinding,
        "bradley-terry": tables.strengths,
        **more_tables(found.decoded, asked, found.study.seed),
        **{f"question-{key}": table for key, table in tables.questions.items()},
    }
    return {name: table for name, table in named.items() if len(table)}


def results_json(found: StudyResults, tables: Mapping[str, pd.DataFrame]) -> str:
    """Headline and the tables (`named_tables`) as JSON; null where a number is not defined."""
    line = found.headline
    told = {
        "study": found.study.title,
        "digest": found.study.digest,
        "interim": found.interim,
        "exploratory": found.exploratory,
        "simulated_readers": list(found.simulated),
        "headline": {name: vars(value) if hasattr(value, "note") else value for name, value in vars(line).items()},
        "tables": {name: _records(table) for name, table in tables.items()},
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def archive(files: Mapping[str, bytes], stem: str) -> bytes:
    """The files as one ZIP under a folder named `stem`; the same files give the same archive."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for name in sorted(files):
            packed.writestr(zipfile.ZipInfo(f"{stem}/{name}", (2000, 1, 1, 0, 0, 0)), files[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _svg(figure: Figure) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + figure.svg()).encode()


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _json(value) for name, value in row.items()} for row in table.to_dict("records")]


def _json(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _notebook(workspace: Workspace, study_id: int) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for i, entry in enumerate(list_entries(workspace, study_id), 1):
        words = re.sub(r"[^a-z0-9]+", "-", entry.title.casefold()).strip("-")[:40].strip("-")
        stem = f"notebook/{i:02d}-{words or 'entry'}"
        settings = "".join(f"- {key}: {value}\n" for key, value in entry.settings.items())
        files[f"{stem}.md"] = f"# {entry.title}\n\n{entry.note}\n\n{settings}".encode()
        if (png := entry_picture(workspace, entry.id)) is not None:
            files[f"{stem}.png"] = png
    return files
