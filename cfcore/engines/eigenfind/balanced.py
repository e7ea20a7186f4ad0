"""Directions that take the spread of the codes into account, each as long as its change is visible (ours)."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx

from .config import batch_size

# Chosen on validation images, see docs/methods/eigenfind.md: 0 is the authors' basis, 1 whitens the codes.
POWER = 0.5
VISIBLE = 0.085
REFERENCE = 10.0
SAMPLES, SEED = 2048, 0
LOOKED_AT, ROUNDS = 8, 3
LEAST = 1e-6  # of the largest variance: a direction that no code uses is not made endless
LONGEST = 4 * REFERENCE  # in w, at degree 10


@torch.no_grad()
def code_spread(generator: StylEx) -> Tensor:
    """(width, width) covariance, in float64, of 2,048 codes of the mapping network, always the same, the classes
    in turn. After a training the mapping network's codes spread as those of the training images do."""
    width = generator.config.width
    z = torch.randn(SAMPLES, width, generator=torch.Generator().manual_seed(SEED))
    place = generator.embedding.weight
    labels = (torch.arange(SAMPLES) % generator.config.classes).to(place.device)
    codes = torch.cat([generator.sample(a, b) for a, b in zip(z.to(place).split(256), labels.split(256), strict=True)])
    return torch.cov(codes.T.double()).reshape(width, width)


def spread_root(covariance: Tensor, power: float = POWER / 2) -> Tensor:
    """Symmetric power of an (n, n) covariance, variances below a millionth of the largest raised to that; the identity
    where nothing varies."""
    variance, axes = torch.linalg.eigh(covariance)
    top = variance[-1]
    if not top > 0:
        return torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    return (axes * variance.clamp(min=top * LEAST).pow(power)) @ axes.T


@torch.no_grad()
def visible_lengths(generator: StylEx, classifier: Classifier, images: Tensor, units: Tensor) -> Tensor:
    """(scan,) lengths of (scan, width) unit moves of w such that degree 10 changes the reconstruction by a mean
    |difference| of `VISIBLE`, over both signs and up to eight (n, 1, *size) images; never longer than `LONGEST`."""
    some = images[torch.linspace(0, len(images) - 1, min(len(images), LOOKED_AT)).round().long()]
    label = classifier.logits(some).argmax(dim=1)
    codes = generator.encode(some)
    base = generator.decode(codes, label)
    signs = torch.tensor([1.0, -1.0], device=units.device)

    def change(length: Tensor) -> Tensor:
        moves = length[:, None, None] * units[:, None] * signs[:, None]
        seen = []
        for move in moves:
            at = (codes[:, None] + move).flatten(0, 1)
            parts = zip(
                at.split(batch_size(at.device)), label.repeat_interleave(2).split(batch_size(at.device)), strict=True
            )
            drawn = torch.cat([generator.decode(w, y) for w, y in parts])
            seen.append((drawn - base.repeat_interleave(2, dim=0)).abs().mean())
        return torch.stack(seen)

    length = torch.full((len(units),), REFERENCE, device=units.device, dtype=units.dtype)
    for _ in range(ROUNDS):
        length = (length * VISIBLE / change(length).clamp(min=1e-6)).clamp(max=LONGEST)
    return length


def balanced(generator: StylEx, classifier: Classifier, images: Tensor, scan: int) -> Tensor:
    """(scan, width) moves of w for one degree, by falling singular value.

    SeFa (Shen & Zhou 2021) takes w as equally spread in every direction. The codes of an encoder are not: with W the
    stacked style weights and S the codes' covariance, the directions are S^(1/4) u, u the right singular vectors of
    W S^(1/4), half way between SeFa (S = 1) and the principal components of the styles over the codes, told in w
    (S^(1/2)).
    """
    root = spread_root(code_spread(generator))
    found = torch.linalg.svd(generator.style_weights().double() @ root, full_matrices=False).Vh[:scan]
    moves = found @ root
    units = (moves / moves.norm(dim=1, keepdim=True)).to(generator.embedding.weight.dtype)
    return units * (visible_lengths(generator, classifier, images, units) / REFERENCE)[:, None]
