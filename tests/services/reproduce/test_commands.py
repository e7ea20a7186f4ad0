"""The commands from end to end on the shipped models, with as few images as say anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services import figures
from services.cli.main import app
from services.reproduce import figure1, result, table1, table2
from services.reproduce.material import shipped_generators


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two images instead of hundreds, nothing written to benchmarks/results, no real radiographs."""
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path))
    for module in (figures, result):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    tiny: dict[str, Any] = {"rank": 2, "k": 2, "every": False}
    monkeypatch.setattr(table1, "QUICK", table1.Extent(test=2, exhaustive=0, verified=0.002, **tiny))
    monkeypatch.setattr(table2, "QUICK", table2.Extent(effects=2, read=2, arms=1, scan=4, **tiny))
    monkeypatch.setattr(figure1, "QUICK", figure1.Extent(pool=2, shown=1, scan=4, **tiny))


def call(*arguments: str) -> dict[str, Any]:
    found = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    answer: dict[str, Any] = json.loads(found.stdout)
    assert {"name", "figures", "settings", "seconds", "versions", "rows"} <= set(answer)
    assert all(isinstance(value, float) for value in answer["figures"].values())
    return answer


@pytest.mark.timeout(900)
def test_table1(tmp_path: Path) -> None:
    first = shipped_generators()[0]
    found = call("reproduce", "eigenfind-table1", "--quick")
    assert found["name"] == "reproduce-eigenfind-table1" and first.name in found["settings"]["generators"]
    assert {row["rendering"] for row in found["rows"]} == {"plain", "detail transfer"}
    assert 0 <= found["figures"]["explained_phantom_min"] <= 1
    assert found["figures"][f"n_{first.key}"] == 2 and found["figures"]["pass_ratio"] > 1
    assert not (tmp_path / "results").exists(), "a quick run is not stored"


@pytest.mark.timeout(900)
def test_table2(tmp_path: Path) -> None:
    found = call("reproduce", "eigenfind-table2", "--quick")
    truth = [row for row in found["rows"] if row["kind"] == "truth"]
    assert len(truth) == 2 * 11 and {row["rank"] for row in truth} == {1, 2}
    assert ("shortcut_found" in found["figures"]) == any(g.shortcut for g in shipped_generators()[:1])
    assert "coupled phantom" in found["settings"]["shortcut"]
    assert not (tmp_path / "results").exists()


@pytest.mark.timeout(900)
def test_figure1(tmp_path: Path) -> None:
    found = call("reproduce", "eigenfind-figure1", "--quick", "--out", str(tmp_path / "figure.png"))
    assert found["figures"]["shown"] == 1 and (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    row = found["rows"][0]
    assert 0 <= row["p_source"] < 0.5 and row["direction"].startswith("v")
    other = call("reproduce", "eigenfind-figure1", "--quick", "--basis", "balanced")
    assert (other["name"], other["settings"]["basis"]) == ("reproduce-eigenfind-figure1-balanced", "balanced")


@pytest.mark.timeout(900)
def test_a_stored_run_comes_back_and_grows_stale(tmp_path: Path) -> None:
    generators = [g for g in shipped_generators() if g.source == "phantom" and g.size == 64 and not g.shortcut]
    run = result.reproduce("toy", generators, {"n": 1}, lambda here: result.Part({"share": 0.5}, [{"n": len(here)}]))
    result.keep(run, generators, ["services/reproduce/result.py"])
    again = result.recall("toy", generators)
    assert (again["figures"], again["rows"], again["stale"]) == ({"share": 0.5}, [{"n": len(generators)}], False)
    assert result.recall("toy", generators[:-1])["stale"] is True
    real = [g for g in shipped_generators() if g.source != "phantom"]
    if real:
        left = result.reproduce("left", real, {}, lambda here: result.Part({}, []))
        result.keep(left, real, [])
        assert left.settings["generators"] == [] and "set CFREADER_DATA" in left.settings["left_out"][0]
        assert not (tmp_path / "results" / "left.json").exists(), "what is not whole is not stored"
