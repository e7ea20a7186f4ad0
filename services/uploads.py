"""Files that come through the browser: into a quarantine folder, and out of it again, whatever happens.

They are received by the page, as they are; archives are unpacked by the worker. The quarantine is the only place where
names given by a hospital touch the disk; it is emptied after the import, and at the next start if nothing waits for it
any more.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.locks import claimed
from services.workspace import Workspace

MAX_UPLOAD_BYTES = 500 * 10**6
MAX_UNPACKED_BYTES = 4 * 2**30
MAX_UNPACKED_FILES = 100_000
_CHUNK = 2**20
_DISK = (errno.ENOSPC, errno.EDQUOT)
_LONGEST_PART = 100
_DEEPEST = 12

TOO_LARGE = (
    f"More than {MAX_UPLOAD_BYTES // 10**6} MB cannot be uploaded. Copy the files to the server and import them "
    "there by their path: on this page, or with `cfreader import PATH --name NAME`."
)
DAMAGED = "The archive is damaged or of an unknown kind. Make it again as a plain zip."
UNPACKS_TO_TOO_MUCH = "The archive unpacks to too much. Copy the files to the server and import them there."


Progress = Callable[[float, str], None]


class UploadRefused(ValueError):
    """An upload that cannot be taken; the message says why and what to do, without names."""


@dataclass
class Quarantine:
    """A folder for one upload, in a `place` with room for notes beside it. `received` and `unpacked` count bytes,
    `files` counts files. `handed_over`: whether the place stays when who opened it is through."""

    folder: Path
    received: int = 0
    unpacked: int = 0
    files: int = 0
    handed_over: bool = False

    @property
    def place(self) -> Path:
        return self.folder.parent

    @property
    def content(self) -> Path:
        """Where `unpack_archives` puts what archives hold, beside the other files."""
        return self.place / "unpacked"


@contextmanager
def quarantine(workspace: Workspace) -> Iterator[Quarantine]:
    """A fresh folder that only this user can read; gone at the end, however that comes, unless it was handed over."""
    place = _root(workspace) / secrets.token_hex(16)
    lock = place.with_suffix(".lock")
    with claimed(lock):
        upload = Quarantine(place / "files")
        try:
            place.mkdir(mode=0o700)
            upload.folder.mkdir(mode=0o700)
            yield upload
        finally:
            if not upload.handed_over:
                shutil.rmtree(place, ignore_errors=True)
            lock.unlink(missing_ok=True)


def handed_over(workspace: Workspace, name: str) -> Quarantine:
    """The quarantine that was handed over under the name of its `place`; it may be gone."""
    return Quarantine(_root(workspace) / name / "files", handed_over=True)


def nobody(name: str) -> bool:
    """Nothing waits for a quarantine."""
    return False


def empty_quarantine(workspace: Workspace, awaited: Callable[[str], bool] = nobody) -> int:
    """Removes what killed uploads left behind, and returns how many; those of living processes stay, and those whose
    name is `awaited`."""
    removed = 0
    root = _root(workspace)
    for place in [path for path in root.iterdir() if path.suffix != ".lock"]:
        lock = place.with_suffix(".lock")
        with claimed(lock) as free:
            # Asked only now: it may have been handed over since the folder was listed.
            if free and not awaited(place.name):
                shutil.rmtree(place, ignore_errors=True)
                removed += 1
            if free:
                lock.unlink(missing_ok=True)
    for lock in root.glob("*.lock"):
        if not lock.with_suffix("").exists():
            with claimed(lock) as free:
                if free:
                    lock.unlink(missing_ok=True)
    return removed


def receive_upload(stream: IO[bytes], name: str, upload: Quarantine) -> Path:
    """Copies one uploaded file into the quarantine, a piece at a time; archives stay packed (`unpack_archives`).

    Args:
        stream: open for reading at its start, for instance Streamlit's UploadedFile.
        name: as the browser gives it, with folders or without; made safe here.
        upload: the quarantine that the file goes to; one upload may have many files.

    Raises:
        UploadRefused: more than `MAX_UPLOAD_BYTES` in all.
    """
    path = _free_path(upload.folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            while chunk := stream.read(_CHUNK):
                upload.received += len(chunk)
                if upload.received > MAX_UPLOAD_BYTES:
                    raise UploadRefused(TOO_LARGE)
                file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    upload.files += 1
    return path


def unpack_archives(upload: Quarantine, progress: Progress = lambda share, message: None) -> Path:
    """Unpacks every zip archive of an upload; begun anew where an earlier attempt was cut off.

    Archives inside archives stay as they are. What was received is not changed.

    Args:
        progress: called at every piece of a file with the share done and a message free of names; what it raises ends
            the unpacking.

    Returns:
        The folder of all files: where there is no archive the quarantine's own, else `upload.content`, with the other
        files beside what the archives hold, so that a table finds its images.

    Raises:
        UploadRefused: an archive that is broken or encrypted; all together too large (`MAX_UNPACKED_BYTES`,
            `MAX_UNPACKED_FILES`), counted as it comes.
    """
    received = sorted(path for path in upload.folder.rglob("*") if path.is_file())
    archives = [path for path in received if _is_archive(path)]
    if not archives:
        return upload.folder
    shutil.rmtree(upload.content, ignore_errors=True)
    upload.content.mkdir(mode=0o700)
    upload.unpacked, upload.files = 0, len(received) - len(archives)
    for path in set(received) - set(archives):
        beside = upload.content / path.relative_to(upload.folder)
        beside.parent.mkdir(parents=True, exist_ok=True)
        _put_beside(path, beside)
    for i, archive in enumerate(archives):
        _unpack(archive, upload, _part(progress, i / len(archives), 1 / len(archives)))
    return upload.content


def _part(progress: Progress, start: float, length: float) -> Progress:
    return lambda share, message: progress(start + share * length, message)


def _put_beside(path: Path, beside: Path) -> None:
    try:
        os.link(path, beside)
    except OSError:
        # File systems without hard links.
        shutil.copyfile(path, beside)


def _root(workspace: Workspace) -> Path:
    root = workspace.folder / "quarantine"
    root.mkdir(mode=0o700, exist_ok=True)
    return root


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _unpack(archive: Path, upload: Quarantine, progress: Progress) -> None:
    try:
        with zipfile.ZipFile(archive) as content:
            entries = content.infolist()
            for i, entry in enumerate(entries):
                if entry.is_dir() or stat.S_ISLNK(entry.external_attr >> 16):
                    continue
                if entry.flag_bits & 1:
                    raise UploadRefused("The archive is encrypted. Upload it without a password.")
                share, message = i / len(entries), f"unpacked {i} of {len(entries)} files"
                for _ in _unpack_entry(content, entry, upload):
                    progress(share, message)
    except OSError as error:
        if error.errno in _DISK:
            raise
        raise UploadRefused(DAMAGED) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error):
        raise UploadRefused(DAMAGED) from None


def _unpack_entry(content: zipfile.ZipFile, entry: zipfile.ZipInfo, upload: Quarantine) -> Iterator[None]:
    """Unpacks one file, and stops at its beginning and after every piece of it."""
    upload.files += 1
    if upload.files > MAX_UNPACKED_FILES:
        raise UploadRefused(UNPACKS_TO_TOO_MUCH)
    path = _free_path(upload.content, entry.filename)
    path.parent.mkdir(parents=True, exist_ok=True)
    yield
    with content.open(entry) as source, path.open("xb") as target:
        while chunk := source.read(_CHUNK):
            # Counted as they come: what the archive says about its sizes may be a lie.
            upload.unpacked += len(chunk)
            if upload.unpacked > MAX_UNPACKED_BYTES:
                raise UploadRefused(UNPACKS_TO_TOO_MUCH)
            target.write(chunk)
            yield


def _free_path(folder: Path, name: str) -> Path:
    """A path inside `folder` for an untrusted name: no way out, no odd characters, nothing overwritten."""
    parts = [part for part in map(_safe_part, re.split(r"[/\\]", name)) if part][-_DEEPEST:] or ["file"]
    for part in parts[:-1]:
        folder = _numbered(folder / part, lambda path: path.is_file())
    return _numbered(folder / parts[-1], Path.exists)


def _numbered(path: Path, taken: Callable[[Path], bool]) -> Path:
    wanted, n = path, 1
    while taken(path):
        n += 1
        path = wanted.with_name(f"{wanted.stem}-{n}{wanted.suffix}")
    return path


def _safe_part(part: str) -> str:
    """One folder or file name without control and special characters, short in bytes; '' if nothing is left."""
    part = re.sub(r'[\x00-\x1f\x7f:*?"<>|]', "_", part).strip(" ")
    if not part.strip("."):
        return ""
    stem, suffix = Path(part).stem, Path(part).suffix[:16]
    short = stem.encode("utf-8", "replace")[:_LONGEST_PART].decode("utf-8", "ignore")
    return f"{short}{suffix.encode('utf-8', 'replace').decode()}"
