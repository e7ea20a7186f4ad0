"""The bench of AttFind on a small generator: what it counts, and that the figures agree with each other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze
from services import attfind_bench, figures
from services.attfind_bench import Extent, bench_attfind
from services.cli.main import app

CHANNELS = {4: 2, 8: 2, 16: 2, 32: 2, 64: 2}


class Brightness(Classifier):
    """ "Bright" above the usual brightness of a phantom."""

    class_names = ("dark", "bright")
    channels = 1
    size = (64, 64)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.55)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks instead of the shipped ones, and results in a folder of their own."""
    torch.manual_seed(5)
    channels = dict(CHANNELS)
    generator = StylEx(StylExConfig(size=64, width=8, condition=2, channels=channels, critic_channels=channels))
    freeze(generator)
    monkeypatch.setattr(attfind_bench, "load_classifier", lambda folder: Brightness())
    monkeypatch.setattr(attfind_bench, "load_stylex", lambda folder: generator)
    monkeypatch.setattr(attfind_bench, "read_card", lambda folder: {"sha256": folder.name})
    monkeypatch.setattr(attfind_bench, "QUICK", Extent(2, 12))
    monkeypatch.setattr(attfind_bench, "Extent", lambda: Extent(2, 12))
    monkeypatch.setattr(figures, "RESULTS", tmp_path)


def test_the_figures_agree_with_each_other() -> None:
    result = bench_attfind(True)
    found = result["figures"]
    assert result["settings"]["m"] == 18 and result["settings"]["images"] == 2
    assert found["cost_share"] == pytest.approx(0.04 + 3 / 36)
    assert found["cost_share_at_10"] == pytest.approx(0.1 + 3 / 36)
    assert found["recall_top10"] == found["recall_top10_at_5"], "both draw the ten best-predicted of 36 pairs"
    assert -1 <= found["midway_rank_correlation"] <= 1
    assert 10 / 36 <= found["deepest_rank"] <= 1
    if found["deepest_rank"] == 10 / 36:
        assert found["recall_top10"] == 1
    gaps = [found[f"explained{way}_exhaustive"] - found[f"explained{way}_preranked"] for way in ("", "_subset")]
    assert found["explained_gap"] == pytest.approx(max(gaps))
    hours = found["evaluation_ms"] / 1000 * 36 * 600 / 3600
    assert found["exhaustive_hours_600"] == pytest.approx(hours)
    assert found["exhaustive_s"] == pytest.approx(found["evaluation_ms"] / 1000 * 72)
    assert all(found[name] > 0 for name in found if name.endswith(("_ratio", "_s")))


def test_a_full_run_is_kept_and_a_quick_one_is_not() -> None:
    runner = CliRunner()
    refused = runner.invoke(app, ["bench", "attfind", "--cached"])
    assert refused.exit_code == 1 and "run the command once without --cached" in refused.output
    quick = runner.invoke(app, ["bench", "attfind", "--quick"])
    assert quick.exit_code == 0 and "recall_top10" in quick.output and "EXTRAPOLATED" in quick.output
    assert runner.invoke(app, ["bench", "attfind", "--cached"]).exit_code == 1
    full = bench_attfind()
    kept = bench_attfind(from_store=True)
    assert kept["figures"] == full["figures"] and kept["stale"] is False
    assert set(kept["inputs"]) == {"cardiomegaly classifier", "cardiomegaly stylex", "phantom"}
