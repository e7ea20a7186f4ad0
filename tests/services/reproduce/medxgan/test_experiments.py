"""Each experiment where its answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.engines.base import silent
from cfcore.engines.medxgan import MedXGANEngine
from services.reproduce.medxgan import failures, lig, monotone, table1, table2, table3
from services.reproduce.medxgan.material import Column, HeldOut, positives

from .conftest import SPOT, Spot, SpotColumn, spot_column


def test_what_is_drawn_has_its_class_and_patients_differ(column: SpotColumn) -> None:
    block = table1.work(table1.Extent(anatomies=64, real=64), column, silent)
    found = block.figures
    assert found["negative_accuracy_phantom"] == 1.0 and found["positive_accuracy_phantom"] > 0.9
    pooled = (found["negative_accuracy_phantom"] + 3 * found["positive_accuracy_phantom"]) / 4
    assert found["generated_accuracy_phantom"] == pytest.approx(pooled)
    assert found["generated_accuracy_phantom_low"] <= pooled <= found["generated_accuracy_phantom_high"]
    assert found["generated_auc_phantom"] > 0.97
    assert (found["real_accuracy_phantom"], found["real_auc_phantom"]) == (1.0, 1.0)
    # The held-out images come from the same generator.
    assert found["collapse_phantom_low"] < 0 < found["collapse_phantom_high"]
    assert {(row["data"], row["n"], row["paper_accuracy"]) for row in block.rows} == {
        ("generated", 256, 0.937), ("real", 64, 0.75),
    }  # fmt: skip


class Reading(Spot):
    """The same generator with an encoder that reads both ramps exactly."""

    def __init__(self) -> None:
        super().__init__(encoder=True)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        slopes = torch.einsum("nhw,ihw->ni", images[:, 0] - 0.45, self.ramps) / self.ramps.square().sum(dim=(1, 2))
        return (10 * slopes).atanh(), torch.zeros(len(images), 3)


class Noisy(SpotColumn):
    """The generator's own patients under noise, which makes each two of them less alike."""

    def held_out(self, most: int) -> HeldOut:
        known = super().held_out(most)
        noise = 0.05 * torch.randn(known.images.shape, generator=torch.Generator().manual_seed(2))
        return HeldOut((known.images + noise).clamp(0, 1), known.labels)


def test_a_smooth_picture_is_no_collapse(column: SpotColumn) -> None:
    engine = MedXGANEngine(column.classifier, Reading(), column.engine.config)
    noisy = Noisy(column.name, column.shipped, engine)
    found = table1.work(table1.Extent(anatomies=60, real=60), noisy, silent).figures
    assert found["collapse_phantom_low"] > 0.1
    assert found["collapse_own_phantom_low"] < 0 < found["collapse_own_phantom_high"]
    assert "collapse_own_phantom" not in table1.work(table1.Extent(anatomies=8, real=8), column, silent).figures


class Collapsed(SpotColumn):
    """The generator as it is, beside real images that are all different."""

    def held_out(self, most: int) -> HeldOut:
        images = torch.rand(most, 1, 64, 64, generator=torch.Generator().manual_seed(1))
        return HeldOut(images, torch.arange(most) % 2)


def test_pictures_that_are_more_alike_than_patients_are_a_collapse(column: SpotColumn) -> None:
    alike = Collapsed(column.name, column.shipped, column.engine)
    found = table1.work(table1.Extent(anatomies=20, real=20), alike, silent).figures
    assert found["collapse_phantom_low"] > 0.5
    assert found["collapse_phantom"] == pytest.approx(found["ssim_generated_phantom"] - found["ssim_real_phantom"])


def test_replacing_the_spot_takes_the_class_away(column: SpotColumn) -> None:
    block = table2.work(table2.Extent(pool=6, images=2, shown=2), column, silent)
    found = block.figures
    # The spot is 6.25 % of the pixels: 10 % hold it, and what is left speaks for nothing.
    assert found["drop_medxgan"] > 0.9 and found["drop_n"] == 2
    assert found["drop_medxgan_low"] <= found["drop_medxgan"] <= found["drop_medxgan_high"]
    assert found["drop_absolute_medxgan"] <= found["drop_medxgan"]
    lead = found["drop_medxgan"] - found["drop_gradcam"]
    assert found["drop_lead_gradcam"] == pytest.approx(lead, abs=1e-6)
    assert len(block.rows) == 3 * 6 * len(table2.SHARES)
    mean = {(row["map"], row["share"]): row for row in block.rows if row["fill"] == "mean"}
    assert mean["medxgan", 0.10]["drop"] == pytest.approx(found["drop_medxgan"])
    assert mean["medxgan", 0.01]["drop"] < mean["medxgan", 0.05]["drop"] < mean["medxgan", 0.10]["drop"]
    assert mean["gradcam", 0.10]["paper"] == 0.83 and mean["ig", 0.10]["paper"] is None
    white = next(r for r in block.rows if (r["map"], r["fill"], r["share"]) == ("medxgan", "white", 0.10))
    assert white["drop"] <= 0 and white["paper"] is None, "white in the place of a bright spot only helps it"
    assert block.picture is not None and block.picture.width > 800


def test_maps_lie_on_the_spot(column: SpotColumn) -> None:
    block = lig.work(lig.Extent(pool=6, images=2, shown=2, steps=16), column, silent)
    found = block.figures
    spot = 16 * 16 / 64**2
    assert found["iou_n"] == 2 and found["iou_chance"] == pytest.approx(spot / (2 - spot))
    for key in ("medxgan", "ig", "lig", "lig_path"):
        assert found[f"iou_{key}"] == 1.0 and found[f"mass_share_{key}"] <= spot
    assert found["iou_lead_ig"] == 0 and found["iou_lead_gradcam"] == pytest.approx(1 - found["iou_gradcam"])
    # The spot's light goes along a straight line in pixels, so both forms of LIG add up, and IG sees no other pixel.
    assert found["lig_pixel_share"] == pytest.approx(1.0) and found["gap_lig"] < 0.02 and found["gap_lig_path"] < 0.02
    assert found["deletion_auc_lig"] < 0.3 < found["insertion_auc_lig"]
    assert {row["map"] for row in block.rows} == {"medxgan", "gradcam", "ig", "lig", "lig_path"}


class NoTruth(SpotColumn):
    """Radiographs, where nobody knows what changed."""

    def held_out(self, most: int) -> HeldOut:
        known = super().held_out(most)
        return HeldOut(known.images, known.labels)


def test_without_a_truth_there_is_no_overlap() -> None:
    base = spot_column("ucsd")
    found = lig.work(lig.Extent(pool=8, images=2, shown=1, steps=8), NoTruth("ucsd", base.shipped, base.engine), silent)
    assert "lig_pixel_share_ucsd" in found.figures and not any(name.startswith("iou") for name in found.figures)
    assert all("iou" not in row for row in found.rows)


def test_independent_starts_end_in_one_picture(column: SpotColumn) -> None:
    block = table3.work(table3.Extent(pool=8, images=2, starts=3, steps=150, patience=15), column, silent)
    found = block.figures
    assert found["restart_ssim"] > 0.97 and found["restart_mse"] < 1e-3
    assert found["restart_cosine_z1"] > 0.95
    # The spot does not tell the sign of z2: several places, one picture.
    assert found["restart_cosine_z2"] < 0.9
    assert 0 < found["steps_saved"] < 1
    assert found["steps_saved"] == pytest.approx(1 - found["patience_steps"] / 150)
    assert found["patience_mse_ratio"] == pytest.approx(found["patience_mse"] / found["restart_mse"], rel=1e-4)
    assert len(block.rows) == 2 and block.rows[0]["paper_cosine"] == 0.994


def test_the_spot_fades_all_the_way(column: SpotColumn) -> None:
    found = monotone.work(monotone.Extent(pool=12, images=4, shown=2), column, silent)
    assert (found.figures["monotone_share"], found.figures["monotone_flipped"]) == (1.0, 1.0)
    assert found.figures["monotone_share_low"] == pytest.approx(0.510, abs=0.001)  # Wilson, 4 of 4
    p = found.rows[0]["p"]
    assert len(p) == 11 and p[0] > 0.5 > p[-1]


class Odd(SpotColumn):
    """One image among the others that the generator cannot draw."""

    def held_out(self, most: int) -> HeldOut:
        known = super().held_out(most)
        images = known.images.clone()
        images[2][:, SPOT[0], 48:64] = 0
        return HeldOut(images, known.labels, known.masks)


def test_the_image_that_cannot_be_drawn_is_shown_first(column: SpotColumn) -> None:
    odd = Odd(column.name, column.shipped, column.engine)
    found = failures.work(failures.Extent(pool=6, images=6, shown=2), odd, silent)
    assert found.rows[0]["image"] == 2 and found.rows[0]["l1"] == found.figures["inversion_worst_phantom"] > 0.02
    assert found.rows[1]["l1"] < 0.01 and found.figures["inversion_agreement_phantom"] == 1.0
    assert found.figures["inversion_l1_phantom"] == pytest.approx(found.rows[0]["l1"] / 6, abs=0.01)
    assert found.figures["inversion_n_phantom"] == 6


class Healthy(SpotColumn):
    def held_out(self, most: int) -> HeldOut:
        known = super().held_out(most)
        return HeldOut(known.images[known.labels == 0], known.labels[known.labels == 0])


def test_no_positive_image_is_said_so(column: SpotColumn) -> None:
    assert len(positives(column, 12, 4)) == 4 and isinstance(column, Column)
    with pytest.raises(ValueError, match="Toy phantom: the classifier calls no image with the finding positive"):
        positives(Healthy(column.name, column.shipped, column.engine), 12, 4)
