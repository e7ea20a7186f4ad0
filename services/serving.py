"""The one workspace that this server process serves."""

from __future__ import annotations

import os
import threading

from services.workspace import Workspace, open_workspace

_opened: dict[tuple[str | None, str | None, str | None], Workspace] = {}
_lock = threading.Lock()


def workspace() -> Workspace:
    """The workspace named by the environment (see `open_workspace`), opened and migrated once per process."""
    place = (
        os.environ.get("CFREADER_WORKSPACE"),
        os.environ.get("DATABASE_URL"),
        os.environ.get("CFREADER_FILES"),
    )
    with _lock:
        if place not in _opened:
            _opened[place] = open_workspace()
        return _opened[place]
