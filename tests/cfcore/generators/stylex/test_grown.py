"""Going on from a generator of fewer pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.grown import begin_with_smaller, stored_size
from cfcore.generators.stylex.model import save_stylex
from cfcore.generators.stylex.training import CONTINUE, StylExTask
from cfcore.training.weights import load_weights

CHANNELS = {4: 16, 8: 16, 16: 8, 32: 8, 64: 8}
SMALL = StylExConfig(size=16, width=32, condition=4, channels=CHANNELS, critic_channels=CHANNELS)
LARGE = replace(SMALL, size=64, channels=CHANNELS, critic_channels=CHANNELS)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[StylEx, Path]:
    torch.manual_seed(1)
    small = StylEx(SMALL)
    for conv in small.synthesis.convs:
        torch.nn.init.constant_(conv.strength, 0.1)  # type: ignore[arg-type]
    save_stylex(tmp_path, small, {"name": "small"}, small.new_discriminator())
    for parameter in small.parameters():
        parameter.data = parameter.data.half().float()
    return small, tmp_path


def task_of(config: StylExConfig, classifier: Classifier) -> StylExTask:
    generator = torch.Generator().manual_seed(0)
    return StylExTask(StylEx(config), classifier, CONTINUE, generator, iterations=4)


@pytest.mark.parametrize("passes", [1, 2])
def test_the_first_pictures_are_the_small_ones_enlarged(
    stored: tuple[StylEx, Path], passes: int, classifier: Classifier
) -> None:
    small, folder = stored
    task = task_of(replace(LARGE, encoder_passes=passes), classifier)
    begin_with_smaller(task, folder)
    images = torch.rand(3, 1, 16, 16)
    label = torch.tensor([0, 1, 0])
    squares = images.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    for grown in (task.model, task.average):
        codes = grown.encode(squares)
        assert torch.allclose(codes, small.encode(images), atol=1e-3)
        drawn = grown.synthesis(codes, grown.embedding(label))
        wanted = small.synthesis(codes, small.embedding(label))
        for _ in range(2):
            wanted = interpolate(wanted - 0.5, scale_factor=2, mode="bilinear", align_corners=False) + 0.5
        assert drawn.shape == (3, 1, 64, 64)
        assert torch.allclose(drawn, wanted, atol=1e-4)


def test_the_discriminator_judges_as_before(stored: tuple[StylEx, Path], classifier: Classifier) -> None:
    small, folder = stored
    task = task_of(LARGE, classifier)
    begin_with_smaller(task, folder)
    critic = small.new_discriminator()
    load_weights(folder / "discriminator", critic)
    images, label = torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 0, 1])
    squares = images.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    assert torch.allclose(task.discriminator(squares, label), critic(images, label), atol=1e-3)


def test_every_new_layer_learns(stored: tuple[StylEx, Path], classifier: Classifier) -> None:
    _, folder = stored
    task = task_of(LARGE, classifier)
    begin_with_smaller(task, folder)
    model = task.model
    images = torch.rand(2, 1, 64, 64)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):  # what stands before a layer of zeros moves once that layer has
        loss = (model.synthesis(model.encode(images), model.embedding(torch.tensor([0, 1]))) - images).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    new = [n for n in before if n.startswith(("synthesis.convs.7", "synthesis.convs.8", "encoder.trunk.blocks.0"))]
    assert len(new) == 11
    moved = dict(model.named_parameters())
    assert [n for n in new if torch.equal(moved[n], before[n])] == []


def test_what_cannot_grow_is_named(stored: tuple[StylEx, Path], classifier: Classifier) -> None:
    _, folder = stored
    assert stored_size(folder) == 16
    with pytest.raises(ValueError, match="16 px cannot grow to 16 px"):
        begin_with_smaller(task_of(SMALL, classifier), folder)
    wider = CHANNELS | {32: 4}
    with pytest.raises(ValueError, match=r"encoder\.trunk\.start\.weight has no place"):
        begin_with_smaller(task_of(replace(LARGE, critic_channels=wider), classifier), folder)


def test_images_of_no_squares_keep_close_codes(stored: tuple[StylEx, Path], classifier: Classifier) -> None:
    small, folder = stored
    task = task_of(LARGE, classifier)
    begin_with_smaller(task, folder)
    ramp: Tensor = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    codes = task.model.encode(ramp)
    averaged = small.encode(torch.nn.functional.avg_pool2d(ramp, 4))
    assert (codes - averaged).abs().max() < 0.02 * averaged.abs().max()
