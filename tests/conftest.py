"""Fixtures shared by all tests, and the order in which they run."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from services.workspace import Workspace, open_workspace

# A busy machine must not turn a right answer into a failure.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).parents[1]

# Each of these files takes long enough that a worker which met it last would keep the other one waiting.
LONGEST = (
    "browser/test_journey.py",
    "browser/test_kill.py",
    "test_dockerfile.py",
    "browser/test_questions.py",
    "browser/test_reading_room.py",
    "browser/test_reading_views.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, browser tests next, so that the workers (Makefile) end together; within a file the order
    stays as it is written."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        name = item.path.relative_to(ROOT / "tests").as_posix()
        return LONGEST.index(name) if name in LONGEST else len(LONGEST), not name.startswith("browser/")

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Modules are no garbage: Streamlit and statsmodels collect after every run and every call, and would walk a
    million objects of torch and pandas each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database of the newest schema, to be copied; the migrations have tests of their own."""
    with pytest.MonkeyPatch.context() as without:
        without.delenv("DATABASE_URL", raising=False)
        made = open_workspace(tmp_path_factory.mktemp("migrated"))
    made.engine.dispose()
    return made.folder / "cfreader.sqlite"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_database: Path) -> Iterator[Workspace]:
    """An empty workspace in a temporary folder, also found through $CFREADER_WORKSPACE."""
    folder = tmp_path / "workspace"
    monkeypatch.setenv("CFREADER_WORKSPACE", str(folder))
    folder.mkdir()
    shutil.copy(migrated_database, folder)
    opened = open_workspace()
    yield opened
    opened.engine.dispose()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with real radiographs; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CFREADER_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set CFREADER_DATA to a folder that has it")
    return folder
