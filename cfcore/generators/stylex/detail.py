"""The detail layer: what encoder and synthesis leave out of a picture, as a linear part of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.engines.base import Progress, silent
from cfcore.training.weights import DETAIL, as_stored, fill, freeze, load_tensors, read_card, save_weights

if TYPE_CHECKING:
    from .model import StylEx

KIND = "stylex detail"
FEWEST_IMAGES = 10  # training images behind one component
MOST_IMAGES = 8192


class Detail(nn.Module):
    """Principal components of what plain reconstructions of the training images miss, driven by directions of w along
    which the training images' codes hardly differ.

    The picture is synthesis(w) + mean + sum_i a_i s_i p_i: p_i the components, s_i their standard deviations, a_i the
    coordinates of w along the directions that carry them, with standard deviation 1. The synthesis itself is made blind
    to these directions (`StylEx.attach`), so that a code keeps its length, an edit along an eigenvector of the styles
    leaves the detail alone, and a search costs the same passes. Not in seed 000; ours (docs/methods/eigenfind.md).

    Buffers: axes (k, width) orthonormal rows; centre (width,) mean code; patterns (k, size * size) orthonormal rows and
    mean (size * size,), in grey values from 0 to 1; spread (k,); unit (): length in w of a_i = 1; last_weight
    (width, width) and last_bias (width,), as they act, of a mapping network that draws such codes; empty where it is
    trained itself.
    """

    axes: Tensor
    centre: Tensor
    patterns: Tensor
    mean: Tensor
    spread: Tensor
    unit: Tensor
    last_weight: Tensor
    last_bias: Tensor

    def __init__(self, size: int, width: int, components: int, *, samples: bool = True) -> None:
        super().__init__()
        if not 1 <= components <= min(width // 2, size * size):
            raise ValueError(
                f"a detail layer of codes of length {width} and pictures of {size} px takes 1 to "
                f"{min(width // 2, size * size)} components, not {components}"
            )
        self.size = size
        drawn = width if samples else 0
        self.register_buffer("axes", torch.zeros(components, width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("patterns", torch.zeros(components, size * size))
        self.register_buffer("mean", torch.zeros(size * size))
        self.register_buffer("spread", torch.ones(components))
        self.register_buffer("unit", torch.ones(()))
        self.register_buffer("last_weight", torch.zeros(drawn, width))
        self.register_buffer("last_bias", torch.zeros(drawn))

    def coordinates(self, w: Tensor) -> Tensor:
        """(n, k) a of (n, width) codes."""
        return (w - self.centre) @ self.axes.T / self.unit

    def without(self, w: Tensor) -> Tensor:
        """The codes with a = 0."""
        return w - (w - self.centre) @ self.axes.T @ self.axes

    def written(self, w: Tensor, missed: Tensor) -> Tensor:
        """The codes with the a that come closest to `missed`, (n, 1, size, size): image minus plain picture."""
        wanted = (missed.flatten(1) - self.mean) @ self.patterns.T / self.spread
        return self.without(w) + wanted * self.unit @ self.axes

    def forward(self, coordinates: Tensor) -> Tensor:
        """(n, k) a to what is added to the plain pictures, (n, 1, size, size)."""
        return ((coordinates * self.spread) @ self.patterns + self.mean).view(-1, 1, self.size, self.size)

    @torch.no_grad()
    def scale_codes(self, factor: float) -> None:
        """Follow a stretched w space (`StylEx.scale_codes`)."""
        self.centre.mul_(factor)
        self.unit.mul_(factor)


@torch.no_grad()
def fit_detail(
    model: StylEx,
    images: Tensor,
    components: int,
    generator: torch.Generator | None,
    progress: Progress = silent,
    batch: int = 64,
) -> Detail:
    """The detail layer of a plain generator.

    Args:
        images: (n, 1, size, size) uint8 training images; of more than 8,192 evenly spaced ones are taken.
        components: at most n / 10, and half the length of a code, are kept.
        generator: draws what the mapping network is matched to; None leaves the mapping network as it was trained, and
            random samples then have no detail.

    Raises:
        ValueError: the generator has a detail layer already; fewer than 10 images; impossible `components`.
    """
    if model.synthesis.detail is not None:
        raise ValueError("the generator has a detail layer already: fit one to the plain generator")
    if len(images) < FEWEST_IMAGES:
        raise ValueError(f"a detail layer needs at least {FEWEST_IMAGES} training images, got {len(images)}")
    model = as_stored(model)  # the mapping network is matched to what will be read back
    freeze(model)
    if len(images) > MOST_IMAGES:
        images = images[torch.arange(MOST_IMAGES) * len(images) // MOST_IMAGES]
    config = model.config
    if components < 1:
        raise ValueError(f"a detail layer has at least 1 component, not {components}")
    kept = min(components, len(images) // FEWEST_IMAGES, config.width // 2)
    detail = Detail(config.size, config.width, kept, samples=generator is not None)
    device = next(model.parameters()).device
    detail.to(device)
    chunks = [chunk.to(device).float() / 255 for chunk in images.split(batch)]
    codes = torch.cat([_told(model.encode(chunk), i, chunks, 0.0, progress) for i, chunk in enumerate(chunks)])
    detail.centre.copy_(codes.mean(dim=0))
    detail.axes.copy_(torch.linalg.eigh(torch.cov(codes.double().T)).eigenvectors[:, :kept].T)
    # From here on with the blind synthesis, so that the second pass of the encoder sees what it will see.
    model.attach(detail)
    for i, chunk in enumerate(chunks):
        w = model.encode_plain(chunk)
        codes[i * batch : i * batch + len(chunk)] = w
        chunks[i] = _told(chunk - model.plain(w), i, chunks, 0.5, progress)
    missed = torch.cat(chunks).flatten(1)
    detail.mean.copy_(missed.mean(dim=0))
    detail.patterns.copy_(_components(missed - detail.mean, kept))
    found = (missed - detail.mean) @ detail.patterns.T
    detail.spread.copy_(found.square().mean(dim=0).sqrt().clamp(min=1e-6))
    if generator is not None:
        full = detail.written(codes, missed)
        weight, bias = model.mapping.matched(full, generator)
        detail.last_weight.copy_(weight)
        detail.last_bias.copy_(bias)
    return detail


def _told(result: Tensor, i: int, chunks: list[Tensor], start: float, progress: Progress) -> Tensor:
    progress(start + 0.5 * (i + 1) / len(chunks), "detail layer: what the reconstructions miss")
    return result


def _components(rows: Tensor, k: int) -> Tensor:
    """(k, d) leading principal components of (n, d) centred rows, by falling variance; signed so that the largest entry
    is positive."""
    if rows.shape[0] < rows.shape[1]:
        vectors = torch.linalg.eigh(rows @ rows.T).eigenvectors[:, -k:].flip(1)
        found = functional.normalize(vectors.T @ rows, dim=1)
    else:
        found = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -k:].flip(1).T
    return found * found.gather(1, found.abs().argmax(dim=1, keepdim=True)).sign()


def save_detail(folder: Path, detail: Detail) -> None:
    """Write the layer beside the weights of its generator."""
    card = {"kind": KIND, "components": len(detail.axes), "samples": len(detail.last_weight) > 0}
    save_weights(folder / DETAIL, detail, card)


def load_detail(folder: Path, size: int, width: int) -> Detail | None:
    """The layer beside a generator's weights; None where there is none. Raises ValueError where it does not fit."""
    if not (folder / DETAIL).is_dir():
        return None
    card = read_card(folder / DETAIL)
    detail = Detail(size, width, card["components"], samples=card["samples"])
    fill(detail, load_tensors(folder / DETAIL))
    # Half precision on disk: what is blind to the axes must be so exactly.
    left, _, right = torch.linalg.svd(detail.axes.double(), full_matrices=False)
    detail.axes.copy_(left @ right)
    return detail
