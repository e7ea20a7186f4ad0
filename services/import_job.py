"""Importing in the background: queued as a run of kind "import", done by the worker, with progress and cancel.

Names that people gave to files and folders never enter the database, a run's settings included. So what is to be
imported (uploaded files, or a path) waits in the quarantine, and the names of files that were left out go back to the
importer by the same way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.images.errors import ImportRefused
from cfcore.images.layouts import Layout
from db.models import Run, now
from services.importing import (
    ImportResult,
    NothingImported,
    Progress,
    Written,
    discard_cut_off,
    free_name,
    import_images,
    import_phantom,
)
from services.permissions import require_researcher
from services.runs import UNDER_WAY, RunView, list_runs, queue_run
from services.uploads import Quarantine, UploadRefused, empty_quarantine, handed_over, unpack_archives
from services.workspace import Workspace

if TYPE_CHECKING:
    from services.worker.progress import RunProgress

KIND = "import"
REQUEST, LEFT_OUT = "request.json", "left-out.json"
# How long the names of files that were left out wait for the importer to look.
NAMES_WAIT = timedelta(days=1)
# The share of an import that is over when the archives among its files are unpacked.
UNPACKED = 0.2
GONE = "The files of this import are not kept after it has ended: import them again."

LeftOut = list[tuple[int, str, str]]


@dataclass(frozen=True)
class Request:
    """What to import and how; arguments of `cfcore.images.layouts.plan_import`. `path`: on the server, or None for the
    uploaded files."""

    path: str | None
    layout: Layout = "auto"
    seed: int = 0
    patient_pattern: str | None = None
    resplit: bool = False


def start_import(workspace: Workspace, upload: Quarantine, name: str, request: Request, *, actor: str) -> int:
    """Queue the import of what lies in `upload`, or of the request's path, as data set `name`; the run's id.

    The quarantine is handed over to the worker, which empties it. Raises ImportRefused for a name that is taken, by an
    import under way too, and for a path where nothing is; NotAllowed for anybody but a researcher.
    """
    if request.path is not None and not Path(request.path).exists():
        raise ImportRefused("There is nothing at this path. Check it for typing errors.")
    name = _free(workspace, name)
    (upload.place / REQUEST).write_text(json.dumps(asdict(request)), "utf-8")
    settings = {"name": name, "upload": upload.place.name, "layout": request.layout, "resplit": request.resplit}
    run_id = _queue(workspace, name, settings, request.seed, actor)
    upload.handed_over = True
    return run_id


def start_phantoms(
    workspace: Workspace,
    name: str,
    *,
    n: int,
    size: int,
    seed: int,
    pathology: str,
    couple: Mapping[str, tuple[float, float]] | None = None,
    actor: str,
) -> int:
    """Queue the making of phantoms (`services.importing.import_phantom`); the run's id. Raises as `start_import`."""
    name = _free(workspace, name)
    phantom = {"n": n, "size": size, "pathology": pathology, "couple": dict(couple or {})}
    return _queue(workspace, name, {"name": name, "phantom": phantom}, seed, actor)


def latest_import(workspace: Workspace, actor: str) -> RunView | None:
    """The newest import that `actor` has asked for, or None."""
    return next((run for run in list_runs(workspace, KIND) if run.settings.get("actor") == actor), None)


def take_left_out(workspace: Workspace, run: RunView) -> LeftOut | None:
    """(row number, reason, name) of the files that an import left out, once: nothing of it stays behind. None where it
    has been taken already, or where the import goes on."""
    if run.state in UNDER_WAY or "upload" not in run.settings:
        return None
    place = handed_over(workspace, run.settings["upload"]).place
    try:
        rows = json.loads((place / LEFT_OUT).read_text("utf-8"))
    except FileNotFoundError:
        return None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return [(row, reason, name) for row, reason, name in rows]


def clean_up(workspace: Workspace) -> None:
    """Removes what killed imports and uploads left behind; to be called at every start."""
    empty_quarantine(workspace, lambda name: _awaited(workspace, name))
    discard_cut_off(workspace)


def import_run(workspace: Workspace, run: Run, progress: RunProgress) -> None:
    """The worker's job, all or nothing: cancelled or failed it leaves nothing behind, cut off it begins anew.

    Archives are unpacked first, then the files are looked at and read: all three with progress and cancel.

    Raises:
        ImportRefused, UploadRefused: as `services.importing.import_images` and `services.uploads.unpack_archives`; the
            message holds no names.
    """
    from services.worker import lease

    if "dataset" in run.result:
        # Written by an attempt that was cut off before it could say so.
        if "upload" in run.settings:
            _close(handed_over(workspace, run.settings["upload"]), [])
        return
    clean_up(workspace)

    def written(session: Session, result: ImportResult) -> None:
        lease.hold(session, progress.holder)
        row = session.get_one(Run, run.id)
        row.dataset_id = result.dataset_id
        counts = {"imported": result.imported, "skipped": len(result.skipped), "waiting": result.waiting}
        row.result = {"dataset": result.dataset_id, **counts, "problems": result.problems}

    phantom = run.settings.get("phantom")
    if phantom is None:
        _import_files(workspace, run, progress, written)
    else:
        actor = run.settings["actor"]
        import_phantom(
            workspace, run.settings["name"], seed=run.seed, **phantom, progress=progress, actor=actor, written=written
        )


def _import_files(workspace: Workspace, run: Run, progress: RunProgress, written: Written) -> None:
    from cfcore.engines.base import Cancelled
    from services.worker.lease import LeaseLost
    from services.worker.progress import Stopped

    upload = handed_over(workspace, run.settings["upload"])
    try:
        request = Request(**json.loads((upload.place / REQUEST).read_text("utf-8")))
    except FileNotFoundError:
        raise ImportRefused(GONE) from None
    goes_on = False
    left_out: LeftOut = []
    try:
        source, rest = _source(upload, progress) if request.path is None else (Path(request.path), progress)
        result = import_images(
            workspace,
            source,
            run.settings["name"],
            request.layout,
            rest,
            seed=request.seed,
            patient_pattern=request.patient_pattern,
            resplit=request.resplit,
            actor=run.settings["actor"],
            written=written,
        )
        left_out = result.skipped
    except (Stopped, LeaseLost):
        goes_on = True
        raise
    except NothingImported as error:
        left_out = error.skipped
        raise
    except (ImportRefused, UploadRefused, Cancelled):
        raise
    except OSError as error:
        raise ImportRefused(plain(error)) from None
    except Exception as error:
        # The worker logs errors; what such a message quotes may be a name.
        raise RuntimeError(type(error).__name__).with_traceback(error.__traceback__) from None
    finally:
        if not goes_on:
            _close(upload, left_out)


def _source(upload: Quarantine, progress: RunProgress) -> tuple[Path, Progress]:
    """The only file, which may be a table or an image, or the folder of all; and the progress of what is left to do."""
    folder = unpack_archives(upload, progress.part(0.0, UNPACKED))
    found = list(folder.iterdir())
    source = found[0] if len(found) == 1 and found[0].is_file() else folder
    return source, progress if folder == upload.folder else progress.part(UNPACKED, 1.0)


def _close(upload: Quarantine, left_out: LeftOut) -> None:
    """Remove what was imported; only the names of what was left out wait for the importer."""
    for folder in (upload.folder, upload.content):
        shutil.rmtree(folder, ignore_errors=True)
    if left_out:
        (upload.place / LEFT_OUT).write_text(json.dumps(left_out), "utf-8")
        (upload.place / REQUEST).unlink(missing_ok=True)
    else:
        shutil.rmtree(upload.place, ignore_errors=True)


def plain(error: OSError) -> str:
    """What the operating system says, without the path in it."""
    return f"The server cannot read this: {error.strerror or 'input/output error'}. Check path and access rights."


def _free(workspace: Workspace, name: str) -> str:
    name = free_name(workspace, name)
    if any(run.state in UNDER_WAY and run.settings.get("name") == name for run in list_runs(workspace, KIND)):
        raise ImportRefused(f"An import of {name!r} is under way already. Choose another name, or wait for it.")
    return name


def _queue(workspace: Workspace, name: str, settings: dict[str, Any], seed: int, actor: str) -> int:
    with workspace.session() as session:
        require_researcher(session, actor)
        return queue_run(session, KIND, f"Import: {name}", settings | {"actor": actor}, seed=seed, actor=actor)


def _awaited(workspace: Workspace, name: str) -> bool:
    """Whether an import that is under way, or one that ended lately, has need of a quarantine."""
    with workspace.session() as session:
        waits = sa.or_(
            Run.state.in_(UNDER_WAY), sa.and_(Run.state != "cancelled", Run.finished_at > now() - NAMES_WAIT)
        )
        runs = session.scalars(sa.select(Run).where(Run.kind == KIND, waits)).all()
    return any(run.settings.get("upload") == name for run in runs)
