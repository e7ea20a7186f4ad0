"""VAE, ExplainGAN and C3LT from the command line: what the cards say, and which VAE is taken."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.models import generator_folder, load_generator, model_named
from services.workspace import Workspace

PAIR = ("--dataset", "toy", "--classifier", "C")
SHORT = ("--iterations", "3", "--batch", "8")


def call(*arguments: str) -> dict[str, float]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, float] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == 1
    return " ".join(result.output.split())


@pytest.fixture
def trained(workspace: Workspace) -> Workspace:
    """A toy data set and a small classifier of 32 px."""
    call("phantom", "--name", "toy", "--pathology", "effusion", "--n", "40", "--size", "64", "--seed", "3")
    call(
        "train", "classifier", "--dataset", "toy", "--positive", "Effusion", "--name", "C", "--size", "32",
        "--architecture", "small-cnn", "--width", "0.25", "--iterations", "60", "--batch", "16",
    )  # fmt: skip
    return workspace


@pytest.mark.timeout(300)
def test_from_a_vae_to_c3lt_and_explaingan(trained: Workspace) -> None:
    assert "this classifier has none: train one first" in refused("train", "c3lt", *PAIR, *SHORT)
    assert set(call("train", "vae", *PAIR, *SHORT, "--name", "V")) >= {"l1", "agreement", "seconds"}
    call("train", "vae", *PAIR, *SHORT, "--recipe", "gaussian", "--patience", "1")
    newest = model_named(trained, "C, VAE", "vae")
    assert newest.card["command"] == (
        "cfreader train vae --dataset toy --name 'C, VAE' --classifier C --iterations 3 --batch 8 --recipe gaussian "
        "--patience 1 --seed 0"
    )
    moved = call("train", "c3lt", *PAIR, *SHORT)
    assert set(moved) >= {"validity", "l1_moved", "l1", "agreement"}
    card = model_named(trained, "C, C3LT", "c3lt").card
    assert card["vae"] == {"name": "C, VAE", "sha256": newest.sha256} and card["test"]["n"] > 0
    assert card["command"].endswith("--iterations 3 --batch 8 --recipe short --vae 'C, VAE' --seed 0")
    judged = ("--loss", "adversarial_weight=0.1", "--loss", "class_every=1")
    call("train", "c3lt", *PAIR, *SHORT, "--vae", "V", "--recipe", "paper", "--name", "old", *judged)
    card = model_named(trained, "old", "c3lt").card
    assert card["vae"]["name"] == "V" and card["settings"]["losses"] == {"adversarial_weight": 0.1, "class_every": 1}
    assert card["command"].endswith("--vae V --loss adversarial_weight=0.1 --loss class_every=1 --seed 0")
    assert "names are class_weight" in refused("train", "expgan", *PAIR, "--loss", "lam=2")
    drawn = call("train", "expgan", *PAIR, *SHORT)
    assert set(drawn) >= {"validity", "l1_moved", "l1", "agreement"}
    card = model_named(trained, "C, ExplainGAN", "expgan").card
    assert card["classifier"] == "C" and card["classes"] == ["No Effusion", "Effusion"]
    assert card["images_seen"] == 3 * 8 and card["config"]["size"] == 32
    for kind, name in (("vae", "V"), ("c3lt", "old"), ("expgan", "C, ExplainGAN")):
        model = model_named(trained, name, kind)
        assert model.classifier_id == model_named(trained, "C", "classifier").id
        assert load_generator(trained, model.id).kind == kind
        assert sorted(path.name for path in generator_folder(trained, model.id).iterdir()) == [
            "card.json",
            "weights.safetensors",
        ]
    assert "no recipe 'magic'; there are short, full" in refused("train", "expgan", *PAIR, "--recipe", "magic").replace(
        "No recipe", "no recipe"
    )
    assert "no vae called 'W'; there are: MNIST, VAE, Phantom effusion, VAE, UCSD pneumonia, VAE, V, C, VAE" in refused(
        "train", "c3lt", *PAIR, "--vae", "W"
    )
