"""The command that writes a study's report and everything with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.workspace import open_workspace

from .output import JsonOption, WorkspaceOption, plain_errors, say, terminal_progress


@plain_errors
def report(
    study: Annotated[int, typer.Option(help="Number of the study.")],
    out: Annotated[Path | None, typer.Option(help="ZIP file to write (default: the study's name, here).")] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Write the report of a closed study with every table, figure and reading as one ZIP file."""
    from services.report.bundle import archive, study_files
    from services.report.job import file_stem
    from services.results import shown_results

    opened = open_workspace(workspace)
    found = shown_results(opened, study)
    files, notes = study_files(opened, found, terminal_progress(json))
    stem = file_stem(found.study)
    target = out or Path(f"{stem}.zip")
    target.write_bytes(archive(files, stem))
    told = {"file": str(target), "files": len(files), "left_out": notes}
    say(told, json, "\n".join([f"{target}: {len(files)} files", *notes]))
