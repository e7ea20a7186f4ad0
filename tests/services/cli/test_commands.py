"""The command line, as a researcher without a browser uses it: phantom, train, evaluate, search."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from services.cli.main import app
from services.models import list_models, model_named
from services.workspace import Workspace


def call(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 1
    return result.output


@pytest.mark.timeout(300)
def test_phantom_to_eigenvectors(workspace: Workspace) -> None:
    call("phantom", "--name", "toy", "--n", "80", "--size", "64", "--seed", "3")
    trained = call(
        "train", "classifier", "--dataset", "toy", "--positive", "Cardiomegaly", "--name", "C", "--size", "32",
        "--iterations", "12", "--batch", "8", "--patience", "1", "--tensorboard",
    )  # fmt: skip
    assert list(workspace.folder.rglob("events.out.*"))
    call("train", "classifier", "--dataset", "toy", "--positive", "Cardiomegaly", "--name", "C2", "--size", "32",
         "--iterations", "2", "--batch", "8")  # fmt: skip
    evaluated = call("evaluate", "classifier", "C", "--dataset", "toy")
    assert set(evaluated) == {"name", "figures", "settings", "seconds", "versions"}
    assert evaluated["figures"]["auc"] == pytest.approx(trained["auc"], abs=0.05)  # type: ignore[index]
    drawn = call(
        "train", "stylex", "--dataset", "toy", "--classifier", "C", "--name", "G", "--iterations", "6", "--batch", "4"
    )
    second = call(
        "train", "stylex", "--dataset", "toy", "--classifier", "C", "--name", "G2", "--iterations", "2", "--batch", "4",
        "--recipe", "adversarial", "--start-from", "G", "--accumulate", "2", "--precision", "bf16-mixed",
    )  # fmt: skip
    assert second["ssim"] is not None
    card = model_named(workspace, "G2", "stylex").card
    assert card["images_seen"] == 6 * 4 + 2 * 4
    assert card["started_from"]["name"] == "G"
    assert card["classifier"] == "C"
    assert card["command"] == (
        "cfreader train stylex --dataset toy --name G2 --classifier C --iterations 2 --batch 4 --recipe adversarial "
        "--start-from G --accumulate 2 --precision bf16-mixed --seed 0"
    )
    call("train", "stylex", "--dataset", "toy", "--classifier", "C", "--name", "G3", "--iterations", "2", "--batch",
         "4", "--recipe", "continue", "--start-from", "G", "--share", "toy:C2", "--encoder-passes", "2")  # fmt: skip
    shared = [model_named(workspace, name, "stylex") for name in ("C, StylEx", "C2, StylEx")]
    assert shared[0].sha256 == shared[1].sha256
    assert [model.card["class_rows"] for model in shared] == [[0, 1], [2, 3]]
    assert [model.card["classifier"] for model in shared] == ["C", "C2"]
    assert shared[1].card["command"].endswith("--start-from G --share toy:C2 --encoder-passes 2 --seed 0")
    assert call("evaluate", "stylex", "C2, StylEx", "--dataset", "toy")["figures"]["l1"] < 1  # type: ignore[index,operator]
    assert "--share takes DATASET:CLASSIFIER, not 'toy'" in refused(
        "train", "stylex", "--dataset", "toy", "--classifier", "C", "--share", "toy"
    )
    listed = {model.name: model.card for model in list_models(workspace, "stylex")}
    assert listed["G"]["detail"]["components"] > 0 and listed["G"]["test"]["n"] > 0
    layered = call("train", "detail", "--generator", "G", "--dataset", "toy", "--components", "2", "--name", "G4")
    again = model_named(workspace, "G4", "stylex")
    assert again.card["detail"]["components"] == 2 and again.sha256 != model_named(workspace, "G", "stylex").sha256
    assert again.card["detail"]["command"] == (
        "cfreader train detail --generator G --dataset toy --components 2 --seed 0"
    )
    assert layered["l1"] == pytest.approx(again.card["test"]["l1"])
    assert layered["without"]["l1"] == pytest.approx(listed["G"]["detail"]["test_without"]["l1"], abs=0.01)  # type: ignore[index]
    assert "no stylex called 'G9'" in refused("train", "detail", "--generator", "G9", "--dataset", "toy")
    measured = call("evaluate", "stylex", "G", "--dataset", "toy")
    assert measured["figures"]["l1"] == pytest.approx(drawn["l1"], abs=0.01)  # type: ignore[index]
    assert 0 < drawn["l1"] < 1  # type: ignore[operator]
    classes = ("Cardiomegaly", "No cardiomegaly")
    for target in classes:  # a barely trained classifier may call every image the same
        result = CliRunner().invoke(
            app,
            ["eigenfind", "--dataset", "toy", "--classifier", "C", "--generator", "G", "--target", target, "--n", "3",
             "--fit-split", "train", "--fit-n", "3", "--scan", "2", "--k", "2", "--split", "train", "--json"],
        )  # fmt: skip
        if result.exit_code == 0:
            found = json.loads(result.stdout)
            assert [d["name"][:2] for d in found["directions"]].count("v1") == 2
            assert 0 <= found["explained"] <= 1
            break
        assert "already" in result.output or "no image" in result.output.lower(), result.output
    else:
        pytest.fail("neither target could be searched")
    listed = call("list")
    assert {"C", "G"} <= {m["name"] for m in listed["models"]}  # type: ignore[index,attr-defined]
    assert {r["state"] for r in listed["runs"]} <= {"done", "failed"}  # type: ignore[index,attr-defined]


def test_import_shows_bad_files_by_name_and_takes_the_rest(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for label in ("NORMAL", "PNEUMONIA"):
        (folder / label).mkdir(parents=True)
        for i in range(3):
            pixels = np.random.default_rng(i).integers(0, 256, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")
    (folder / "NORMAL" / "broken.png").write_bytes(b"not an image")
    found = call("import", str(folder), "--name", "mine")
    assert found["imported"] == 6
    one = call("import", str(folder), "--name", "one", "--only", "NORMAL", "--layout", "folder")
    assert (one["imported"], len(one["skipped"])) == (3, 1)  # type: ignore[arg-type]
    both = call("import", str(folder), "--name", "both", "--only", "NORMAL", "--only", "PNEUMONIA")
    assert both["imported"] == 6
    assert "in a folder called 'NOWHERE'" in refused("import", str(folder), "--name", "none", "--only", "NOWHERE")
    assert [row["file"] for row in found["skipped"]] == ["NORMAL/broken.png"]  # type: ignore[index,attr-defined]


def test_errors_are_one_line_that_says_what_to_do(workspace: Workspace) -> None:
    assert "no data set called 'nowhere'; there are: none" in refused(
        "train", "classifier", "--dataset", "nowhere", "--positive", "X"
    )
    assert "no classifier called 'C'" in refused("evaluate", "classifier", "C", "--dataset", "nowhere")
    assert "Traceback" not in refused("import", "/does/not/exist", "--name", "x")


@pytest.mark.timeout(300)
def test_the_phantom_is_measured_quickly(workspace: Workspace) -> None:
    result = call("bench", "phantom", "--quick")
    figures = result["figures"]
    assert result["settings"]["held_out"] == 100  # type: ignore[index]
    assert figures["device_auc"] > 0.95 and figures["ctr_error"] < 0.02  # type: ignore[index]
    assert figures["densenet_auc_cardiomegaly"] > figures["logistic_auc_cardiomegaly"]  # type: ignore[index]
    stored = call("bench", "phantom", "--cached")
    assert stored["figures"]["pca128_l1"] >= 0.025  # type: ignore[index]
    assert isinstance(stored["stale"], bool)


@pytest.mark.timeout(300)
def test_phantom_to_realisations(workspace: Workspace) -> None:
    call("phantom", "--name", "toy", "--pathology", "effusion", "--n", "80", "--size", "64", "--seed", "3")
    call(
        "train", "classifier", "--dataset", "toy", "--positive", "Effusion", "--name", "C", "--size", "32",
        "--architecture", "small-cnn", "--width", "0.25", "--iterations", "150", "--batch", "16",
    )  # fmt: skip
    assert model_named(workspace, "C", "classifier").card["width"] == 0.25
    drawn = call(
        "train", "medxgan", "--dataset", "toy", "--classifier", "C", "--name", "G", "--iterations", "6", "--batch", "8"
    )
    assert {"negative_accuracy", "positive_accuracy", "l1", "agreement", "other_class"} <= set(drawn)
    call("train", "medxgan", "--dataset", "toy", "--classifier", "C", "--name", "P", "--iterations", "2", "--batch",
         "8", "--recipe", "paper", "--anatomy", "12", "--pathology", "3", "--width", "0.25", "--loss",
         "class_weight=3.5")  # fmt: skip
    card = model_named(workspace, "P", "medxgan").card
    assert card["command"] == (
        "cfreader train medxgan --dataset toy --name P --classifier C --width 0.25 --iterations 2 --batch 8 "
        "--recipe paper --anatomy 12 --pathology 3 --loss class_weight=3.5 --seed 0"
    )
    assert (card["config"]["anatomy"], card["config"]["pathology"]) == (12, 3)
    assert card["config"]["channels"]["4"] == 64 and card["settings"]["losses"] == {"class_weight": 3.5}
    assert card["config"]["encoder"] is False and "l1" not in card["test"]
    pair = ("--dataset", "toy", "--classifier", "C", "--target", "No Effusion", "--n", "2", "--fit-n", "2")
    found = call("explain", "medxgan", *pair, "--generator", "G", "--set", "steps=20")
    assert found["n"] == 2 and found["directions"][0]["name"] == "negative"  # type: ignore[index]
    text = " ".join(refused("train", "medxgan", "--dataset", "toy", "--classifier", "C", "--recipe", "magic").split())
    assert "o recipe 'magic'; there are covered, guided, paper" in text
