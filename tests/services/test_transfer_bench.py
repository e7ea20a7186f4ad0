"""Bench of the renderings: what ghosting means, the oracle pair, and what is printed and kept."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from cfcore.images.phantom import counterfactual, sample_patient
from services import figures, transfer_bench
from services.cli.main import app
from services.transfer_bench import detail, ghosting, moved_outline, oracle_figures


def edge_at(x: int) -> torch.Tensor:
    image = torch.full((1, 1, 512, 512), 0.3)
    image[..., :x] = 0.7
    return image


def test_ghosting_is_one_for_a_border_untouched_and_zero_for_one_that_is_gone() -> None:
    where = torch.zeros(1, 1, 512, 512, dtype=torch.bool)
    where[..., 198:203] = True
    source = edge_at(200)
    assert ghosting(source, source, where) == pytest.approx(1.0)
    assert ghosting(source, edge_at(240), where) == pytest.approx(0.0, abs=1e-6)
    half = (edge_at(240) + source) / 2
    assert ghosting(source, half, where) == pytest.approx(0.25, rel=1e-3)
    nowhere = ghosting(source, source, torch.zeros_like(where))
    assert nowhere != nowhere
    assert detail(source, source) == pytest.approx(1.0, abs=1e-4) and detail(source, edge_at(240)) < 0.1


def test_the_moved_outline_leaves_out_what_stayed() -> None:
    patient = sample_patient(5, "cardiomegaly", False)
    wider = counterfactual(patient, cardiothoracic_ratio=patient.factors.cardiothoracic_ratio + 0.12)
    assert not moved_outline(patient, patient).any()
    assert 500 < moved_outline(patient, wider).sum() < 8000


def test_warped_leaves_fewer_ghosts_and_is_nearer_to_the_truth(tmp_path: Path) -> None:
    found = oracle_figures(1, tmp_path)
    assert found["oracle_truth_l1_warped"] < found["oracle_truth_l1_additive"] < found["oracle_truth_l1_source"]
    assert found["oracle_ghosting_warped"] < 0.6 * found["oracle_ghosting_additive"]
    assert found["oracle_ghosting_true"] < 0.3
    assert found["oracle_unchanged_warped"] > found["oracle_unchanged_additive"]
    sheet = Image.open(io.BytesIO((tmp_path / "transfer-oracle.png").read_bytes()))
    assert sheet.size == (5 * 256, 256)


def test_command_prints_figures_and_says_what_was_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    monkeypatch.setattr(transfer_bench, "oracle_figures", lambda n, sheets: {"oracle_n": float(n)})
    monkeypatch.setattr(transfer_bench, "phantom_figures", lambda *_: {"phantom_n": 1.0})
    monkeypatch.setattr(transfer_bench, "real_figures", lambda *_: {"real_n": 2.0})
    missing = CliRunner().invoke(app, ["bench", "transfer", "--cached", "--json"])
    assert missing.exit_code != 0 and "no stored figures" in missing.output
    quick = CliRunner().invoke(app, ["bench", "transfer", "--quick", "--json"])
    told = json.loads(quick.output)
    assert told["figures"] == {"oracle_n": 4.0, "phantom_n": 1.0} and told["settings"]["left_out"]
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(transfer_bench, "full_size_images", lambda n: [torch.zeros(1, 1, 8, 8)])
    full = CliRunner().invoke(app, ["bench", "transfer"])
    assert "real_n" in full.output and "left out" not in full.output
    kept = json.loads(CliRunner().invoke(app, ["bench", "transfer", "--cached", "--json"]).output)
    assert kept["figures"]["real_n"] == 2.0 and not kept["stale"]
    # One kept run for each basis.
    other = ["bench", "transfer", "--basis", "balanced"]
    assert CliRunner().invoke(app, [*other, "--cached", "--json"]).exit_code != 0
    CliRunner().invoke(app, other)
    kept = json.loads(CliRunner().invoke(app, [*other, "--cached", "--json"]).output)
    assert (kept["name"], kept["settings"]["basis"]) == ("bench-transfer-balanced", "balanced")
