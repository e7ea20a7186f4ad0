"""Stored figures: what they depend on, and when they are stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from services import figures
from services.figures import cached, measured, store


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "benchmarks" / "results")
    (tmp_path / "method.py").write_text("x = 1\n")
    return tmp_path


def test_figures_come_back_until_something_changes(root: Path) -> None:
    result = measured("toy", {"n": 3}, lambda: {"share": 0.5})
    assert result.figures == {"share": 0.5} and result.seconds >= 0 and "torch" in result.versions
    store(result, {"weights": "abc"}, [root / "method.py"])
    again = cached("toy", {"weights": "abc"})
    assert (again["figures"], again["stale"]) == ({"share": 0.5}, False)
    assert cached("toy", {"weights": "other"})["stale"] is True
    (root / "method.py").write_text("x = 2\n")
    assert cached("toy", {"weights": "abc"})["changed"] == ["method.py"]
    (root / "method.py").unlink()
    assert cached("toy", {"weights": "abc"})["stale"] is True


def test_what_was_never_measured_is_not_made_up(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run the command once without --cached"):
        cached("nothing", {})
