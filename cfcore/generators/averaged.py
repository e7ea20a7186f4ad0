"""What the trainings of the VAE, of ExplainGAN and of C3LT have in common."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.training.task import Task
from cfcore.training.weights import channels_last

Model = TypeVar("Model", bound=nn.Module)
SHOWN = 8  # images a row of the sample grid


class AveragedTask(Task, Generic[Model]):
    """A model with a running average of its weights, which is what gets stored, and a rate that falls along half a
    cosine to 0.

    Args:
        generator: the source of every random number. iterations: in all, over which the rate falls; None keeps it.
        rate: of the optimiser "model", Adam with `betas`, on the parameters that need gradients. half_life: images
            after which the average has forgotten half.

    Attributes:
        held_out_images: (n, channels, size, size) uint8 that are not trained on, for early stopping.
    """

    def __init__(
        self,
        model: Model,
        generator: torch.Generator,
        iterations: int | None,
        *,
        rate: float,
        betas: tuple[float, float],
        half_life: float,
    ) -> None:
        self.model, self.generator, self.iterations = model, generator, iterations
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        for module in (self.model, self.average):
            channels_last(module)
        self.rate, self.half_life = rate, half_life
        self.modules = {"model": self.model, "average": self.average}
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizers = {"model": torch.optim.Adam(learnt, lr=rate, betas=betas)}
        self.held_out_images: Tensor | None = None
        self._seen: Tensor | None = None

    def judged_by(self, critic: nn.Module, rate: float) -> None:
        """Train `critic` along: the optimiser "critic", Adam with `rate` and (0.5, 0.999)."""
        channels_last(critic)
        self.modules["critic"] = critic
        self.optimizers["critic"] = torch.optim.Adam(critic.parameters(), lr=rate, betas=(0.5, 0.999))

    def begin(self, images: Tensor, iteration: int) -> Tensor:
        """Set the rate, keep some images for the grid, and give the batch in the layout that a CPU likes."""
        self._seen = images[:SHOWN]
        if self.iterations is not None:
            share = 0.5 + 0.5 * torch.tensor(torch.pi * iteration / self.iterations).cos().item()
            for group in self.optimizers["model"].param_groups:
                group["lr"] = self.rate * share
        self.model.train()
        return images.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def follow(self, images: int) -> None:
        """Move the average towards the model after a step over `images` images of this micro-batch and process."""
        seen = images * self.accumulate * self.part.pieces
        keep = 0.5 ** (seen / self.half_life) if self.half_life else 0.0
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    def normal(self, n: int, width: int, like: Tensor) -> Tensor:
        """(n, width) of N(0, 1), this process' part of what all processes draw alike."""
        return self.part.of(torch.randn(n * self.part.pieces, width, generator=self.generator)).to(like)

    def others(self, source: Tensor, classes: int) -> Tensor:
        """(n,) a random class other than the (n,) source classes, each as likely as the next."""
        steps = torch.randint(1, classes, (len(source) * self.part.pieces,), generator=self.generator)
        return (source + self.part.of(steps).to(source.device)) % classes


def check_pair(size: int, channels: int, classifier: Classifier) -> None:
    """Raises ValueError where a network that draws `channels` channels of `size` px is no pair with the classifier."""
    found, expected = tuple(classifier.size), (size, size)
    if found != expected or classifier.channels != channels:
        raise ValueError(
            f"the generator draws {channels} channel(s) of {expected} pixels, the classifier takes "
            f"{classifier.channels} of {found}: choose the pair that was trained together"
        )


def check_classes(classes: int, classifier: Classifier) -> None:
    """Raises ValueError where a network knows another number of classes than the classifier."""
    if len(classifier.class_names) != classes:
        raise ValueError(
            f"the generator leads to {classes} classes, the classifier has {len(classifier.class_names)}: "
            "choose the pair that was trained together"
        )


def grid_of(rows: Sequence[Tensor]) -> Tensor:
    """(h, w) in [0, 1]: rows of equally many (n, channels, size, size) pictures, in grey."""
    grey = torch.stack([row.mean(dim=1) for row in rows])
    return grey.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
