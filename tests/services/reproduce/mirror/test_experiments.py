"""The experiments of Mirror-CFE alone, where their answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cfcore.engines.base import silent
from services.reproduce.mirror import confidence, figure6, table4, variants
from services.reproduce.mirror.columns import Column
from services.reproduce.mirror.material import Entry, Model

from .conftest import Stubborn, a_column, an_entry


def test_an_exact_decoder_is_in_control(column: Column) -> None:
    block = confidence.control(column, 8, 5, silent)
    found = block.figures
    assert max(found[f"mnist_control_{what}"] for what in ("error", "worst")) < 1e-4
    assert found["mnist_asked_error"] < 1e-3 and found["mnist_control_n"] == 8
    asked = {row["at"]: row for row in block.rows if row["kind"] == "asked"}
    assert asked[0.7]["obtained"] == pytest.approx(0.7, abs=1e-3) and asked[0.7]["n"] == 8
    along = [row for row in block.rows if row["kind"] == "k"]
    assert [row["at"] for row in along] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert (
        along[2]["intended"] == pytest.approx(0.5, abs=1e-3)
        and along[0]["intended"] < 0.01 < 0.99 < along[4]["obtained"]
    )
    assert block.pictures[0].height > 600


def test_a_decoder_that_moves_nothing_is_not() -> None:
    column = a_column(decoder=Stubborn)
    found = confidence.control(column, 8, 5, silent).figures
    # Intended are about 0, 0, 0.5, 1 and 1, obtained is 0.
    assert found["mnist_control_error"] == pytest.approx(0.5, abs=0.02) and found["mnist_control_worst"] > 0.99
    assert found["mnist_control_bias"] == pytest.approx(-found["mnist_control_error"], abs=1e-3)
    # |z_k - z| is k times the step, 0.5 on average.
    relative = table4.faithfulness(column, 8, 5, silent).figures["mnist_feature_relative"]
    assert relative == pytest.approx(0.5, abs=1e-3)


def test_faithfulness_of_an_exact_decoder(column: Column) -> None:
    block = table4.faithfulness(column, 8, 5, silent)
    assert max(block.figures.values()) < 1e-3
    assert (block.rows[0]["paper_feature"], block.rows[0]["paper_confidence"]) == (0.012, 0.014)


def test_multi_class_points_are_rows_beside_pairwise_ones(column: Column, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "column_of", lambda entry, decoder=None: column)
    kinds = variants.ways(an_entry("mnist", {}, {"config": {"points": "closed form"}}))
    assert [kind[0] for kind in kinds] == ["pairwise", "multiclass", "multiclass_own"]
    extent = variants.Extent({"mnist": 4}, real=6, brief=True)
    block = variants.rows_of(kinds[:2], 4, extent, variants.PAPER2, silent)
    assert [row["method"] for row in block.rows] == ["pairwise", "pairwise_k1", "multiclass", "multiclass_k1"]
    assert block.rows[3]["paper_fid"] == 6.94 and block.rows[0]["paper_fid"] is None
    # The head's rows are orthogonal and of one length: exchanging two logits keeps the third in either way.
    assert block.figures["multiclass_mnist_l1_k1"] == pytest.approx(block.figures["pairwise_mnist_l1_k1"], abs=1e-4)
    assert block.figures["pairwise_mnist_validity_k1"] == 1.0


def test_decoders_are_found_by_what_they_were_trained_with() -> None:
    cards = [
        {"config": {"variant": "full"}, "recipe": {"lam": 1.5, "triangulation_weight": 5.0}},
        {"config": {"variant": "full"}, "recipe": {"lam": 2.0, "triangulation_weight": 5.0}},
        {"config": {"variant": "full"}, "recipe": {"lam": 1.5, "triangulation_weight": 0.0}},
        {"config": {"variant": "skip"}, "recipe": {"lam": 1.5, "triangulation_weight": 5.0}},
        {"config": {"variant": "spe", "points": "L-BFGS"}},
    ]
    entry = an_entry("ucsd", *cards)
    assert {key: model.name for key, (_, model) in variants.by_variant(entry).items()} == {
        "skip": "Toy 3",
        "full": "Toy 0",
    }
    by_lam = variants.by_lam(entry)
    assert {key: model.name for key, (_, model) in by_lam.items()} == {
        "lam_1.5": "Toy 0",
        "lam_2": "Toy 1",
        "lam_none": "Toy 2",
    }
    assert by_lam["lam_none"][0] == "no triangulation"


def test_decoders_that_were_trained_alike_stand_before_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = an_entry("mnist", {"config": {"points": "closed form"}, "name": "old"}, {})
    alike = an_entry("mnist", {}, {"recipe": {"lam": 2.0}}, {"config": {"points": "closed form"}}).decoders
    for model in alike:
        model.card["name"] += ", alike"
    entry = replace(whole, ablations=alike)
    assert {key: model.name for key, (_, model) in variants.by_lam(entry).items()} == {
        "lam_1.5": "Toy 0, alike",
        "lam_2": "Toy 1, alike",
    }
    assert variants.by_variant(entry)["full"][1].name == "Toy 0, alike"
    asked: list[str] = []

    def told(entry: Entry, decoder: Model | None = None) -> Column:
        asked.append((decoder or entry.decoder).name)
        return a_column()

    monkeypatch.setattr(variants, "column_of", told)
    assert [key for key, *_ in variants.ways(entry)] == ["pairwise", "multiclass", "pairwise_own", "multiclass_own"]
    assert asked == ["old", "Toy 0, alike", "Toy 2, alike"]


def test_mirror_images_lie_among_the_target_class(column: Column) -> None:
    extent = figure6.Extent({"mnist": 8}, real=10, brief=True)
    block = figure6.reflections(column, 8, extent, silent)
    assert block.figures["mnist_neighbours_target"] == block.figures["mnist_neighbours_target_drawn"] == 1.0
    assert 0.9 < block.figures["mnist_trustworthiness"] <= 1.0 and len(block.rows) == 8
    assert block == figure6.reflections(column, 8, extent, silent), "the map is the same every time"
    still = figure6.reflections(a_column(decoder=Stubborn), 8, extent, silent).figures
    assert still["mnist_neighbours_target"] == 1.0 and still["mnist_neighbours_target_drawn"] == 0.0


def test_the_map_keeps_clusters_apart() -> None:
    torch.manual_seed(0)
    real = torch.cat([torch.randn(40, 8), torch.randn(40, 8) + 20])
    (places, mirrored), trust = figure6.neighbour_map(real, torch.randn(10, 8) + 20)
    assert places.shape == (80, 2) and mirrored.shape == (10, 2) and trust > 0.9
    centres = torch.tensor(places).view(2, 40, 2).mean(dim=1)
    assert torch.cdist(torch.tensor(mirrored), centres).argmin(dim=1).tolist() == [1] * 10


def test_most_neighbours_decide() -> None:
    real = torch.tensor([[0.0], [0.1], [0.2], [5.0], [5.1]])
    classes = torch.tensor([0, 0, 1, 1, 1])
    found = figure6.near_target(torch.tensor([[0.0], [9.0]]), torch.tensor([1, 1]), real[2:], classes[2:])
    assert found.tolist() == [True, True]
    assert figure6.near_target(torch.tensor([[0.0]]), torch.tensor([1]), real[:3], classes[:3]).tolist() == [False]
