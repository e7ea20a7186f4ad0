"""What several restarts cost and bring, on the known world, and the command that says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services import figures, inversion_bench
from services.cli.main import app
from services.inversion_bench import Extent, searched
from services.reproduce.material import Shipped
from tests.services.reproduce.medxgan.conftest import a_card, spot_column

SMALL = Extent(pool=4, images=2, restarts=3)


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One shipped generator, the known one; nothing written to benchmarks/results."""
    monkeypatch.setattr(Shipped, "inputs", {"toy generator": "1"})
    monkeypatch.setattr(inversion_bench, "shipped_medxgan", lambda: [a_card()])
    monkeypatch.setattr(inversion_bench, "column_of", lambda shipped, beside: spot_column())
    monkeypatch.setattr(figures, "RESULTS", tmp_path)


def test_the_best_of_several_starts_is_closer_than_their_mean() -> None:
    told: list[float] = []
    found = searched(spot_column(), SMALL, lambda share, message: told.append(share))
    assert 0 <= found["mse_best"] <= found["mse_mean"] < 0.01 and told
    assert 0 < found["steps"] <= found["steps_most"] < 10_000
    assert found["steps_saved"] == pytest.approx(1 - found["steps"] / 10_000)
    assert found["seconds_100"] == pytest.approx(50 * found["seconds"])
    assert found["ms_step"] == pytest.approx(1000 * found["seconds"] / (6 * found["steps"]))


def test_a_full_run_is_kept_and_what_was_calculated_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUICK", "Extent"):
        monkeypatch.setattr(inversion_bench, name, SMALL if name == "QUICK" else lambda: SMALL)
    nothing = CliRunner().invoke(app, ["bench", "inversion", "--cached"])
    assert nothing.exit_code == 1 and "run the command once without --cached" in nothing.output
    quick = CliRunner().invoke(app, ["bench", "inversion", "--quick"], catch_exceptions=False)
    marked = [line.split()[0] for line in quick.output.splitlines() if "EXTRAPOLATED" in line]
    assert marked == ["seconds_100_phantom"] and not list(tmp_path.iterdir())
    full = CliRunner().invoke(app, ["bench", "inversion", "--json"], catch_exceptions=False)
    kept = CliRunner().invoke(app, ["bench", "inversion", "--cached", "--json"], catch_exceptions=False)
    one, two = (json.loads(run.stdout) for run in (full, kept))
    assert one["figures"] == two["figures"] and two["stale"] is False and one["settings"]["threads"] >= 1
