"""The comparison of searches: sound figures on small networks, a changed ranking noticed, stored figures back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind
from cfcore.engines.eigenfind.naive import algorithm_1
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.training.weights import freeze
from services import eigenfind_bench, figures
from services.cli.main import app
from services.eigenfind_bench import Extent, agreement, compare
from services.network_speed import folded, grouped, network_speed, prepared

SMALL = {4: 16, 8: 16, 16: 8}
EXTENT = Extent(images=6, scan=6, k=2, shortlist=6, pool=8, draws=4, repeats=1)


class Toy(Classifier):
    """A small convolutional classifier whose mind follows brightness."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(784, 1))
        self.network[1].running_mean.normal_()
        self.network[1].running_var.uniform_(0.5, 2)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.5) + 0.01 * self.network(images)[:, 0]
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


@pytest.fixture
def networks() -> tuple[Classifier, StylEx, Tensor]:
    torch.manual_seed(3)
    generator = StylEx(StylExConfig(size=16, width=32, condition=4, channels=SMALL, critic_channels=SMALL))
    classifier = Toy()
    freeze(generator)
    freeze(classifier)
    return classifier, generator, torch.rand(6, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.08


def test_figures_are_complete_and_ours_equals_algorithm_1(networks: tuple[Classifier, StylEx, Tensor]) -> None:
    classifier, generator, images = networks
    found = compare(classifier, generator, images, 1, EXTENT)
    assert found["same_ranking"] == 1.0
    assert 0 <= found["prerank_same_kept"] <= 1 and 0 <= found["first_order_same_kept"] <= 1
    assert found["moves"] == 12 and 2 <= found["prerank_moves"] < 12
    for kind in ("", "_cpu"):
        timed = ("naive", "authors", "ours", "floor", "preranked", "first_order")
        assert all(found[f"{name}{kind}_s"] > 0 for name in timed)
    assert found["ours_over_floor"] == pytest.approx(found["ours_s"] / found["floor_s"])
    assert found["naive_over_preranked_cpu_ratio"] == pytest.approx(found["naive_cpu_s"] / found["preranked_cpu_s"])


def test_another_ranking_or_another_flip_is_noticed(networks: tuple[Classifier, StylEx, Tensor]) -> None:
    classifier, generator, images = networks
    engine = EigenFind.fit(classifier, images, 1, EXTENT.full, generator=generator)
    explained = engine.winners(images, 1)[0]
    naive = algorithm_1(classifier, generator, images, 1, engine.basis, 10.0, 2)
    assert agreement(engine, explained, naive, classifier, images, 1) == (True, 0)
    swapped = replace(naive, order=[naive.order[1], naive.order[0], *naive.order[2:]])
    assert not agreement(engine, explained, swapped, classifier, images, 1)[0]
    flips = naive.flips.clone()
    flips[0, 0] = ~flips[0, 0]
    assert not agreement(engine, explained, replace(naive, flips=flips), classifier, images, 1)[0]
    other = replace(naive, place=torch.where(naive.place == 0, 1, 0))
    assert not agreement(engine, explained, other, classifier, images, 1)[0]
    tied = replace(naive, changes=naive.changes.clone(), order=swapped.order)
    tied.changes[:, naive.order[1]] = tied.changes[:, naive.order[0]]
    assert agreement(engine, explained, tied, classifier, images, 1) == (True, 1)


def test_variants_of_the_networks_compute_the_same(networks: tuple[Classifier, StylEx, Tensor]) -> None:
    classifier, generator, images = networks
    ready, label = prepared(generator), torch.tensor([0, 1, 0])
    w = torch.randn(3, 32)
    assert torch.allclose(grouped(ready).decode(w, label), generator.decode(w, label), atol=1e-5)
    lean = folded(classifier)
    assert isinstance(lean.get_submodule("network.1"), nn.Identity)
    assert torch.allclose(lean.logits(images), classifier.logits(images), atol=1e-5)
    speed = network_speed(generator, classifier, 1)
    assert all(value > 0 for value in speed.values())


def test_a_full_run_is_stored_and_goes_stale_with_the_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    monkeypatch.setattr(eigenfind_bench, "_figures", lambda extent: {"ours_s": 1.0})
    with pytest.raises(FileNotFoundError, match="run the command once"):
        eigenfind_bench.bench_eigenfind(from_store=True)
    assert eigenfind_bench.bench_eigenfind(quick=True)["figures"] == {"ours_s": 1.0}
    assert not list(tmp_path.iterdir())
    eigenfind_bench.bench_eigenfind()
    back = eigenfind_bench.bench_eigenfind(from_store=True)
    assert back["figures"] == {"ours_s": 1.0} and not back["stale"]
    stored = tmp_path / "bench-eigenfind.json"
    content = json.loads(stored.read_text())
    content["inputs"]["generator"] = "another"
    stored.write_text(json.dumps(content))
    assert eigenfind_bench.bench_eigenfind(from_store=True)["stale"]


def test_the_command_prints_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eigenfind_bench, "_figures", lambda extent: {"ours_s": 1.5, "naive_over_ours": 4.0})
    out = CliRunner().invoke(app, ["bench", "eigenfind", "--quick", "--json"])
    assert out.exit_code == 0, out.output
    content = json.loads(out.output)
    assert content["figures"] == {"ours_s": 1.5, "naive_over_ours": 4.0}
    assert content["settings"]["scan"] == eigenfind_bench.QUICK.scan and "load" in content["settings"]
    text = CliRunner().invoke(app, ["bench", "eigenfind", "--quick"]).output
    assert "naive_over_ours" in text and "4" in text
