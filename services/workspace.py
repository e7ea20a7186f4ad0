"""The workspace: one folder (or one database URL and one file store) that holds everything of one installation."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import fsspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from db.session import open_database, session_of, upgrade

DEFAULT_FOLDER = "workspace"


@dataclass(frozen=True)
class Workspace:
    """Everything of one installation.

    Attributes:
        folder: the local folder: database (unless `database_url` says otherwise), files, key, quarantine.
        database_url: SQLAlchemy URL.
        files_url: fsspec URL of the file store (local by default).
    """

    folder: Path
    database_url: str
    files_url: str

    @cached_property
    def engine(self) -> sa.Engine:
        return open_database(self.database_url)

    @cached_property
    def _files(self) -> tuple[fsspec.AbstractFileSystem, str]:
        filesystem, root = fsspec.core.url_to_fs(self.files_url)
        return filesystem, root

    @cached_property
    def key(self) -> bytes:
        """The secret under which patient pseudonyms are made: 32 random bytes, readable by the owner only."""
        path = self.folder / "key"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
        return path.read_bytes()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A database session: commits at the end, rolls back on error."""
        with session_of(self.engine) as session:
            yield session

    def put(self, data: bytes, suffix: str) -> str:
        """Store `data` under a fresh opaque key (32 hex digits plus `suffix`, e.g. ".png") and return the key."""
        filesystem, root = self._files
        key = secrets.token_hex(16) + suffix
        folder = f"{root}/{key[:2]}"
        filesystem.makedirs(folder, exist_ok=True)
        # Written aside and moved into place: a kill in between leaves no half file under a key.
        filesystem.pipe_file(f"{folder}/{key}.part", data)
        filesystem.mv(f"{folder}/{key}.part", f"{folder}/{key}")
        return key

    def get(self, key: str) -> bytes:
        """The bytes stored under `key`. Raises FileNotFoundError."""
        filesystem, root = self._files
        return filesystem.cat_file(f"{root}/{key[:2]}/{key}")

    def delete(self, key: str) -> None:
        """Remove a stored file; one that is gone already is no error."""
        filesystem, root = self._files
        path = f"{root}/{key[:2]}/{key}"
        if filesystem.exists(path):
            filesystem.rm_file(path)


def open_workspace(folder: str | Path | None = None) -> Workspace:
    """Open (and where needed create or migrate) a workspace.

    The folder is `folder`, else $CFREADER_WORKSPACE, else ./workspace. $DATABASE_URL and $CFREADER_FILES replace the
    database and the file store.
    """
    path = Path(folder or os.environ.get("CFREADER_WORKSPACE") or DEFAULT_FOLDER).resolve()
    path.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(
        folder=path,
        database_url=os.environ.get("DATABASE_URL") or f"sqlite:///{path / 'cfreader.sqlite'}",
        files_url=os.environ.get("CFREADER_FILES") or (path / "files").as_uri(),
    )
    upgrade(workspace.engine)
    return workspace


def sha256(data: bytes) -> str:
    """SHA-256 of `data` as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
