"""Table 1 where its answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cfcore.engines.base import silent
from services.reproduce.mirror import methods, rows, table1, truth
from services.reproduce.mirror.columns import Column, Led
from services.reproduce.mirror.methods import METHODS, available, outcomes
from services.reproduce.mirror.tuning import chosen

from .conftest import Stubborn, a_column, networks

BRIEF = table1.Extent({"mnist": 8}, validation=0, real=6, points=5, shown=2, brief=True)
MIRROR = METHODS[0]


def test_an_exact_decoder_obtains_what_was_intended(column: Column) -> None:
    block = table1.compare(column, "mnist", BRIEF, ["mirror", "pgd"], silent)
    found = block.figures
    assert (found["mnist_validity"], found["mnist_validity_k1"], found["mnist_fail"]) == (1.0, 1.0, 0.0)
    assert found["mnist_validity_low"] == pytest.approx(0.676, abs=0.001)  # Wilson, 8 of 8
    assert max(found[f"mnist_confidence_error{end}"] for end in ("", "_first", "_k1")) < 1e-4
    assert found["mnist_feature_reconstruction_k1"] < 1e-4
    assert found["mnist_denoised_validity_k1"] == found["mnist_denoised_real"] == 1.0
    # The mirror image exchanges both thirds' brightness: twice as far as the boundary, behind which the first one lies.
    assert found["mnist_l1_k1"] == pytest.approx(2 * found["mnist_l1"], rel=0.05)
    assert 0 < found["mnist_fid_k1"] < found["pgd_mnist_fid"]
    assert found["mnist_n"] == 8 and found["pgd_mnist_l1"] <= 8 / 255


def test_rows_tell_method_choice_and_paper(column: Column) -> None:
    block = table1.compare(column, "mnist", BRIEF, None, silent)
    keys = ["mirror", "mirror_k1", "pgd", "pgd_03", "wachter", "cem", "revise", "expgan", "c3lt"]
    assert [row["method"] for row in block.rows] == keys
    first = block.rows[0]
    assert 0.5 < first["mean_k"] < 0.6 and first["paper_l1"] == 0.16 and first["choice"] == "prior mask as trained"
    assert block.rows[4]["paper_l1"] is None and block.rows[4]["mean_k"] is None
    assert block.rows[2]["confidence_error"] is None, "a rival intends no confidence"
    assert block.pictures[0].width > 1200
    names = {name.split("mnist_")[0] for name in block.figures}
    assert names == {"", "pgd_", "pgd_03_", "wachter_", "cem_", "revise_", "expgan_", "c3lt_"}


def test_a_decoder_that_moves_nothing_fails() -> None:
    found = table1.compare(a_column(decoder=Stubborn), "mnist", BRIEF, ["mirror"], silent).figures
    assert (found["mnist_fail"], found["mnist_validity"], found["mnist_validity_k1"]) == (1.0, 0.0, 0.0)
    assert "mnist_l1" not in found, "there is no counterfactual whose distance could be told"
    assert found["mnist_confidence_error_k1"] > 0.99


def test_without_networks_a_method_is_left_out() -> None:
    some = networks()
    column = a_column(mirror=some["mirror"], vae=some["vae"])
    assert [m.key for m in available(column)] == ["mirror", "pgd", "pgd_03", "wachter", "cem", "revise"]
    assert [m.key for m in available(column, ["c3lt", "mirror"])] == ["mirror"]


def test_images_are_led_both_ways_and_real_ones_are_others(column: Column) -> None:
    led = column.led("test", 8)
    assert [(one.source, one.target, len(one.images)) for one in led] == [(0, 1, 4), (1, 0, 4)]
    real, classes = column.real("test", 100, 8)
    assert classes.bincount().tolist() == [16, 16]
    seen = {image.numpy().tobytes() for one in led for image in one.images}
    assert not seen & {image.numpy().tobytes() for image in real}
    assert not torch.equal(column.led("val", 8)[0].images, led[0].images)


def test_validation_images_choose_what_survives_the_blur(column: Column) -> None:
    pgd = next(m for m in METHODS if m.key == "pgd_03")
    far, near = pgd.choices[0], replace(pgd.choices[0], config=replace(pgd.choices[0].config, budget=0.01), told="near")
    choice, tried = chosen(replace(pgd, choices=(near, far)), column, column.led("val", 4))
    assert choice is far and [row["chosen"] for row in tried] == [False, True]
    assert tried[0]["validity"] == 0.0 and tried[1]["denoised_validity"] >= 0.5


def test_every_method_has_as_many_choices_and_few_steps_when_quick() -> None:
    assert {len(method.choices) for method in METHODS} == {3}
    for method in METHODS:
        brief = method.choices[0].brief().config
        assert getattr(brief, "steps", 0) <= methods.BRIEF["steps"]
        assert getattr(brief, "search", "bisection") == "bisection"


def test_a_degree_follows_the_way_in_part(column: Column) -> None:
    c3lt = next(m for m in METHODS if m.key == "c3lt")
    led = column.led("test", 4)
    whole, part = (outcomes(c3lt, column, led, choice)[""] for choice in (c3lt.choices[0], c3lt.choices[2]))
    assert c3lt.choices[2].degree == 0.7 and not torch.equal(whole.pictures, part.pictures)


def test_the_share_inside_a_region() -> None:
    images = torch.zeros(3, 1, 4, 4)
    pictures = images.clone()
    pictures[0, 0, 0, :2], pictures[1, 0, 3, 3] = 0.5, 1.0
    there = torch.tensor([True, True, False])
    outcome = methods.Outcome(images, pictures, there, there, there, 0.0)
    region = torch.zeros(3, 1, 4, 4, dtype=torch.bool)
    region[:, :, 0, 0] = True
    assert truth.inside(outcome, region).tolist() == [0.5, 0.0]
    nowhere = region.clone()
    nowhere[0] = False
    assert truth.inside(outcome, nowhere).tolist() == [0.0]


def test_fid_is_that_of_each_class(column: Column) -> None:
    led = column.led("test", 8)
    real = rows.real_of(column, 50, 8)
    kept = methods.Outcome(
        torch.cat([one.images for one in led]),
        torch.cat([one.images for one in led]),
        torch.tensor([0] * 4 + [1] * 4),
        torch.tensor([1] * 4 + [0] * 4),
        torch.ones(8, dtype=torch.bool),
        0.0,
    )
    away, home = (rows.fid_by_class(column, one, real).value for one in (kept, replace(kept, target=kept.source)))
    assert away is not None and home is not None and away > 10 * home
    assert rows.fid_by_class(column, replace(kept, found=~kept.found), real).value is None


def test_the_phantom_knows_where_the_finding_is() -> None:
    from itertools import islice

    from services.reproduce.material import TEST_SEED, phantom_cases
    from tests.services.reproduce.test_material import shipped

    cases = tuple(islice(phantom_cases(shipped(source="phantom", finding="effusion", key="effusion"), TEST_SEED), 8))
    with_it, without = (tuple(c for c in cases if c.label == label) for label in (1, 0))
    blank = torch.zeros(1, 1, 64, 64)
    led = [Led(blank, 1, 0, with_it), Led(blank, 0, 1, without)]
    column = replace(a_column("phantom"), finding="effusion")
    found = truth.regions(column, led)
    assert found is not None and truth.regions(a_column(), led) is None
    changed, lungs = found
    n = len(with_it)
    assert changed[:n].flatten(1).any(dim=1).all() and not changed[n:].any()
    assert 0.1 < lungs.float().mean() < 0.5
    shares = (changed & lungs)[:n].flatten(1).sum(dim=1) / changed[:n].flatten(1).sum(dim=1)
    assert shares.mean() > 0.5, "fluid lies in the lungs"
    assert set(truth.areas("phantom", found)) == {"phantom_area_changed", "phantom_area_lungs"}
