"""`train stylex --start-from` a generator of fewer pixels, as a researcher calls it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from cfcore.generators.stylex.model import load_stylex
from services.cli.main import app
from services.models import generator_folder, model_named
from services.workspace import Workspace


def call(*arguments: str) -> dict[str, float]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, float] = json.loads(result.stdout.strip().splitlines()[-1])
    return found


@pytest.mark.timeout(300)
def test_a_generator_of_64_px_goes_on_at_128(workspace: Workspace) -> None:
    call("phantom", "--name", "toy", "--n", "40", "--size", "128", "--seed", "3")
    for size in (32, 64, 128):
        call("train", "classifier", "--dataset", "toy", "--positive", "Cardiomegaly", "--name", f"C{size}",
             "--size", str(size), "--architecture", "small-cnn", "--iterations", "2", "--batch", "8")  # fmt: skip
    training = ["train", "stylex", "--dataset", "toy", "--batch", "4", "--detail", "0"]
    small = call(*training, "--classifier", "C64", "--name", "G64", "--iterations", "4")
    grown = call(*training, "--classifier", "C128", "--name", "G128", "--recipe", "continue", "--iterations", "1",
                 "--start-from", "G64")  # fmt: skip
    assert grown["l1"] == pytest.approx(small["l1"], abs=0.02)
    model = model_named(workspace, "G128", "stylex")
    assert model.card["started_from"]["name"] == "G64" and model.card["images_seen"] == 20
    assert load_stylex(generator_folder(workspace, model.id)).config.size == 128
    call(*training, "--classifier", "C32", "--name", "G32", "--iterations", "1")
    refused = CliRunner().invoke(
        app, [*training, "--classifier", "C64", "--recipe", "continue", "--iterations", "1", "--start-from", "G32"]
    )
    assert refused.exit_code == 1 and "by default from 64 px on" in " ".join(refused.output.split())
    refused = CliRunner().invoke(
        app, [*training, "--classifier", "C32", "--recipe", "continue", "--iterations", "1", "--start-from", "G64"]
    )
    assert refused.exit_code == 1 and "draws 64 px, the classifier takes 32 px" in " ".join(refused.output.split())
