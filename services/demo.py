"""The demo workspace: phantoms, shipped models, one run, a study read by simulated readers, one that waits for you.

Kept light: `make run` asks at every start whether the demo is there, and torch alone takes seconds to load.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from db.models import Account, Dataset
from services.workspace import Workspace

Progress = Callable[[float, str], None]

# Written into the flag file at the end: a newer demo is completed, a finished one is left alone.
VERSION = "1"
SIZE, N_IMAGES = 512, 110


def silent(share: float, message: str) -> None:
    """A progress that nobody watches."""


def prepare_demo(
    workspace: Workspace, progress: Progress = silent, *, size: int = SIZE, n_images: int = N_IMAGES
) -> None:
    """Fill an empty workspace with the demo; what is there already is kept, so a second call ends at once.

    A workspace that has data of its own and is no demo is left alone: the demo opens without a password.

    Args:
        size: pixels of the phantom radiographs. n_images: how many; 42 of them must be predicted healthy.

    Raises:
        DemoRefused (a ValueError): the shipped weights are missing, or the run failed.
    """
    flag = workspace.folder / "demo"
    if flag.exists() and flag.read_text() == VERSION:
        progress(1.0, "the demo is ready")
        return
    if not flag.exists() and _in_use(workspace):
        progress(1.0, "this workspace has data of its own and is left as it is")
        return
    flag.touch()
    from services.demo_parts import fill

    fill(workspace, progress, size, n_images)
    flag.write_text(VERSION)
    progress(1.0, "the demo is ready")


def _in_use(workspace: Workspace) -> bool:
    with workspace.session() as session:
        password = session.scalar(sa.select(Account.id).where(Account.password_hash.is_not(None)).limit(1))
        return password is not None or session.scalar(sa.select(Dataset.id).limit(1)) is not None
