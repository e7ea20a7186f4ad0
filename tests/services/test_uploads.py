"""The quarantine: streams, limits, hostile names and archives."""

from __future__ import annotations

import errno
import io
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import uploads
from services.uploads import (
    Quarantine,
    UploadRefused,
    empty_quarantine,
    quarantine,
    receive_upload,
    unpack_archives,
)
from services.workspace import Workspace


def archive(entries: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as content:
        for name, data in entries.items():
            content.writestr(name, data)
    buffer.seek(0)
    return buffer


def files_in(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_folder_is_there_only_meanwhile(workspace: Workspace) -> None:
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"abc"), "a", upload)
        assert upload.folder.is_relative_to(workspace.folder)
        assert upload.folder.stat().st_mode & 0o077 == 0
        assert empty_quarantine(workspace) == 0
        assert files_in(upload.folder) == {"a": b"abc"}
    assert list((workspace.folder / "quarantine").iterdir()) == []
    with pytest.raises(RuntimeError), quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"abc"), "a", upload)
        raise RuntimeError
    assert list((workspace.folder / "quarantine").iterdir()) == []


def test_leftovers_are_removed(workspace: Workspace) -> None:
    folder = workspace.folder / "quarantine" / "0123"
    folder.mkdir(parents=True)
    (folder / "Somebody.png").write_bytes(b"x")
    folder.with_suffix(".lock").touch()
    (workspace.folder / "quarantine" / "4567.lock").touch()
    assert empty_quarantine(workspace) == 1
    assert list((workspace.folder / "quarantine").iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.text(max_size=60) | st.sampled_from(["../../x", "/etc/passwd", "..", "", "a/../../b", "C:\\x\\y.png", "\0"]))
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    upload = Quarantine(tmp_path / "q")
    shutil.rmtree(upload.folder, ignore_errors=True)
    upload.folder.mkdir()
    for earlier in ("a", "0", "x/y"):
        receive_upload(io.BytesIO(b""), earlier, upload)
    before = len(files_in(upload.folder))
    path = receive_upload(io.BytesIO(b"abc"), name, upload)
    assert path.resolve().is_relative_to(upload.folder.resolve())
    assert len(files_in(upload.folder)) == before + 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["q"]


def test_names_and_folders_are_kept_for_tables(workspace: Workspace) -> None:
    with quarantine(workspace) as upload:
        for name in ("set/NORMAL/a.png", "set\\NORMAL\\b.png", "set/NORMAL/a.png", "x" * 300 + ".png"):
            receive_upload(io.BytesIO(b"abc"), name, upload)
        assert set(files_in(upload.folder)) == {
            "set/NORMAL/a.png",
            "set/NORMAL/b.png",
            "set/NORMAL/a-2.png",
            "x" * 100 + ".png",
        }


def test_archives_are_received_as_they_are_and_unpacked_later(workspace: Workspace) -> None:
    with quarantine(workspace) as upload:
        receive_upload(archive({"cxr/a.png": b"1", "cxr/b": b"2", "../../out.png": b"3"}), "cxr.zip", upload)
        assert list(files_in(upload.folder)) == ["cxr.zip"]
        told: list[tuple[float, str]] = []
        found = unpack_archives(upload, lambda share, message: told.append((share, message)))
        assert found == upload.content and found.stat().st_mode & 0o077 == 0
        assert files_in(found) == {"cxr/a.png": b"1", "cxr/b": b"2", "out.png": b"3"}
        assert told[0] == (0.0, "unpacked 0 of 3 files") and told[-1] == (2 / 3, "unpacked 2 of 3 files")
    assert list((workspace.folder / "quarantine").iterdir()) == []


def test_without_an_archive_nothing_is_unpacked(workspace: Workspace) -> None:
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"abc"), "a", upload)
        assert unpack_archives(upload) == upload.folder and not upload.content.exists()


def test_a_table_lies_beside_what_the_archives_hold(workspace: Workspace) -> None:
    inner = archive({"deep.png": b"4"}).getvalue()
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"path"), "labels.csv", upload)
        receive_upload(archive({"x/a.png": b"1", "labels.csv": b"theirs"}), "one.zip", upload)
        receive_upload(archive({"x/a.png": b"2", "inner.zip": inner}), "two.zip", upload)
        assert files_in(unpack_archives(upload)) == {
            "labels.csv": b"path",
            "labels-2.csv": b"theirs",
            "x/a.png": b"1",
            "x/a-2.png": b"2",
            "inner.zip": inner,
        }
        assert set(files_in(upload.folder)) == {"labels.csv", "one.zip", "two.zip"}


def test_unpacking_stops_at_a_word_and_begins_anew(workspace: Workspace) -> None:
    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(b"abc"), "a", upload)
        receive_upload(archive({f"{i}": b"x" for i in range(4)}), "x.zip", upload)
        with pytest.raises(KeyboardInterrupt):
            unpack_archives(upload, stop)
        assert 0 < len(files_in(upload.content)) < 5
        assert set(files_in(unpack_archives(upload))) == {"a", "0", "1", "2", "3"}


def test_a_full_disk_is_no_damaged_archive(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with quarantine(workspace) as upload:
        receive_upload(archive({"a": b"1"}), "x.zip", upload)
        monkeypatch.setattr(uploads, "_free_path", full)
        with pytest.raises(OSError, match="No space left"):
            unpack_archives(upload)


def test_links_in_archives_are_left_out(workspace: Workspace) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    buffer = archive({"a.png": b"1"})
    with zipfile.ZipFile(buffer, "a") as content:
        content.writestr(link, "/etc/passwd")
    buffer.seek(0)
    with quarantine(workspace) as upload:
        receive_upload(buffer, "x", upload)
        assert files_in(unpack_archives(upload)) == {"a.png": b"1"}


def test_too_much_is_refused_with_the_way_out(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uploads.MAX_UPLOAD_BYTES == 500_000_000
    assert "500 MB" in uploads.TOO_LARGE
    assert "cfreader import" in uploads.TOO_LARGE
    monkeypatch.setattr(uploads, "MAX_UPLOAD_BYTES", 3 * 2**20)
    with quarantine(workspace) as upload:
        receive_upload(io.BytesIO(bytes(2 * 2**20)), "a", upload)
        with pytest.raises(UploadRefused, match="by their path"):
            receive_upload(io.BytesIO(bytes(2 * 2**20)), "b", upload)
        assert set(files_in(upload.folder)) == {"a"}


def test_bombs_and_broken_archives_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_UNPACKED_BYTES", 2**21)
    monkeypatch.setattr(uploads, "MAX_UNPACKED_FILES", 20)
    broken = archive({"a": bytes(range(256)) * 40}, zipfile.ZIP_STORED).getvalue()
    encrypted = bytearray(archive({"a": b"secret"}).getvalue())
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    cases = {
        "too much": archive({f"{i}": bytes(2**20) for i in range(4)}).getvalue(),
        "to too much": archive({f"{i}": b"" for i in range(30)} | {"last": b"x"}).getvalue(),
        "damaged": broken.replace(bytes(range(200)), bytes(200), 1),
        "unknown kind": broken[: len(broken) // 2],
        "encrypted": bytes(encrypted),
    }
    for message, data in cases.items():
        with quarantine(workspace) as upload:
            receive_upload(io.BytesIO(data), "x.zip", upload)
            with pytest.raises(UploadRefused, match=message):
                unpack_archives(upload)
            assert sum(map(len, files_in(upload.content).values())) <= 2**21
    with quarantine(workspace) as upload:
        for name in ("a.zip", "b.zip"):
            receive_upload(archive({f"{i}": bytes(2**20) for i in range(2)}), name, upload)
        with pytest.raises(UploadRefused, match="to too much"):
            unpack_archives(upload)
    assert list((workspace.folder / "quarantine").iterdir()) == []
