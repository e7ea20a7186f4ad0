"""Bench of the generators: a perfect one gets perfect figures, a blind one loses what it cannot draw."""

from __future__ import annotations

import io
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.refine import Refinement
from cfcore.training.weights import freeze
from services.cli.main import app
from services.reproduce.material import Shipped, phantom_cases, shipped_generators
from services.stylex_bench import Extent, phantom_figures, random_samples, read_phantoms, sample_grid

SMALL = {4: 4, 8: 4, 16: 4, 32: 4, 64: 4}
EXTENT = Extent(phantoms=24, pacemakers=12, refinement=Refinement(steps=2))


class Dark(Classifier):
    """Two classes by mean brightness."""

    class_names = ("No cardiomegaly", "Cardiomegaly")
    channels = 1
    size = (64, 64)

    def logits(self, images: Tensor) -> Tensor:
        margin = 40 * (images.mean(dim=(1, 2, 3)) - 0.56)
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


class Copy(StylEx):
    """A generator whose code is the picture itself, with the patient's left upper chest wiped where `wipe`."""

    def __init__(self, wipe: bool = False) -> None:
        super().__init__(StylExConfig(width=64 * 64, condition=1, channels=SMALL, critic_channels=SMALL))
        self.wipe = wipe

    def encode(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        images = w.view(-1, 1, 64, 64).clone()
        if self.wipe:
            # The same place on the other side: a chest without a generator box, and still a phantom-like one.
            images[..., 4:30, 34:62] = images[..., 4:30, 2:30].flip(-1)
        return images


@pytest.fixture
def shipped() -> Shipped:
    nowhere = Path("nowhere")
    return Shipped(
        "cardiomegaly",
        "Toy",
        "phantom",
        "cardiomegaly",
        False,
        64,
        ("No cardiomegaly", "Cardiomegaly"),
        nowhere,
        nowhere,
    )


def test_a_perfect_generator_gets_perfect_figures(shipped: Shipped) -> None:
    readout, images = read_phantoms(shipped, Dark(), Copy(), EXTENT)
    found = phantom_figures([readout, readout], "phantom")
    assert images.shape == (36, 1, 64, 64) and found["phantom_n"] == 48
    assert found["phantom_ssim"] == pytest.approx(1.0) and found["phantom_l1"] == 0
    assert found["phantom_agreement"] == 1 and found["phantom_agreement_low"] < 1
    assert found["ctr_shift"] == 0 and found["ctr_error"] == pytest.approx(found["ctr_floor"])
    assert 0 < found["ctr_floor"] < 0.02
    # Twelve added patients and whoever of the 24 has one, twice.
    own = sum(c.patient.factors.pacemaker for c in islice(phantom_cases(shipped, 61), 24))
    assert found["pacemaker_n"] == 2 * (12 + own)
    assert found["pacemaker_kept"] == found["pacemaker_seen"] > 0.9 and found["pacemaker_false"] < 0.1


def test_a_generator_that_cannot_draw_a_pacemaker_is_found_out(shipped: Shipped) -> None:
    readout, _ = read_phantoms(shipped, Dark(), Copy(wipe=True), EXTENT)
    found = phantom_figures([readout], "cardiomegaly", own=True)
    assert found["cardiomegaly_pacemaker_seen"] > 0.9
    assert found["cardiomegaly_pacemaker_kept"] < 0.5 * found["cardiomegaly_pacemaker_seen"]
    assert found["cardiomegaly_l1"] > 0 and found["cardiomegaly_ssim"] < 1
    assert {name.split("_")[0] for name in found} == {"cardiomegaly"}


def test_grid_and_samples_are_the_same_every_time() -> None:
    torch.manual_seed(1)
    generator = StylEx(StylExConfig(width=8, condition=2, channels=SMALL, critic_channels=SMALL))
    freeze(generator)
    first = random_samples(generator, 4)
    assert torch.equal(first, random_samples(generator, 4)) and not torch.equal(first, random_samples(generator, 4, 9))
    images = torch.rand(20, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    picture = sample_grid(Dark(), generator, images, Refinement(steps=1), columns=4)
    assert picture == sample_grid(Dark(), generator, images, Refinement(steps=1), columns=4)
    pixels = np.asarray(Image.open(io.BytesIO(picture)))
    assert pixels.shape == (5 * 66, 4 * 66)
    assert np.abs(pixels[1:65, 1:65] / 255 - images[0, 0].numpy()).max() < 0.003


def test_no_generator_of_that_size_is_said_so() -> None:
    result = CliRunner().invoke(app, ["bench", "stylex", "--size", "32"])
    assert result.exit_code == 1 and "there is no StylEx generator of 32 px among" in result.output


@pytest.mark.timeout(900)
def test_the_shipped_generators_are_measured_quickly() -> None:
    result = CliRunner().invoke(app, ["bench", "stylex", "--quick", "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    figures, settings = found["figures"], found["settings"]
    assert settings["phantoms"] == 48
    here = [g for g in shipped_generators() if g.size == 64 and not g.shortcut]
    assert len(settings["generators"]) + len(settings["left_out"]) == len(here)
    for goal in ("phantom_ssim", "phantom_l1", "ctr_error", "pacemaker_kept", "phantom_agreement"):
        assert 0 <= figures[f"{goal}_low"] <= figures[goal] <= figures[f"{goal}_high"] <= 1
    if not settings["left_out"]:
        assert figures["ucsd_refined_l1"] < figures["ucsd_unrefined_l1"]
        assert 0 <= figures["ucsd_agreement"] <= 1
