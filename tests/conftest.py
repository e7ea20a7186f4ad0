"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from services.workspace import Workspace, open_workspace

# A busy machine must not turn a right answer into a failure.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).parents[1]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """An empty workspace in a temporary folder, also found through $CFREADER_WORKSPACE."""
    monkeypatch.setenv("CFREADER_WORKSPACE", str(tmp_path / "workspace"))
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
