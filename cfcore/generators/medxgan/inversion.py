"""Finding the latents of an image: min over z1, z2 of MSE(G, x) + BCE(C(G), C(x)), from N(0, I) (METHODS 2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.base import Progress, silent
from cfcore.training.folding import folded

from .model import MedXGAN

POSITIVE = 1
LEAST_GAIN = 1e-6
# Adam's. Where C changes its mind its gradient is a thousand times that of the pixels: the usual 0.999 would remember
# it for the rest of the search, and the steps would stay as small.
BETA1, BETA2, EPSILON = 0.9, 0.9, 1e-8


@dataclass(frozen=True)
class Search:
    """How latents are searched.

    Attributes:
        steps: at most; the paper's 10,000. rate: of Adam.
        patience: steps without gain (of the share `tolerance`, at least 1e-6) after which a start goes on at a tenth
            of the rate, and the second time ends; 0: every start takes all steps.
        restarts: independent starts an image; the best is taken.
        warm: start from the encoder's code (the first start only), where the generator has one.
        keep_negative: images that C calls negative keep z2 = 0, as G was taught it, and search z1 alone.
        seed: of the starts, which are the same for every image.

    Raises:
        ValueError: a number that cannot be.
    """

    steps: int = 10_000
    rate: float = 0.05
    patience: int = 50
    tolerance: float = 0.01
    restarts: int = 1
    warm: bool = False
    keep_negative: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("patience", 0), ("restarts", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: choose at least {least}")
        if self.rate <= 0 or self.tolerance < 0:
            raise ValueError(f"rate {self.rate:g} and tolerance {self.tolerance:g}: choose above 0, and at least 0")


@dataclass(frozen=True)
class Found:
    """Latents of n images from r starts each, the best first.

    Attributes:
        z1: (n, r, anatomy). z2: (n, r, pathology).
        loss: (n, r) MSE + BCE less the entropy of C(x), which no drawing can undercut; mse: (n, r) its first part.
        steps: (n, r) taken.
    """

    z1: Tensor
    z2: Tensor
    loss: Tensor
    mse: Tensor
    steps: Tensor

    @property
    def best(self) -> tuple[Tensor, Tensor]:
        """(n, anatomy), (n, pathology) of the best start."""
        return self.z1[:, 0], self.z2[:, 0]


def invert(
    model: MedXGAN, classifier: Classifier, images: Tensor, search: Search, progress: Progress = silent
) -> Found:
    """Search the latents of all (n, 1, size, size) images in [0, 1] and all restarts in one batch.

    Starts that have ended leave the batch, so the cost is that of the steps taken; thousands of passes go through both
    networks, so both are folded first (`cfcore.training.folding`). Callers bound n x restarts.

    Raises:
        ValueError: images of another size than the network's; says both.
    """
    model.check(images)
    model, classifier = folded(model), folded(classifier)
    with torch.no_grad():
        wanted = target_margin(classifier.logits(images), POSITIVE)
        warm = torch.cat(model.encode(images), dim=1) if search.warm and model.config.encoder else None
    n, starts = len(images), _starts(model, len(images), search, warm)
    positive = (wanted > 0).repeat_interleave(search.restarts)
    free = torch.ones_like(starts)
    if search.keep_negative:
        free[:, model.config.anatomy :] = positive[:, None].to(starts)
    batch = _Batch(starts * free, free, search)
    image = torch.arange(n, device=images.device).repeat_interleave(search.restarts)
    for step in range(search.steps):
        if not len(batch.rows):
            break
        own = image[batch.rows]
        with torch.enable_grad():
            z = batch.z.detach().requires_grad_(True)
            mse, excess = _losses(model, classifier, z, images[own], wanted[own])
            (gradient,) = torch.autograd.grad((mse + excess).sum(), z)
        batch.step(gradient, (mse + excess).detach(), mse.detach())
        if step % 10 == 0:
            progress(step / search.steps, f"inverting: step {step}, {len(batch.rows)} of {len(starts)} starts go on")
    return _sorted(batch, n, search.restarts, model.config.anatomy)


def _starts(model: MedXGAN, n: int, search: Search, warm: Tensor | None) -> Tensor:
    """(n * restarts, anatomy + pathology): the same for every image, but for the encoder's."""
    generator = torch.Generator().manual_seed(search.seed)
    width = model.config.anatomy + model.config.pathology
    device = next(model.parameters()).device
    starts = torch.randn(search.restarts, width, generator=generator).to(device).repeat(n, 1, 1)
    if warm is not None:
        starts[:, 0] = warm
    return starts.flatten(0, 1)


def _losses(model: MedXGAN, classifier: Classifier, z: Tensor, images: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(b,) MSE over pixels and (b,) BCE less its least value, of C's probability against that of the image."""
    drawn = model.decode(*z.split([model.config.anatomy, model.config.pathology], dim=1))
    margin = target_margin(classifier.logits(drawn), POSITIVE)
    cross = functional.binary_cross_entropy_with_logits(margin, wanted.sigmoid(), reduction="none")
    entropy = functional.binary_cross_entropy_with_logits(wanted, wanted.sigmoid(), reduction="none")
    return (drawn - images).square().mean(dim=(1, 2, 3)), cross - entropy


class _Batch:
    """All starts side by side, each with its own Adam; those that have ended leave the batch.

    Attributes:
        rows: (a,) numbers of the starts that go on. z: (a, width) where they are.
        best_z, loss, mse, steps: of all starts, the best so far and the steps taken.
    """

    def __init__(self, starts: Tensor, free: Tensor, search: Search) -> None:
        self.search, total = search, len(starts)
        self.rows = torch.arange(total, device=starts.device)
        self.z, self.free = starts.clone(), free
        self.best_z = starts.clone()
        self.loss, self.mse = (torch.full((total,), float("inf"), device=starts.device) for _ in range(2))
        self.steps = torch.zeros(total, dtype=torch.long, device=starts.device)
        self.first, self.second = torch.zeros_like(starts), torch.zeros_like(starts)
        self.mark = self.loss.clone()
        self.waited = torch.zeros_like(self.steps)
        self.rate = torch.full((total,), search.rate, device=starts.device)

    def step(self, gradient: Tensor, loss: Tensor, mse: Tensor) -> None:
        """Note what `z` gave, move it along the gradient, and drop the starts that have stood still twice."""
        rows, search = self.rows, self.search
        better = loss < self.loss[rows]
        took = rows[better]
        self.best_z[took], self.loss[took], self.mse[took] = self.z[better], loss[better], mse[better]
        self.steps[rows] += 1
        gained = self.loss[rows] < self.mark[rows] * (1 - search.tolerance) - LEAST_GAIN
        self.mark[rows] = torch.where(gained, self.loss[rows], self.mark[rows])
        self.waited[rows] = torch.where(gained, 0, self.waited[rows] + 1)
        gradient = gradient * self.free[rows]
        self.first[rows] = BETA1 * self.first[rows] + (1 - BETA1) * gradient
        self.second[rows] = BETA2 * self.second[rows] + (1 - BETA2) * gradient.square()
        count = self.steps[rows].to(gradient)[:, None]
        slope = self.first[rows] / (1 - BETA1**count)
        spread = (self.second[rows] / (1 - BETA2**count)).sqrt() + EPSILON
        self.z = self.z - self.rate[rows][:, None] * slope / spread
        if search.patience:
            self._leave_out(self.waited[rows] >= search.patience)

    def _leave_out(self, still: Tensor) -> None:
        rows = self.rows
        ended = still & (self.rate[rows] < self.search.rate)
        slower = rows[still & ~ended]
        # From the best place on, more slowly.
        self.z[still & ~ended] = self.best_z[slower]
        self.rate[slower], self.waited[slower] = self.search.rate / 10, 0
        self.rows, self.z = rows[~ended], self.z[~ended]


def _sorted(batch: _Batch, n: int, restarts: int, anatomy: int) -> Found:
    loss = batch.loss.view(n, restarts)
    order = loss.argsort(dim=1, stable=True)
    z = batch.best_z.view(n, restarts, -1).take_along_dim(order[:, :, None], dim=1)
    rest = (value.view(n, restarts).take_along_dim(order, dim=1) for value in (batch.loss, batch.mse, batch.steps))
    return Found(z[:, :, :anatomy], z[:, :, anatomy:], *rest)
