"""What the rivals' own papers show, in the world whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cfcore.engines.base import silent
from cfcore.engines.cem import CEMConfig
from cfcore.metrics.comparison import l1_distance
from services.reproduce.mirror import rivals, rivals_networks, rivals_pixels
from services.reproduce.mirror.columns import Column

from .conftest import a_column, networks

TINY = rivals.Extent(
    {"mnist": 4}, budgets=(0.05, 0.4), attack_steps=6, weighed=2, rounds=3, descent=10, negatives=2, searches=2,
    search_steps=20, gammas=(0.0, 1.0), kappa=0.0, paths=2, path_steps=6, degrees=(0.0, 1.0), shown=2,
)  # fmt: skip
ADDED = CEMConfig(searches=3, steps=40)


def test_an_attack_succeeds_once_its_budget_crosses_the_gap(column: Column) -> None:
    """The bright third must sink and the other rise: the gap is 0.4 to 0.7, so that 0.2 and 0.35 of budget decide."""
    block = rivals_pixels.attacks(column, 8, (0.1, 0.3, 0.4), 10, silent)
    found = block.figures
    assert (found["pgd_mnist_success_at_0.1"], found["pgd_mnist_accuracy_at_0.1"]) == (0.0, 1.0)
    assert (found["pgd_mnist_success_at_0.4"], found["pgd_mnist_accuracy_at_0.4"]) == (1.0, 0.0)
    gap = torch.cat([_gap(one.images) for one in column.led("test", 8)])
    assert found["pgd_mnist_success_at_0.3"] == (gap < 0.6).float().mean().item()
    assert found["pgd_mnist_success_at_0.4_low"] == pytest.approx(0.676, abs=0.001)  # Wilson, 8 of 8
    assert [(row["budget"], row["n"]) for row in block.rows] == [(0.1, 8), (0.3, 8), (0.4, 8)]


def _gap(images: Tensor) -> Tensor:
    left, middle = images[..., :5].mean(dim=(1, 2, 3)), images[..., 5:11].mean(dim=(1, 2, 3))
    return (left - middle).abs()


def test_the_class_comes_nearer_and_the_image_goes_further(column: Column) -> None:
    block = rivals_pixels.trade_offs(column, 4, 4, 40, silent)
    rows = block.rows
    assert [row["lambda"] for row in rows] == [1.0, 4.0, 16.0, 64.0]
    for what in ("validity", "p"):
        values = [row[what] for row in rows]
        assert values == sorted(values), what
    assert rows[-1]["validity"] == 1.0 and rows[0]["p"] < 0.5 < rows[-1]["p"] and rows[0]["l1"] < rows[-1]["l1"]
    assert block.figures["wachter_mnist_l1_at_64"] == rows[-1]["l1"]


def test_pertinent_negatives_only_add(column: Column) -> None:
    block = rivals_pixels.negatives(column, 4, (0.0, 1.0), ADDED, 2, silent)
    assert len(block.rows) == 8 and {row["gamma"] for row in block.rows} == {0.0, 1.0}
    for gamma in ("0", "1"):
        assert block.figures[f"cem_mnist_darker_gamma_{gamma}"] == 0.0
    assert block.figures["cem_mnist_found_gamma_0"] == block.figures["cem_mnist_other_class_gamma_0"] == 1.0
    plain = [row for row in block.rows if row["gamma"] == 0]
    assert all(row["after"] == row["target"] != row["before"] and row["l1"] > 0 for row in plain)
    assert all(row["autoencoder_error"] > 0 for row in block.rows)


def test_without_a_vae_there_is_no_autoencoder_term() -> None:
    column = a_column(mirror=networks()["mirror"])
    block = rivals_pixels.negatives(column, 2, (0.0, 1.0), ADDED, 2, silent)
    assert {row["gamma"] for row in block.rows} == {0.0} and block.rows[0]["autoencoder_error"] is None
    assert not any("autoencoder" in name for name in block.figures)


def test_a_path_begins_at_the_reconstruction(column: Column) -> None:
    block = rivals_networks.latent_paths(column, 2, 6, 2, silent)
    images = torch.cat([one.images for one in column.led("test", 2)])
    vae = column.networks["vae"]
    with torch.no_grad():
        far = l1_distance(images, vae.decode(vae.encode(images)))  # type: ignore[operator]
    begins = [row for row in block.rows if row["step"] == 0]
    assert [row["l1"] for row in begins] == pytest.approx(far.tolist(), abs=1e-6)
    flips = [any(row["valid"] for row in block.rows if row["image"] == i) for i in range(2)]
    assert block.figures["revise_mnist_flipped"] == sum(flips) / 2
    assert all(0 <= row["p"] <= 1 for row in block.rows) and len(block.rows) <= 12


def test_transitions_begin_at_the_reconstruction(column: Column) -> None:
    block = rivals_networks.transitions(column, 4, (0.0, 0.5, 1.0), 2, silent)
    images = torch.cat([one.images for one in column.led("test", 4)])
    c3lt = column.networks["c3lt"]
    with torch.no_grad():
        far = l1_distance(images, c3lt.decode(c3lt.encode(images)))  # type: ignore[operator]
    assert block.figures["c3lt_mnist_l1_at_0"] == pytest.approx(far.mean().item(), abs=1e-6)
    assert [(row["degree"], row["source"], row["target"]) for row in block.rows[:3]] == [
        (0.0, 0, 1),
        (0.0, 1, 0),
        (0.5, 0, 1),
    ]
    assert {"c3lt_mnist_validity_at_0.5", "c3lt_mnist_p_at_1"} <= set(block.figures) and len(block.pictures) == 2


def test_masks_are_the_networks(column: Column) -> None:
    block = rivals_networks.composites(column, 4, 2, silent)
    masks = []
    for one in column.led("test", 4):
        wanted = torch.full((len(one.images),), one.target)
        with torch.no_grad():
            masks.append(column.networks["expgan"](one.images, wanted)[1])
    share = torch.cat(masks).flatten(1).mean(dim=1)
    assert block.figures["expgan_mnist_mask_share"] == pytest.approx(share.mean().item(), abs=1e-6)
    assert 0 <= block.figures["expgan_mnist_mask_decided"] <= 1 and len(block.rows) == 2


def test_each_rival_whose_network_is_here_has_its_rows_and_pictures(column: Column) -> None:
    told: list[float] = []
    whole = rivals.own_figures(column, 4, TINY, lambda share, message: told.append(share))
    kinds = list(dict.fromkeys(row["kind"] for row in whole.rows))
    assert kinds == ["pgd", "wachter", "cem", "revise", "c3lt", "expgan"] and len(whole.pictures) == 7
    assert told == sorted(told) and told[0] >= 0 and told[-1] <= 1
    some = networks()
    less = rivals.own_figures(a_column(mirror=some["mirror"], vae=some["vae"]), 4, replace(TINY, paths=2), silent)
    assert {row["kind"] for row in less.rows} == {"pgd", "wachter", "cem", "revise"}
