"""An import is a run of the worker's: queued, followed, cancelled, begun anew after a kill, and no name is stored."""

from __future__ import annotations

import io
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.engines.base import Cancelled
from cfcore.images.encode import encode_png
from cfcore.images.errors import ImportRefused
from db.models import Account, Dataset, Image, Run
from services import import_job, importing, uploads
from services.datasets import list_datasets
from services.import_job import Request, clean_up, latest_import, start_import, start_phantoms, take_left_out
from services.importing import skipped_rows
from services.permissions import NotAllowed
from services.runs import cancel_run, resume_run, run_view
from services.uploads import quarantine, receive_upload
from services.worker import lease, progress, queue
from services.worker.loop import do
from services.workspace import Workspace
from tests.services.test_importing import everything, stored_files

CANARY = "Zwitscher"


def picture(i: int) -> bytes:
    return encode_png((np.arange(64, dtype=np.uint8) + i).reshape(8, 8))


def folder_of(tmp_path: Path, good: int = 5, bad: int = 1) -> Path:
    folder = tmp_path / f"{CANARY}_ward"
    folder.mkdir()
    for i in range(good):
        (folder / f"{CANARY}{i}.png").write_bytes(picture(i))
    for i in range(bad):
        (folder / f"{CANARY}_bad{i}.png").write_bytes(b"")
    return folder


def ask(workspace: Workspace, path: Path, name: str = "Ward") -> int:
    with quarantine(workspace) as upload:
        return start_import(workspace, upload, name, Request(str(path)), actor="me")


def ask_with_uploads(workspace: Workspace, folder: Path, name: str = "Ward") -> int:
    with quarantine(workspace) as upload:
        for path in sorted(folder.iterdir()):
            receive_upload(io.BytesIO(path.read_bytes()), path.name, upload)
        return start_import(workspace, upload, name, Request(None), actor="me")


def ask_with_archive(workspace: Workspace, folder: Path, name: str = "Ward") -> int:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(packed.getvalue()), f"{CANARY}.zip", upload)
        return start_import(workspace, upload, name, Request(None), actor="me")


def work_off(workspace: Workspace, stopping: threading.Event | None = None) -> None:
    """What the worker does with the next run."""
    assert lease.take(workspace, "test")
    run = queue.next_run(workspace, "test", "short")
    assert run is not None
    do(workspace, run, "test", stopping or threading.Event())
    lease.release(workspace, "test")


def quarantined(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.folder / "quarantine").rglob("*") if path.is_file())


@pytest.mark.parametrize("way", [ask, ask_with_uploads, ask_with_archive])
def test_a_bad_file_is_listed_and_no_name_stays(
    workspace: Workspace, tmp_path: Path, way: object, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = way(workspace, folder_of(tmp_path))  # type: ignore[operator]
    clean_up(workspace)
    assert run_view(workspace, run_id).state == "queued" and "request.json" in quarantined(workspace)
    work_off(workspace)
    run = latest_import(workspace, "me")
    assert run is not None and run.id == run_id and run.state == "done", run and run.message
    (dataset,) = list_datasets(workspace)
    assert run.dataset == dataset.name == "Ward" and dataset.images == 5
    assert run.result == {
        "dataset": dataset.id,
        "imported": 5,
        "skipped": 1,
        "waiting": 0,
        "problems": run.result["problems"],
    }
    with workspace.session() as session:
        told = [*session.scalars(sa.text("SELECT settings || result || message || name FROM run")), caplog.text]
    assert CANARY not in str(told)
    # The names wait for the importer alone, and only until they are looked at.
    assert quarantined(workspace) == ["left-out.json"] and latest_import(workspace, "somebody") is None
    clean_up(workspace)
    (left_out,) = take_left_out(workspace, run) or []
    assert left_out == (*skipped_rows(workspace, dataset.id)[0], f"{CANARY}_bad0.png")
    assert take_left_out(workspace, run) is None and quarantined(workspace) == []
    assert CANARY.encode() not in everything(workspace)


def test_a_cancel_leaves_nothing_and_there_is_nothing_to_resume(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    run_id = ask_with_uploads(workspace, folder_of(tmp_path))
    kept, seen = importing.read_image, []

    def read(path: Path) -> object:
        seen.append(path)
        if len(seen) == 3:
            cancel_run(workspace, run_id, "me")
        return kept(path)

    monkeypatch.setattr(importing, "read_image", read)
    work_off(workspace)
    assert run_view(workspace, run_id).message == "Cancelled. Nothing of it is kept." and len(seen) == 3
    assert stored_files(workspace) == 0 and quarantined(workspace) == [] and list_datasets(workspace) == []
    resume_run(workspace, run_id, "me")
    work_off(workspace)
    view = run_view(workspace, run_id)
    assert view.state == "failed" and view.message == import_job.GONE


def test_a_server_that_stops_puts_it_back_and_a_killed_one_leaves_no_half(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = ask_with_uploads(workspace, folder_of(tmp_path))
    stopping = threading.Event()
    stopping.set()
    work_off(workspace, stopping)
    assert run_view(workspace, run_id).state == "queued" and len(quarantined(workspace)) == 7
    # A kill leaves the stored files with their journal; the next attempt removes them.
    (workspace.folder / "imports" / "0.keys").write_text(workspace.put(picture(9), ".png"), "ascii")
    work_off(workspace)
    assert run_view(workspace, run_id).state == "done" and stored_files(workspace) == 5


def test_an_archive_waits_packed_and_is_unpacked_by_the_worker_with_progress(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    run_id = ask_with_archive(workspace, folder_of(tmp_path, good=5, bad=0))
    assert quarantined(workspace) == [f"{CANARY}.zip", "request.json"]
    told: list[tuple[float, str]] = []
    kept = progress.RunProgress.__call__

    def listen(self: progress.RunProgress, share: float, message: str) -> None:
        told.append((share, message))
        kept(self, share, message)

    monkeypatch.setattr(progress.RunProgress, "__call__", listen)
    work_off(workspace)
    assert run_view(workspace, run_id).state == "done" and quarantined(workspace) == []
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0.0
    messages = [message for _, message in told]
    begun = [messages.index(one) for one in ("unpacked 0 of 5 files", "0 files found", "looked at 0 of 5 files",
                                             "0 of 5 files")]  # fmt: skip
    assert begun == sorted(begun) and CANARY not in str(told)


def test_unpacking_is_cancelled_and_put_back_like_the_rest(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "WRITE_SECONDS", 0.0)
    folder = folder_of(tmp_path)
    put_back = ask_with_archive(workspace, folder)
    stopping = threading.Event()
    kept = uploads._unpack_entry

    def unpack(*args: object) -> object:
        stopping.set()
        return kept(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_unpack_entry", unpack)
        work_off(workspace, stopping)
    assert run_view(workspace, put_back).state == "queued" and f"{CANARY}.zip" in quarantined(workspace)
    work_off(workspace)
    assert run_view(workspace, put_back).result["imported"] == 5
    cancelled = ask_with_archive(workspace, folder, "Other")

    def cancel(*args: object) -> object:
        cancel_run(workspace, cancelled, "me")
        return kept(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "_unpack_entry", cancel)
        work_off(workspace)
    assert run_view(workspace, cancelled).state == "cancelled" and len(list_datasets(workspace)) == 1
    assert [name for name in quarantined(workspace) if name != "left-out.json"] == []


def test_a_damaged_archive_is_told_without_its_name_and_nothing_of_it_stays(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"PK\x03\x04" + CANARY.encode()), f"{CANARY}.zip", upload)
        run_id = start_import(workspace, upload, "Ward", Request(None), actor="me")
    work_off(workspace)
    run = run_view(workspace, run_id)
    assert run.state == "failed" and run.message.startswith("The archive is damaged or of an unknown kind.")
    assert quarantined(workspace) == [] and CANARY not in caplog.text


def test_one_that_was_cut_off_after_it_had_written_is_done_and_not_done_twice(
    workspace: Workspace, tmp_path: Path
) -> None:
    run_id = ask(workspace, folder_of(tmp_path))
    work_off(workspace)
    with workspace.session() as session:
        session.get_one(Run, run_id).state = "queued"
    work_off(workspace)
    assert run_view(workspace, run_id).state == "done" and len(list_datasets(workspace)) == 1


def test_a_worker_that_lost_its_lease_writes_no_data_set(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = ask(workspace, folder_of(tmp_path))
    assert lease.take(workspace, "one")
    run = queue.next_run(workspace, "one")
    assert run is not None and run.id == run_id
    kept = importing._duplicates

    def taken_over(rows: list[dict[str, object]]) -> list[str]:
        lease.release(workspace, "one")
        assert lease.take(workspace, "two")
        return kept(rows)

    monkeypatch.setattr(importing, "_duplicates", taken_over)
    with pytest.raises(lease.LeaseLost):
        do(workspace, run, "one", threading.Event())
    assert list_datasets(workspace) == [] and stored_files(workspace) == 0
    assert queue.put_back_orphans(workspace, "two") == [run_id] and quarantined(workspace) == ["request.json"]


def test_what_cannot_work_is_refused_at_once(workspace: Workspace, tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    with pytest.raises(ImportRefused, match="nothing at this path"):
        ask(workspace, tmp_path / "absent")
    with pytest.raises(ImportRefused, match="Give the data set a name"):
        ask(workspace, folder, " ")
    ask(workspace, folder)
    with pytest.raises(ImportRefused, match="'Ward' is under way"):
        start_phantoms(workspace, "Ward", n=10, size=64, seed=0, pathology="effusion", actor="me")
    work_off(workspace)
    with pytest.raises(ImportRefused, match="called 'Ward' already"):
        ask(workspace, folder)
    assert quarantined(workspace) == ["left-out.json"], "what was refused is gone"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", f"/data/{CANARY}"), "The server cannot read this: Permission denied"),
        (KeyError(CANARY), "RuntimeError in run 1"),
        (Cancelled(CANARY), "Cancelled."),
    ],
)
def test_no_message_and_no_log_quotes_a_name(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    error: Exception, said: str,
) -> None:  # fmt: skip
    def fails(*_: object, **__: object) -> None:
        raise error

    run_id = ask_with_uploads(workspace, folder_of(tmp_path))
    monkeypatch.setattr(importing, "plan_import", fails)
    work_off(workspace)
    assert run_view(workspace, run_id).message.startswith(said)
    assert CANARY not in caplog.text and quarantined(workspace) == []


def test_nothing_readable_is_told_file_by_file(workspace: Workspace, tmp_path: Path) -> None:
    run_id = ask(workspace, folder_of(tmp_path, good=0, bad=3))
    work_off(workspace)
    run = run_view(workspace, run_id)
    assert run.state == "failed" and run.message.startswith("None of the 3 files can be imported")
    assert [name for _, _, name in take_left_out(workspace, run) or []] == [f"{CANARY}_bad{i}.png" for i in range(3)]


def test_phantoms_are_made_by_the_worker_and_by_researchers_alone(workspace: Workspace) -> None:
    asked = {"n": 10, "size": 64, "seed": 3, "pathology": "effusion", "couple": {"pacemaker": (1.0, 0.0)}}
    with workspace.session() as session:
        reader = Account(login="r", display_name="R", role="reader")
        session.add(reader)
        session.flush()
        reader_id = reader.id
    with pytest.raises(NotAllowed, match="researchers only"):
        start_phantoms(workspace, "Ten", **asked, actor=f"account {reader_id}")
    run_id = start_phantoms(workspace, "Ten", **asked, actor="me")
    work_off(workspace)
    run = run_view(workspace, run_id)
    assert run.state == "done" and run.result["imported"] == 10 and take_left_out(workspace, run) is None
    with workspace.session() as session:
        (dataset,) = session.scalars(sa.select(Dataset))
        assert session.scalar(sa.select(sa.func.count(Image.id))) == 10
    assert dataset.meta["phantom"]["couple"] == {"pacemaker": [1.0, 0.0]} and dataset.meta["phantom"]["seed"] == 3
