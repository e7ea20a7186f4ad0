"""Per-image refinement of a code: from E(x) a few optimiser steps towards the picture itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cfcore.engines.base import Progress, silent

from .model import StylEx

BATCH = 16

Space = Literal["w", "w+"]


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement (StylEx, Lang et al. 2021, and Abdal et al., Image2StyleGAN, ICCV 2019, for w+).

    Attributes:
        steps: optimiser steps; 0 leaves the encoder's code as it is.
        rate: Adam's rate at the first step, in units of w (entries of root mean square 1); falls to 0 as a cosine.
        space: "w": one code for all layers. "w+": a row of its own for every layer, all starting at E(x).
    """

    steps: int = 120
    rate: float = 0.1
    space: Space = "w+"

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more, not {self.steps}")
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, not {self.rate}")
        if self.space not in ("w", "w+"):
            raise ValueError(f'space must be "w" or "w+", not {self.space!r}')


def code_rows(model: StylEx) -> int:
    """Rows of a "w+" code: one for every convolution and one for the last ToRGB."""
    return len(model.synthesis.convs) + 1


def as_rows(model: StylEx, w: Tensor) -> Tensor:
    """(n, width) codes as (n, rows, width) codes that draw the same picture."""
    return w[:, None].expand(-1, code_rows(model), -1)


def draw_rows(model: StylEx, rows: Tensor, label: Tensor) -> Tensor:
    """(n, rows, width) codes and (n,) class indices to (n, 1, size, size) images, not clamped."""
    synthesis, condition = model.synthesis, model.embedding(label)
    return synthesis.draw(synthesis.styles_of_rows(rows, condition), synthesis.image_styles_of_rows(rows, condition))


def decode_rows(model: StylEx, rows: Tensor, label: Tensor) -> Tensor:
    """`draw_rows`, clamped to [0, 1]: what `StylEx.decode` is for a "w" code."""
    return draw_rows(model, rows, label).clamp(0, 1)


def refine(
    model: StylEx, images: Tensor, label: Tensor, config: Refinement = Refinement(), progress: Progress = silent
) -> Tensor:
    """Codes whose pictures come closer to the images than the encoder's.

    Minimises the L1 distance of each image by Adam (0.9, 0.99) from E(x) and keeps each image's best step, so a
    refined picture is never worse in L1. Nothing is random and images do not see each other: the same call gives the
    same codes.

    Args:
        model: frozen; its weights are not touched (pivotal tuning is not done here).
        images: (n, 1, size, size) in [0, 1]. label: (n,) C's class of each, which conditions G and stays.

    Returns:
        (n, width) codes in space "w" (`StylEx.decode` draws them), (n, rows, width) in "w+" (`decode_rows`).

    Raises:
        ValueError: there is no image.
    """
    if len(images) == 0:
        raise ValueError("there is no image to refine")
    parts: list[Tensor] = []
    for chunk, own in zip(images.split(BATCH), label.split(BATCH), strict=True):
        parts.append(_refine_batch(model, chunk, own, config))
        done = sum(len(part) for part in parts)
        progress(done / len(images), f"refined {done} of {len(images)} images")
    return torch.cat(parts)


def _refine_batch(model: StylEx, images: Tensor, label: Tensor, config: Refinement) -> Tensor:
    with torch.no_grad():
        start = model.encode(images)
    plus = config.space == "w+"
    code = (as_rows(model, start) if plus else start).clone().requires_grad_(True)
    best, least = code.detach().clone(), torch.full((len(images),), float("inf"), device=images.device)
    optimizer = torch.optim.Adam([code], lr=config.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, config.steps))
    for step in range(config.steps + 1):
        with torch.set_grad_enabled(step < config.steps):
            drawn = draw_rows(model, code, label) if plus else model.synthesis(code, model.embedding(label))
            # Clamped only where it is judged: outside of [0, 1] a clamp has no gradient that leads back.
            distance = (drawn - images).abs().mean(dim=(1, 2, 3))
        shown = (drawn.detach().clamp(0, 1) - images).abs().mean(dim=(1, 2, 3))
        better = shown < least
        best[better], least = code.detach()[better], torch.where(better, shown, least)
        if step == config.steps:
            break
        optimizer.zero_grad(set_to_none=True)
        # A sum: each image gets the same steps whatever batch it is in.
        distance.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return best
