"""The commands that search: what a person chooses reaches the run, and what it found is told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import services.datasets
import services.models
from cfcore.engines.registry import engine_class
from services.cli import explain
from services.cli.main import app
from services.explain_settings import ExplainSettings
from services.runs import DirectionView

COMMON = ("--dataset", "D", "--classifier", "C", "--generator", "G", "--target", "Yes")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The settings of the runs that commands start; nothing is searched."""
    found: list[dict[str, Any]] = []

    def run(opened: object, kind: str, name: str, settings: dict[str, Any], *rest: Any, **ids: Any) -> Any:
        assert kind == "explain" and ids == {"dataset_id": 1, "classifier_id": 2, "generator_id": 2}
        found.append(settings | {"name": name})
        result = {"explained": 0.5, "n": 4, "suggested_degree": 3.5}
        return SimpleNamespace(id=7, directions=(DirectionView(1, 1, "v1 +", 2.0, 0.9, True),), result=result)

    monkeypatch.setattr(explain, "run_to_end", run)
    monkeypatch.setattr(explain, "with_shipped", lambda folder: None)
    monkeypatch.setattr(services.datasets, "dataset_named", lambda *_: SimpleNamespace(id=1))
    monkeypatch.setattr(services.models, "model_named", lambda *_: SimpleNamespace(id=2))
    return found


def config_of(settings: dict[str, Any]) -> Any:
    """The engine's own Config: whatever a command offers, the engine must know."""
    parsed = ExplainSettings.of(settings)
    return parsed.config_of(engine_class(parsed.engine))


def test_every_short_cut_of_eigenfind_can_be_chosen(started: list[dict[str, Any]]) -> None:
    for extra in ([], ["--race", "3", "--refine", "20"], ["--prerank", "16", "--halving", "1"]):
        done = CliRunner().invoke(app, ["eigenfind", *COMMON, *extra])
        assert done.exit_code == 0, done.output
    plain, raced, short = (config_of(settings) for settings in started)
    assert (plain.race, plain.prerank, plain.halving, plain.refine) == (0, 0, 0, 0), "off unless asked for"
    assert (raced.race, raced.refine) == (3.0, 20) and (short.prerank, short.halving) == (16, 1)
    assert started[0]["name"] == "EigenFind, Yes"
    assert "90 % of the images of the search flip at degree 3.5" in done.output and "explained 50.0%" in done.output


def test_attfind_can_be_run_in_both_selections_and_both_searches(started: list[dict[str, Any]]) -> None:
    for extra in ([], ["--selection", "subset", "--verified", "1", "--k", "5", "--degree", "2", "--refine", "10"]):
        done = CliRunner().invoke(app, ["attfind", *COMMON, *extra, "--n", "9", "--seed", "4", "--json"])
        assert done.exit_code == 0, done.output
    short, full = (config_of(settings) for settings in started)
    assert (short.selection, short.verified, short.refine) == ("independent", 0.04, 0)
    assert (full.selection, full.verified, full.k, full.degree, full.refine) == ("subset", 1.0, 5, 2.0, 10)
    assert started[0]["images"] == {"split": "test", "n": 9, "seed": 4, "case": "all"}
    found = json.loads(done.stdout)
    assert found["run"] == 7 and found["directions"][0]["name"] == "v1 +" and found["suggested_degree"] == 3.5


def test_any_method_can_be_run_by_its_key(started: list[dict[str, Any]]) -> None:
    words = ["explain", "medxgan", *COMMON, "--set", "realisations=3", "--set", "rate=0.1", "--set", "warm=false"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    config = config_of(started[0])
    assert (config.realisations, config.rate, config.warm) == (3, 0.1, False)
    assert started[0]["name"] == "medXGAN, Yes"


@pytest.mark.parametrize("words", [["explain", "expgan"], ["explain", "gradcam"], ["eigenfind"], ["attfind"]])
def test_every_method_can_start_from_the_classifiers_errors(started: list[dict[str, Any]], words: list[str]) -> None:
    for extra in ([], ["--case", "error"], ["--case", "odd"]):
        done = CliRunner().invoke(app, [*words, *COMMON, *extra])
        assert done.exit_code == 0, done.output
    every, wrong = (ExplainSettings.of(settings) for settings in started[:2])
    assert (every.images.case, wrong.images.case) == ("all", "error")
    # A method that looks for each image's counterfactual alone asks for no images but those.
    own = "expgan" in words
    assert (wrong.fit.split, wrong.fit.case) == (("test", "error") if own else ("val", "all"))
    with pytest.raises(ValueError, match="no case 'odd'"):
        ExplainSettings.of(started[2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["magic", *COMMON], "no method 'magic'; known are eigenfind"),
        (["medxgan", *COMMON[:4], *COMMON[6:]], "needs a generator: name one with --generator"),
        (["medxgan", *COMMON, "--set", "steps"], "write SETTING=VALUE; medXGAN has realisations"),
    ],
)
def test_what_explain_cannot_do(started: list[dict[str, Any]], words: list[str], message: str) -> None:
    done = CliRunner().invoke(app, ["explain", *words])
    assert done.exit_code == 1 and message in " ".join(done.output.split()).replace("No method", "no method")
    assert not started
