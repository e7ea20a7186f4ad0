"""The commands from end to end on the known world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from services import figures
from services.cli.main import app
from services.reproduce.mirror import command, confidence, figure6, rivals, table1, table4, variants
from services.reproduce.mirror.array_sets import absent_sets
from services.reproduce.mirror.columns import Column
from services.reproduce.mirror.material import Entry
from tests.cfcore.metrics.test_lpips import heads, trunk, written

from .conftest import a_column, an_entry

TINY: dict[str, Any] = {"images": {"mnist": 4, "phantom": 4, "ucsd": 4}, "real": 6, "points": 3, "shown": 1}

RIVALS = rivals.Extent(
    {"mnist": 2}, budgets=(0.4,), attack_steps=4, weighed=2, rounds=2, descent=2, negatives=2, searches=1,
    search_steps=2, paths=2, path_steps=2, degrees=(0.0, 1.0), shown=1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One column, the known one; as little as says anything; nothing written to benchmarks/results."""
    column = a_column()

    def known(entry: Entry, decoder: object = None) -> Column:
        return column

    monkeypatch.setattr(command, "entries", lambda models: [an_entry()])
    monkeypatch.setattr(table1, "column_of", known)
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(command, "results_folder", lambda: tmp_path / "results")
    for module in (confidence, table4, variants, figure6, rivals):
        monkeypatch.setattr(module, "column_of", known)
    extent = table1.Extent(validation=0, brief=True, **TINY)
    monkeypatch.setattr(table1, "QUICK", extent)
    monkeypatch.setattr(variants, "QUICK_COMPARISON", extent)
    monkeypatch.setattr(table1, "Extent", lambda: extent)
    few = {"images": TINY["images"]}
    for module in (confidence, table4):
        monkeypatch.setattr(module, "QUICK", confidence.Extent(points=3, **few))
    for module in (variants, figure6):
        monkeypatch.setattr(module, "QUICK", module.Extent(real=6, brief=True, **few))
    monkeypatch.setattr(rivals, "QUICK", RIVALS)


def call(*arguments: str) -> dict[str, Any]:
    found = CliRunner().invoke(app, ["reproduce", *arguments, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    answer: dict[str, Any] = json.loads(found.stdout)
    assert {"name", "figures", "settings", "seconds", "versions", "rows"} <= set(answer)
    assert all(isinstance(value, float) for value in answer["figures"].values())
    return answer


HEADLINES = {
    "mnist_validity", "mnist_denoised_validity", "mnist_l1", "mnist_fail", "mnist_confidence_error",
    "mnist_validity_k1", "mnist_confidence_error_k1", "pgd_mnist_validity", "cem_mnist_fail", "revise_mnist_l1",
    "c3lt_mnist_denoised_validity", "expgan_mnist_fid", "wachter_mnist_seconds", "mnist_denoised_real",
}  # fmt: skip


def test_table1_quickly(tmp_path: Path) -> None:
    found = call("mirror-table1", "--quick")
    assert found["name"] == "reproduce-mirror-table1" and set(found["figures"]) >= HEADLINES
    assert found["settings"]["absent"] == [
        "Toy thirds: no ExplainGAN (cfreader train expgan)",
        "Toy thirds: no C3LT (cfreader train c3lt)",
        *absent_sets(["mnist"]),
    ]
    assert found["settings"]["choices"]["pgd"] == ["40 steps of 1/255", "16 steps of 1/255", "8 steps of 1/255"]
    assert not (tmp_path / "results").exists(), "a quick run is not stored"


def test_a_whole_run_is_kept_with_its_picture_and_grows_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = call("mirror-table1")
    picture = tmp_path / "results" / "reproduce-mirror-table1.png"
    assert made["picture"] == str(picture) and picture.read_bytes().startswith(b"\x89PNG")
    again = call("mirror-table1", "--cached")
    assert (again["figures"], again["rows"], again["stale"]) == (made["figures"], made["rows"], False)
    assert again["inputs"] == {"mnist classifier": "c", "mnist decoder Toy 0": "0", "mnist vae": "v", "toy": "1"}
    assert all(source.startswith(("cfcore/", "services/")) for source in again["sources"])
    monkeypatch.setattr(command, "entries", lambda models: [an_entry("mnist", {"sha256": "2"})])
    assert call("mirror-table1", "--cached")["stale"] is True


def test_another_number_of_images_is_not_stored(tmp_path: Path) -> None:
    found = call("mirror-table1", "--images", "2", "--no-tune", "--out", str(tmp_path / "figure.png"))
    assert found["figures"]["mnist_n"] == 2 and (tmp_path / "figure.png").exists()
    assert not (tmp_path / "results").exists()
    wrong = CliRunner().invoke(app, ["reproduce", "mirror-table1", "--images", "0"])
    assert wrong.exit_code == 1 and "images is 0: choose at least 1" in wrong.output


def test_lpips_is_measured_where_its_weights_are_given(tmp_path: Path) -> None:
    folder = tmp_path / "lpips"
    folder.mkdir()
    missing = CliRunner().invoke(app, ["reproduce", "mirror-table1", "--quick", "--lpips", str(folder)])
    assert missing.exit_code == 1 and "alexnet-owt-7be5be79.pth" in missing.output, missing.output
    network, linear = trunk(), heads()
    network["features.0.weight"].normal_(generator=torch.Generator().manual_seed(0))
    linear["lin0.model.1.weight"] += 1.0
    written(folder, network, linear)
    found = call("mirror-table1", "--lpips", str(folder))
    assert 0 < found["figures"]["pgd_mnist_lpips"] < found["figures"]["mnist_lpips_k1"]
    paper = {row["method"]: row["paper_lpips"] for row in found["rows"] if row["kind"] == "method"}
    assert (paper["mirror"], paper["cem"], paper["wachter"]) == (0.17, 0.06, None)
    assert not (tmp_path / "results").exists(), "not everyone has the weights"


def test_a_person_reads_a_table() -> None:
    found = CliRunner().invoke(app, ["reproduce", "mirror-table1", "--quick"], catch_exceptions=False)
    assert "Mirror-CFE, 1st" in found.output and "absent: Toy thirds: no C3LT" in found.output, found.output
    assert "mnist: |intended - obtained confidence|, mean over k: 0.000" in found.output


def test_nothing_stored_is_said_so() -> None:
    found = CliRunner().invoke(app, ["reproduce", "mirror-table1", "--cached"])
    assert found.exit_code == 1 and "run the command once without --cached" in found.output


SKIP, LAM = {"config": {"variant": "skip"}}, {"recipe": {"lam": 2.0}}
OFFERED = {
    "confidence": ("mnist", (), "mnist_control_error"),
    "table2": ("mnist", (), "multiclass_mnist_validity_k1"),
    "table3": ("ucsd", (), "c3lt_ucsd_denoised_validity"),
    "table4": ("mnist", (), "mnist_feature_reconstruction"),
    "table5": ("ucsd", ({}, SKIP), "skip_ucsd_l1"),
    "table6": ("mnist", ({}, LAM), "lam_2_mnist_validity_k1"),
    "figure6": ("mnist", (), "mnist_neighbours_target"),
    "rivals": ("mnist", (), "pgd_mnist_success_at_0.4"),
}


def offer(monkeypatch: pytest.MonkeyPatch, name: str, *cards: dict[str, Any]) -> None:
    """A column of that name with decoders of these cards, and a C3LT."""
    entry = an_entry(name, *cards)
    entry.rivals["c3lt"] = entry.rivals["vae"]  # type: ignore[index]
    column = a_column(name)
    monkeypatch.setattr(command, "entries", lambda models: [entry])
    for module in (confidence, table1, table4, variants, figure6, rivals):
        monkeypatch.setattr(module, "column_of", lambda entry, decoder=None: column)


@pytest.mark.parametrize("experiment", OFFERED)
def test_every_other_experiment(experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, cards, headline = OFFERED[experiment]
    offer(monkeypatch, name, *cards)
    found = call(f"mirror-{experiment}", "--quick")
    assert found["name"] == f"reproduce-mirror-{experiment}" and headline in found["figures"]
    assert found["rows"] and not (tmp_path / "results").exists()
    told = CliRunner().invoke(app, ["reproduce", f"mirror-{experiment}", "--quick"], catch_exceptions=False)
    assert told.exit_code == 0 and len(told.output.splitlines()) > 1
    missing = CliRunner().invoke(app, ["reproduce", f"mirror-{experiment}", "--cached"])
    assert missing.exit_code == 1 and "run the command once without --cached" in missing.output


def test_all_of_them_say_which_could_not_be_made() -> None:
    found = call("mirror", "--quick")
    assert {row["experiment"] for row in found["rows"]} == {
        "table1",
        "confidence",
        "table2",
        "table4",
        "figure6",
        "rivals",
    }
    left = found["settings"]["left_out"]
    assert [reason.split(":")[0] for reason in left] == ["table3", "table5", "table6"]
    assert "--variant skip" in left[1] and "--loss triangulation_weight=0" in left[2]
    nothing = CliRunner().invoke(app, ["reproduce", "mirror", "--cached"])
    assert nothing.exit_code == 1 and "no stored figures for 'reproduce-mirror'" in nothing.output
