"""The comparison of refined with encoded codes: sound figures on a small pair, and the command that prints them."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFindConfig
from cfcore.generators.stylex import StylEx
from services import refinement_bench
from services.cli.main import app
from services.refinement_bench import refined
from tests.services.test_eigenfind_bench import networks

__all__ = ["networks"]


def test_steps_bring_reconstructions_closer(networks: tuple[Classifier, StylEx, Tensor]) -> None:
    classifier, generator, images = networks
    plain, closer = (
        refined(classifier, generator, images, images, EigenFindConfig(scan=6, k=3, refine=steps)) for steps in (0, 8)
    )
    assert closer["l1"] < plain["l1"] and closer["ms"] > 0
    for found in (plain, closer):
        assert all(0 <= found[name] <= 1 for name in ("kept", "gap", "raw", "raw_transfer"))
        assert ("degree" in found) == ("degree_l1" in found)
        if "explained" in found and found["explained"] > 0:
            assert 0 < found["moved_l1"] <= 0.1, "farther moves do not count as explained"


def test_a_lower_degree_moves_less(networks: tuple[Classifier, StylEx, Tensor]) -> None:
    classifier, generator, images = networks
    engine = refinement_bench.EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=6, k=6), generator=generator)
    assert any(engine.explain(images, 1, rendering="plain").flipped)
    near, far = (refinement_bench._moved_l1(engine, images, degree) for degree in (1.0, 4.0))
    assert 0 < near < far


def test_the_command_prints_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement_bench, "refined", lambda *_: {"l1": 0.04, "degree": 4.5})
    out = CliRunner().invoke(app, ["bench", "refinement", "--quick", "--json"])
    assert out.exit_code == 0, out.output
    found = json.loads(out.output)
    first = refinement_bench.shipped_generators()[0].key
    assert found["figures"][f"l1_0_{first}"] == 0.04 and found["figures"][f"degree_5_{first}"] == 4.5
    assert torch.tensor(found["settings"]["steps"]).tolist() == [0, 5]
