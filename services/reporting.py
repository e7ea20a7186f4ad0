"""Single files of a study for whoever does not want the whole export: report, readings, codebook."""

from __future__ import annotations

from cfcore.reports.codebook import codebook, codebook_long, tidy_csv
from cfcore.reports.html import study_report
from services.log import log_event
from services.permissions import require
from services.report.bundle import MAX_BYTES, long_csv
from services.report.content import limitations, report_content
from services.report.job import file_stem
from services.results import shown_results
from services.workspace import Workspace

__all__ = [
    "export_codebook",
    "export_codebook_long",
    "export_csv",
    "export_long",
    "export_ratings",
    "file_stem",
    "limitations",
    "write_report",
]


def write_report(workspace: Workspace, study_id: int, *, actor: str = "system", interactive: bool = False) -> str:
    """The report of a study as one HTML file, at once (the worker's report has everything beside it).

    What was exported, and when, is logged. Raises StudyRefused where there is no such study, ResultsSealed (one of
    them) where it is open and nobody has taken a look.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "results")
    found = shown_results(workspace, study_id)
    content = report_content(workspace, found)
    log_event(workspace, actor, "report written", f"study {study_id}", readings=found.headline.readings_done)
    return study_report(content, max_bytes=MAX_BYTES, interactive=interactive)


def export_csv(workspace: Workspace, study_id: int) -> str:
    """The decoded checklist answers as tidy CSV: one row per reader, pair and finding."""
    return tidy_csv(shown_results(workspace, study_id).decoded)


def export_ratings(workspace: Workspace, study_id: int) -> str:
    """The ratings as tidy CSV: one row per reader, pair and rating."""
    return tidy_csv(shown_results(workspace, study_id).rated)


def export_long(workspace: Workspace, study_id: int) -> str:
    """Every answer as tidy CSV: one row per reader, case and question."""
    return long_csv(shown_results(workspace, study_id))


def export_codebook(workspace: Workspace, study_id: int) -> str:
    """The meaning of every column of the tables of findings and ratings, as CSV."""
    return codebook(shown_results(workspace, study_id).study.protocol)


def export_codebook_long(workspace: Workspace, study_id: int) -> str:
    """The meaning of every column of the long table, as CSV."""
    return codebook_long(shown_results(workspace, study_id).study.protocol)
