"""Adaptive discriminator augmentation: what the discriminator sees, when, and that nothing else changes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning_fabric import Fabric
from scipy.ndimage import map_coordinates
from torch import nn

from cfcore.classifiers.densenet import BinaryDenseNet
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.adaptive import (
    DRAWS,
    Adaptation,
    AdaptiveStylExTask,
    Transformations,
    resampled,
)
from cfcore.generators.stylex.losses import r1_penalty
from cfcore.generators.stylex.training import StylExTask, StylExTraining
from cfcore.training.batches import Batches
from cfcore.training.loop import Schedule, train
from cfcore.training.weights import freeze

SMALL = {4: 16, 8: 16, 16: 8, 32: 8}
FABRIC = Fabric(accelerator="cpu", devices=1)


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 1, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def moved(image: torch.Tensor, angle: float, size: float, down: float, right: float) -> torch.Tensor:
    return resampled(image, *(torch.tensor([value], dtype=torch.float64) for value in (angle, size, down, right)))


@given(
    angle=st.floats(-math.pi, math.pi),
    size=st.floats(0.5, 2),
    down=st.floats(-0.3, 0.3),
    right=st.floats(-0.3, 0.3),
    shape=st.sampled_from([(8, 8), (9, 6)]),
)
def test_resampling_is_scipys(angle: float, size: float, down: float, right: float, shape: tuple[int, int]) -> None:
    image = picture(*shape)
    middle = (np.array(shape) - 1) / 2
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1) - middle
    grid -= np.array([down * shape[0], right * shape[1]])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / size
    places = grid @ turn.T + middle
    expected = map_coordinates(image[0, 0].numpy(), places.transpose(2, 0, 1), order=1, mode="reflect")
    assert np.allclose(moved(image, angle, size, down, right)[0, 0].numpy(), expected, atol=1e-9)


def test_a_shift_goes_down_and_right_a_turn_clockwise_and_a_zoom_enlarges() -> None:
    image = picture(8, 8)
    assert torch.allclose(moved(image, 0, 1, 0.25, 0.125)[..., 2:, 1:], image[..., :-2, :-1])
    clockwise = moved(image, math.pi / 2, 1, 0, 0)
    assert torch.allclose(clockwise, torch.rot90(image, -1, (2, 3)), atol=1e-9)
    disc = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    disc[..., 6:10, 6:10] = 1
    assert moved(disc, 0, 2, 0, 0).sum() == pytest.approx(4 * disc.sum().item(), rel=0.1)


def shares(n: int) -> torch.Tensor:
    return torch.rand(n, DRAWS, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_the_probability_says_how_many_are_changed() -> None:
    transformations = Transformations()
    images = picture(16, 16).expand(400, -1, -1, -1)
    assert transformations(images, shares(400)) is images
    transformations.probability.fill_(0.2)
    changed = (transformations(images, shares(400)) - images).abs().amax(dim=(1, 2, 3)) > 1e-9
    # Five transformations, each with probability 0.2.
    assert changed.float().mean().item() == pytest.approx(1 - 0.8**5, abs=0.08)


def test_strengths_are_the_papers() -> None:
    transformations = Transformations()
    transformations.probability.fill_(1)
    # On constant pictures only contrast and brightness show: gain from two levels, bias from the middle one.
    n = 4000
    low, middle, high = (
        transformations(torch.full((n, 1, 2, 2), level, dtype=torch.float64), shares(n))[:, 0, 0, 0]
        for level in (0.25, 0.5, 0.75)
    )
    gain, bias = ((high - low) / 0.5).log2(), middle - 0.5
    assert gain.std().item() == pytest.approx(0.5, rel=0.05) and abs(gain.mean().item()) < 0.03
    assert bias.std().item() == pytest.approx(0.2, rel=0.05) and abs(bias.mean().item()) < 0.02
    assert abs(np.corrcoef(gain.numpy(), bias.numpy())[0, 1]) < 0.05


def test_r1_through_the_transformations_equals_finite_differences() -> None:
    class Seen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(2)
            self.layers = nn.Sequential(nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 1)).double()
            self.transformations = Transformations()
            self.transformations.probability.fill_(1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layers(self.transformations(images, shares(len(images))).flatten(1))[:, 0]

    critic = Seen()
    images = torch.cat([picture(6, 6), picture(6, 6).flip(3)])
    h, total = 1e-5, 0.0
    for pixel in range(36):
        step = torch.zeros(36, dtype=torch.float64)
        step[pixel] = h / 2
        up, down = (critic(images + sign * step.view(1, 1, 6, 6)) for sign in (1, -1))
        total += ((up - down) / (2 * h)).square().sum().item() / 2
    penalty = r1_penalty(critic, images)
    assert penalty.item() == pytest.approx(total, rel=1e-5)
    penalty.backward()
    weights = critic.layers[0].weight
    assert isinstance(weights, nn.Parameter) and weights.grad is not None and weights.grad.abs().sum() > 0


def test_the_probability_follows_the_discriminator() -> None:
    transformations, adaptation = Transformations(), Adaptation(images=1000)
    for _ in range(20):
        transformations.follow(torch.tensor(1.0), 40, adaptation)
    # The running mean of the signs passes 0.6 at the fifth look; 16 steps of 0.04 follow, with one at most astray.
    assert transformations.probability.item() == pytest.approx(0.64, abs=0.05)
    for _ in range(20):
        transformations.follow(torch.tensor(1.0), 40, adaptation)
    assert transformations.probability.item() == pytest.approx(adaptation.most)
    for _ in range(60):
        transformations.follow(torch.tensor(0.0), 40, adaptation)
    assert transformations.probability.item() == 0


def task(kind: type[StylExTask]) -> StylExTask:
    torch.manual_seed(0)
    classifier = BinaryDenseNet(("no", "yes"), 32)
    freeze(classifier)
    model = StylEx(StylExConfig(size=32, width=8, condition=4, channels=SMALL, critic_channels=SMALL))
    settings = StylExTraining(path_every=2, classifier_every=4)
    more = {"adaptation": Adaptation(goal=-2, images=64, every=2)} if kind is AdaptiveStylExTask else {}
    return kind(model, classifier, settings, torch.Generator().manual_seed(0), **more)  # type: ignore[arg-type]


def test_the_reconstruction_sees_the_pictures_as_they_are() -> None:
    batch = torch.rand(8, 1, 32, 32, generator=torch.Generator().manual_seed(2)), torch.arange(8) % 2
    plain, adaptive = task(StylExTask), task(AdaptiveStylExTask)
    assert isinstance(adaptive, AdaptiveStylExTask)
    adaptive.transformations.probability.fill_(0.8)
    one, other = plain.step(batch, 0, FABRIC), adaptive.step(batch, 0, FABRIC)
    assert {name: one[name] for name in ("l1", "kl", "code")} == {name: other[name] for name in ("l1", "kl", "code")}
    assert other["d"] != one["d"] and other["probability"] == pytest.approx(0.8)
    # What is stored of the discriminator can be read without knowing how it was trained.
    assert plain.discriminator.state_dict().keys() == adaptive.discriminator.state_dict().keys()


def test_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (24, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))

    def go(folder: Path, iterations: int) -> StylExTask:
        trained = task(AdaptiveStylExTask)
        batches = Batches(images, torch.arange(24) % 2, 8, trained.generator)
        train(trained, batches, Schedule(iterations, checkpoint=3, log=1), folder, fabric=FABRIC)
        return trained

    whole, _, halves = go(tmp_path / "whole", 6), go(tmp_path / "halves", 3), go(tmp_path / "halves", 6)
    for name, module in whole.modules.items():
        for key, tensor in module.state_dict().items():
            assert torch.equal(tensor, halves.modules[name].state_dict()[key]), (name, key)
    last = json.loads((tmp_path / "halves" / "losses.jsonl").read_text().splitlines()[-1])
    assert last["probability"] > 0
