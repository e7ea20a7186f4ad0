"""Going on from a generator of fewer pixels: its layers stay, those of the new resolutions are added.

After progressive growing (Karras et al., ICLR 2018), without its fading: the new layers begin as a mere enlargement,
and the losses change all of them from the first iteration.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cfcore.training.weights import load_weights, read_card

from .critic import Residual, Trunk
from .model import StylEx, StylExConfig, load_earlier
from .training import StylExTask


def begin_with_smaller(task: StylExTask, folder: Path) -> None:
    """`StylExTask.begin_with` for a stored generator of fewer pixels than the task's.

    The first pictures are the smaller generator's, enlarged (bilinear): the new ToRGB layers draw nothing yet, and the
    new blocks of encoder and discriminator average squares of four pixels. The codes are those of the averaged image
    where it is constant within such squares, and close to them elsewhere.

    Raises:
        ValueError: the stored generator is not smaller, its layers differ from those of the same resolution, or a
            channel count of encoder and discriminator changes at a new resolution.
    """
    stored, wanted = stored_size(folder), task.model.config
    if stored >= wanted.size:
        raise ValueError(f"a generator of {stored} px cannot grow to {wanted.size} px: it is not smaller")
    small = StylEx(replace(wanted, size=stored))
    load_earlier(folder, small)
    critic = small.new_discriminator()
    if (folder / "discriminator").is_dir():
        load_weights(folder / "discriminator", critic)
    while small.config.size < wanted.size:
        large = StylEx(replace(wanted, size=2 * small.config.size))
        larger_critic = large.new_discriminator()
        _copy(small, large, "encoder.trunk.blocks.")
        _copy(critic, larger_critic, "trunk.blocks.")
        with torch.no_grad():
            large.synthesis.to_image[-1].weight.zero_()  # type: ignore[operator]
            for trunk in (large.encoder.trunk, larger_critic.trunk):
                _average_first(trunk)
        small, critic = large, larger_critic
    for module in (task.model, task.average):
        module.load_state_dict(small.state_dict())
    task.discriminator.load_state_dict(critic.state_dict())


def stored_size(folder: Path) -> int:
    """The side in pixels of a stored generator's pictures. Raises ValueError where the folder has no card."""
    return StylExConfig(**read_card(folder)["config"]).size


def _copy(small: nn.Module, large: nn.Module, blocks: str) -> None:
    """Give `large` all that `small` has; the blocks under that name stand one further on."""
    new = large.state_dict()
    for name, tensor in small.state_dict().items():
        place = name
        if name.startswith(blocks):
            number, _, rest = name.removeprefix(blocks).partition(".")
            place = f"{blocks}{int(number) + 1}.{rest}"
        if place not in new or new[place].shape != tensor.shape:
            raise ValueError(
                f"the generator cannot grow: {name} has no place of its size in the larger one (encoder and "
                "discriminator need as many channels at the new resolution as at the one below, by default from 64 px "
                "on): train without --start-from"
            )
        new[place].copy_(tensor)


def _average_first(trunk: Trunk) -> None:
    """Let the first block do no more than average squares of four pixels."""
    block = trunk.blocks[0]
    assert isinstance(block, Residual)
    block.second.weight.zero_()
    block.skip.weight.zero_()
    # A block halves the variance of its two branches' sum; the one that is left makes up for it.
    block.skip.weight[:, :, 0, 0].fill_diagonal_(math.sqrt(2) / block.skip.gain)
