"""The commands from end to end on the known world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cfcore.images.phantom import VERSION
from services import figures
from services.cli.main import app
from services.reproduce import result
from services.reproduce.material import Shipped
from services.reproduce.medxgan import command, failures, lig, monotone, table1, table2, table3

from .conftest import a_card, spot_column

EXPERIMENTS = ("table1", "table2", "lig", "table3", "monotone", "failures")
# One figure of each, as the experiments' own tests know them.
HEADLINES = (
    "generated_accuracy_phantom", "real_auc_phantom", "collapse_phantom", "drop_medxgan", "drop_gradcam", "drop_ig",
    "lig_pixel_share", "iou_lig", "restart_cosine", "restart_ssim", "steps_saved", "monotone_share",
    "inversion_l1_phantom",
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One shipped generator, the known one; as little as says anything; nothing written to benchmarks/results."""
    column = spot_column()
    monkeypatch.setattr(Shipped, "inputs", {"toy generator": "1"})
    monkeypatch.setattr(command, "shipped_medxgan", lambda: [a_card()])
    monkeypatch.setattr(command, "column_of", lambda shipped, beside: column)
    for module in (figures, result):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    few: dict[str, Any] = {"pool": 4, "images": 2}
    tiny = (
        (table1, table1.Extent(anatomies=8, real=8)),
        (table2, table2.Extent(shown=1, **few)),
        (lig, lig.Extent(shown=1, steps=2, **few)),
        (table3, table3.Extent(starts=2, steps=6, patience=2, **few)),
        (monotone, monotone.Extent(shown=1, **few)),
        (failures, failures.Extent(shown=1, **few)),
    )
    for experiment, extent in tiny:
        monkeypatch.setattr(experiment, "QUICK", extent)
        monkeypatch.setattr(experiment, "Extent", lambda extent=extent: extent)


def call(*arguments: str) -> dict[str, Any]:
    found = CliRunner().invoke(app, ["reproduce", *arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    answer: dict[str, Any] = json.loads(found.stdout)
    assert {"name", "figures", "settings", "seconds", "versions", "rows"} <= set(answer)
    assert all(isinstance(value, float) for value in answer["figures"].values())
    return answer


@pytest.mark.timeout(300)
def test_all_of_them_quickly(tmp_path: Path) -> None:
    found = call("medxgan", "--quick")
    assert found["name"] == "reproduce-medxgan" and set(HEADLINES) <= set(found["figures"])
    assert [*dict.fromkeys(row["experiment"] for row in found["rows"])] == [*EXPERIMENTS]
    assert found["settings"]["table3"]["starts"] == 2 and found["settings"]["generators"] == ["Toy phantom"]
    assert not (tmp_path / "results").exists(), "a quick run is not stored"


@pytest.mark.timeout(300)
def test_a_full_run_is_kept_with_its_picture_and_grows_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = call("medxgan-monotone")
    picture = tmp_path / "results" / "reproduce-medxgan-monotone.png"
    assert made["picture"] == str(picture) and picture.read_bytes().startswith(b"\x89PNG")
    again = call("medxgan-monotone", "--cached")
    assert (again["figures"], again["rows"], again["stale"]) == (made["figures"], made["rows"], False)
    assert again["inputs"] == {"toy generator": "1", "phantom": VERSION}
    monkeypatch.setattr(Shipped, "inputs", {"toy generator": "2"})
    assert call("medxgan-monotone", "--cached")["stale"] is True


@pytest.mark.timeout(300)
def test_all_of_them_are_recalled_from_what_each_has_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {experiment: call(f"medxgan-{experiment}") for experiment in EXPERIMENTS}
    again = call("medxgan", "--cached")
    assert again["figures"] == {k: value for part in parts.values() for k, value in part["figures"].items()}
    assert len(again["rows"]) == sum(len(part["rows"]) for part in parts.values()) and again["stale"] is False
    stored = tmp_path / "results" / "reproduce-medxgan-lig.json"
    old = json.loads(stored.read_text()) | {"inputs": {"toy generator": "0"}}
    stored.write_text(json.dumps(old))
    assert call("medxgan", "--cached")["stale"] is True
    stored.unlink()
    gone = CliRunner().invoke(app, ["reproduce", "medxgan", "--cached"])
    assert gone.exit_code == 1 and "no stored figures for 'reproduce-medxgan-lig'" in gone.output


@pytest.mark.timeout(300)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_person_reads_a_table(experiment: str, tmp_path: Path) -> None:
    place = tmp_path / "figure.png"
    asked = ["reproduce", f"medxgan-{experiment}", "--quick"] + ["--out", str(place)] * (experiment != "table1")
    found = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert found.exit_code == 0 and any(name in found.output for name in HEADLINES), found.output
    assert ("picture: " in found.output) == place.exists() == (experiment != "table1")


def test_another_extent_of_table3_can_be_asked_for_and_is_not_stored(tmp_path: Path) -> None:
    found = call("medxgan-table3", "--steps", "3", "--images", "1")
    assert (found["settings"]["steps"], found["settings"]["images"], len(found["rows"])) == (3, 1, 1)
    assert found["picture"] is None and not (tmp_path / "results").exists()
    assert call("medxgan-table3", "--steps", "6")["picture"] is not None, "the usual number, said aloud"


def test_nothing_stored_is_said_so() -> None:
    for name in ("", *(f"-{experiment}" for experiment in EXPERIMENTS)):
        found = CliRunner().invoke(app, ["reproduce", f"medxgan{name}", "--cached"])
        assert found.exit_code == 1 and "run the command once without --cached" in found.output
