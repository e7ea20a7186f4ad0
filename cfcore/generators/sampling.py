"""Images of patients that do not exist: balanced over the classes, or close to the classifier's decision boundary.

Seed 001, section 6, names both as uses of its generator: training data, and samples near the boundary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.training import predict
from cfcore.engines.base import Progress, silent

from .medxgan import MedXGAN
from .stylex import StylEx
from .vae import VAE

BATCH = 64
ROUNDS = 40  # batches of candidates, beyond those needed, before a generator is given up
HALVINGS = 20
LOW, HIGH = 0.4, 0.6


class Sampler(ABC):
    """Patients that a generator makes up, each healthy at share 0 and diseased at share 1 of one line of codes."""

    @abstractmethod
    def patients(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, d) random codes of patients."""

    @abstractmethod
    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        """(n, 1, size, size) images in [0, 1] of (n, d) patients at (n,) shares of their disease, in [0, 1]."""


class MedXGANSampler(Sampler):
    """z1 and z2 ~ N(0, I); G(z1, share * z2)."""

    def __init__(self, model: MedXGAN) -> None:
        self.model = model

    def patients(self, n: int, generator: torch.Generator) -> Tensor:
        config = self.model.config
        return torch.randn(n, config.anatomy + config.pathology, generator=generator)

    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        z1, z2 = patients.split([self.model.config.anatomy, self.model.config.pathology], dim=1)
        return self.model.decode(z1, share[:, None] * z2)


class StylExSampler(Sampler):
    """z ~ N(0, I) mapped under either class; the line between the two codes and between the classes' embeddings."""

    def __init__(self, model: StylEx) -> None:
        if model.config.classes != 2:
            raise ValueError(f"the generator knows {model.config.classes} classes: sampling takes one with two")
        self.model = model

    def patients(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.model.config.width, generator=generator)

    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        classes = torch.zeros(len(patients), dtype=torch.long), torch.ones(len(patients), dtype=torch.long)
        healthy, diseased = (self.model.sample(patients, label) for label in classes)
        none, whole = (self.model.embedding(label) for label in classes)
        code, condition = healthy.lerp(diseased, share[:, None]), none.lerp(whole, share[:, None])
        return self.model.synthesis(code, condition).clamp(0, 1)


class VAESampler(Sampler):
    """Two z ~ N(0, I) and the line between them. A VAE knows no classes: what a drawing is, C says, so that the two are
    two patients where the other generators have one."""

    def __init__(self, model: VAE) -> None:
        if model.config.channels != 1:
            raise ValueError(f"the VAE draws {model.config.channels} channels: sampling takes one of grey images")
        self.model = model

    def patients(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, 2 * self.model.config.latent, generator=generator)

    def draw(self, patients: Tensor, share: Tensor) -> Tensor:
        first, second = patients.chunk(2, dim=1)
        return self.model.decode(first.lerp(second, share[:, None]))


def sampler_of(generator: nn.Module) -> Sampler:
    """How a generator makes up patients. Raises ValueError for a kind that changes images and makes up none."""
    if isinstance(generator, MedXGAN):
        return MedXGANSampler(generator)
    if isinstance(generator, StylEx):
        return StylExSampler(generator)
    if isinstance(generator, VAE):
        return VAESampler(generator)
    raise ValueError(
        f"{type(generator).__name__} changes images and makes up no patients: choose a medXGAN, a StylEx or a VAE "
        "generator"
    )


@dataclass(frozen=True)
class Samples:
    """Drawn images.

    Attributes:
        images: (n, 1, size, size) in [0, 1]. labels: (n,) 0 or 1. probability: (n,) C's of class 1.
        tried: patients that were drawn for them.
    """

    images: Tensor
    labels: Tensor
    probability: Tensor
    tried: int

    def __len__(self) -> int:
        return len(self.images)


@torch.no_grad()
def balanced(
    sampler: Sampler, classifier: Classifier, n: int, generator: torch.Generator, progress: Progress = silent
) -> Samples:
    """n images, every other one diseased, of those that C gives the class that they were drawn as.

    Raises:
        ValueError: n below 2, or C agrees with hardly any drawing.
    """

    def candidates(patients: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = sampler.draw(patients, wanted.float())
        p = predict(classifier, images)
        return images, p, (p > 0.5) == (wanted == 1)

    return _collected(candidates, sampler, n, generator, progress, "has the class that it was drawn as")


@torch.no_grad()
def near_boundary(
    sampler: Sampler, classifier: Classifier, n: int, generator: torch.Generator, progress: Progress = silent
) -> Samples:
    """n images with 0.4 < p < 0.6, every other one below 0.5, by bisection of the share of each patient's disease.

    Each is labelled with the class that C gives it. Patients whose p does not go from below 0.4 to above 0.6 are left
    out.

    Raises:
        ValueError: n below 2, or hardly any patient crosses the boundary.
    """

    def candidates(patients: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        goal = torch.where(wanted == 1, (HIGH + 0.5) / 2, (LOW + 0.5) / 2)
        low, high = torch.zeros(len(patients)), torch.ones(len(patients))
        ends = [predict(classifier, sampler.draw(patients, share)) for share in (low, high)]
        crosses = (ends[0] < LOW) & (ends[1] > HIGH)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            above = predict(classifier, sampler.draw(patients, middle)) > goal
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        images = sampler.draw(patients, (low + high) / 2)
        p = predict(classifier, images)
        # Where p jumps, the bisection ends beside the goal.
        hit = (p > LOW) & (p < HIGH) & ((p > 0.5) == (wanted == 1))
        return images, p, crosses & hit

    return _collected(candidates, sampler, n, generator, progress, "comes to lie at the boundary")


# Patients and the class that each shall have -> images, C's p, which of them will do.
_Candidates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


def _collected(
    candidates: _Candidates, sampler: Sampler, n: int, generator: torch.Generator, progress: Progress, what: str
) -> Samples:
    if n < 2:
        raise ValueError(f"n is {n}: draw at least 2 images, one of each class")
    wanted = torch.arange(n) % 2
    images: list[Tensor | None] = [None] * n
    p, tried = torch.zeros(n), 0
    for turn in range(-(-n // BATCH) + ROUNDS):
        left = torch.tensor([i for i in range(n) if images[i] is None])
        if not len(left):
            break
        progress(1 - len(left) / n, f"{tried} patients drawn")
        # Places that stay open get ever more candidates at once.
        places = left.repeat(2 ** min(turn, 6))[:BATCH]
        drawn, found, good = candidates(sampler.patients(len(places), generator), wanted[places])
        tried += len(places)
        for row in good.nonzero()[:, 0].tolist():
            place = int(places[row])
            if images[place] is None:
                images[place], p[place] = drawn[row], found[row]
    known = [image for image in images if image is not None]
    if len(known) < n:
        raise ValueError(f"of {tried} drawn patients {len(known)} {what}, {n} are wanted: ask for fewer")
    return Samples(torch.stack(known), wanted, p, tried)
