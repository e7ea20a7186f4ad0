"""Training StylEx against a frozen classifier, on the one training loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.training.task import Task
from cfcore.training.weights import channels_last, load_weights

from .critic import GROUP
from .losses import (
    classifier_terms,
    device_distance,
    discriminator_loss,
    dissimilarity,
    edge_distance,
    generator_loss,
    path_lengths,
    r1_gamma,
    r1_penalty,
)
from .model import StylEx, load_earlier

NEVER = 10**9


@dataclass(frozen=True)
class StylExTraining:
    """Weights and rhythm of the losses; the defaults are the paper's where it states them.

    Attributes:
        adversarial_from: iteration at which the GAN terms join; before it only E and G are trained to reconstruct,
            which a CPU needs (the paper trains all from the start: 0).
        classifier_from: iteration at which the terms that need C join.
        classifier_every: they are taken every so many iterations, times that number.
        edge_weight: of the L1 distance between image gradients. similarity_weight: of 1 - SSIM. device_weight: of the
            L1 distance in small bright structures. The paper has none of the three.
        r1_every, path_every: lazy regularisation of D and G.
        warm_up: iterations over which the rates rise from 0. anneal: let them fall along a half cosine to 0 at the last
            iteration; an encoder and decoder gain by it, the GAN game does not.
        match_codes: before the first iteration, set the mapping network so that its codes have mean and covariance of
            the encoder's.
        half_life: images after which the running average of the weights has forgotten half.
    """

    generator_rate: float = 0.0016
    discriminator_rate: float = 0.0018
    encoder_rate: float = 0.002
    momentum: float = 0.0
    adversarial_from: int = 0
    adversarial_weight: float = 1.0
    reconstruction_weight: float = 1.0
    edge_weight: float = 0.0
    similarity_weight: float = 0.0
    device_weight: float = 0.0
    perceptual_weight: float = 1.0
    code_weight: float = 1.0
    kl_weight: float = 1.0
    path_weight: float = 2.0
    classifier_from: int = 0
    classifier_every: int = 1
    r1_every: int = 16
    path_every: int = 4
    half_life: float = 10_000
    warm_up: int = 0
    anneal: bool = False
    match_codes: bool = False


RECONSTRUCT = StylExTraining(
    generator_rate=0.015,
    encoder_rate=0.015,
    momentum=0.9,
    adversarial_from=NEVER,
    classifier_from=5000,
    classifier_every=4,
    reconstruction_weight=10.0,
    edge_weight=10.0,
    device_weight=1000.0,
    perceptual_weight=0.3,
    code_weight=0.05,
    kl_weight=0.1,
    half_life=4_000,
    warm_up=100,
    anneal=True,
)
"""First phase on a CPU: E and G learn to reconstruct; C's terms join when the pictures are worth its judgement."""

CONTINUE = replace(RECONSTRUCT, generator_rate=0.007, encoder_rate=0.007, classifier_from=0)
"""The first phase once more, from weights that have been through it: at its full rate they would be forgotten."""

ADVERSARIAL = StylExTraining(
    generator_rate=0.0016,
    encoder_rate=0.0008,
    adversarial_weight=0.1,
    reconstruction_weight=10.0,
    edge_weight=10.0,
    perceptual_weight=0.3,
    code_weight=0.05,
    kl_weight=0.1,
    classifier_every=4,
    path_every=8,
    half_life=4_000,
    warm_up=50,
    match_codes=True,
)
"""Second phase, from the weights of the first: all terms of the paper, the reconstruction still weighing most."""

RECIPES = {"reconstruct": RECONSTRUCT, "continue": CONTINUE, "adversarial": ADVERSARIAL, "paper": StylExTraining()}


class RunningMean(nn.Module):
    """A number that follows others slowly (0.99); a module, so that checkpoints keep it."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))

    def follow(self, found: Tensor) -> Tensor:
        """The mean after it has moved a hundredth of the way to `found`."""
        self.value.lerp_(found.to(self.value), 0.01)
        return self.value.clone()


class StylExTask(Task):
    """One iteration: E and G on reconstruction, C's terms and (later) both adversarial paths, then D.

    Adversarial paths, as in seed 000: G(z) under a uniform random label and G(E(x)) under C's class of x; real images
    carry their data label in D.

    Several classifiers may share one generator: their classes stand in a row (those of the first come first), labels
    of the batches count along that row, and every image is judged by the classifier that its label belongs to.
    """

    group = GROUP

    def __init__(
        self,
        model: StylEx,
        classifier: Classifier | Sequence[Classifier],
        settings: StylExTraining,
        generator: torch.Generator,
        *,
        iterations: int | None = None,
    ) -> None:
        if settings.anneal and iterations is None:
            raise ValueError("annealed learning rates need the number of iterations: pass `iterations`")
        self.iterations = iterations
        self.model, self.settings, self.generator = model, settings, generator
        self.classifiers = [classifier] if isinstance(classifier, Classifier) else list(classifier)
        counts = [len(c.class_names) for c in self.classifiers]
        if sum(counts) != model.config.classes:
            raise ValueError(f"the generator has {model.config.classes} classes, the classifiers have {sum(counts)}")
        self.owner = torch.tensor([i for i, count in enumerate(counts) for _ in range(count)])
        self.first = torch.tensor([sum(counts[:i]) for i in range(len(counts))])
        self.average = copy.deepcopy(model).requires_grad_(False)
        self.discriminator = model.new_discriminator()
        for module in (model, self.average, self.discriminator, *self.classifiers):
            channels_last(module)
        self.path_length = RunningMean()
        self.modules = {
            "model": model,
            "average": self.average,
            "discriminator": self.discriminator,
            "path length": self.path_length,
        }
        betas = (settings.momentum, 0.99)
        encoder = list(model.encoder.parameters())
        others = [p for name, p in model.named_parameters() if not name.startswith("encoder.")]
        self.optimizers = {
            "generator": torch.optim.Adam(
                [{"params": others, "lr": settings.generator_rate}, {"params": encoder, "lr": settings.encoder_rate}],
                betas=betas,
            ),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), lr=settings.discriminator_rate, betas=betas
            ),
        }
        self._rates = {name: [group["lr"] for group in o.param_groups] for name, o in self.optimizers.items()}
        self._seen: tuple[Tensor, Tensor] | None = None
        self.held_out_images: Tensor | None = None

    def begin_with(self, folder: Path) -> None:
        """Start from stored weights (see `load_earlier`) and the discriminator beside them, where there is one; the
        optimisers' moments are built anew. Raises ValueError where the weights do not fit."""
        for module in (self.model, self.average):
            load_earlier(folder, module)
        if (folder / "discriminator").is_dir():
            load_weights(folder / "discriminator", self.discriminator)

    @torch.no_grad()
    def match_codes(self, images: Tensor, batch: int = 256) -> None:
        """Give the mapping network the distribution of the encoder's codes (averaged weights) of (n, 1, size, size)
        uint8 images. Before the GAN terms: they begin on pictures instead of on what codes of another scale give. After
        a training without them: random samples are pictures, if of a normal distribution of codes only."""
        device = next(self.average.parameters()).device
        codes = torch.cat([self.average.encode(chunk.to(device).float() / 255) for chunk in images.split(batch)])
        self.average.mapping.match(codes, self.generator)
        self.model.mapping.load_state_dict(self.average.mapping.state_dict())

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images, label = batch
        images = images.contiguous(memory_format=torch.channels_last)
        self._seen = images, label
        source = self._classes(images, label)
        adversarial = iteration >= self.settings.adversarial_from
        self._set_rates(iteration)
        losses = self._train_generator(images, source, iteration, adversarial, fabric)
        if adversarial:
            losses |= self._train_discriminator(images, label, source, iteration, fabric)
        return losses

    def _judged(self, label: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Each classifier that has images in the batch: its index, and their rows."""
        owner = self.owner.to(label.device)[label]
        for index in owner.unique().tolist():
            yield index, (owner == index).nonzero()[:, 0]

    @torch.no_grad()
    def _classes(self, images: Tensor, label: Tensor) -> Tensor:
        """(n,) what the own classifier of each image calls it, counted along the row of all classes."""
        found = torch.empty_like(label)
        for index, rows in self._judged(label):
            found[rows] = self.classifiers[index].logits(images[rows]).argmax(dim=1) + self.first[index].item()
        return found

    def _classifier_terms(self, images: Tensor, drawn: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        perceptual = self.settings.perceptual_weight > 0
        found = [
            torch.stack(classifier_terms(self.classifiers[i], images[rows], drawn[rows], perceptual=perceptual))
            * (len(rows) / len(images))
            for i, rows in self._judged(label)
        ]
        kl, distance = torch.stack(found).sum(dim=0).unbind()
        return kl, distance

    def _set_rates(self, iteration: int) -> None:
        s = self.settings
        share = min(1.0, (iteration + 1) / s.warm_up) if s.warm_up else 1.0
        if s.anneal and self.iterations is not None:
            share *= 0.5 + 0.5 * math.cos(math.pi * iteration / self.iterations)
        for name, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
                group["lr"] = share * rate

    def _train_generator(
        self, images: Tensor, source: Tensor, iteration: int, adversarial: bool, fabric: Fabric
    ) -> dict[str, float]:
        s = self.settings
        self.discriminator.requires_grad_(False)
        w = self.model.encode(images)
        drawn = self.model.synthesis(w, self.model.embedding(source))
        l1 = (drawn - images).abs().mean()
        parts = {"l1": l1}
        total = s.reconstruction_weight * l1
        if s.edge_weight:
            parts["edges"] = edge_distance(drawn, images)
            total = total + s.edge_weight * parts["edges"]
        if s.similarity_weight:
            parts["dissimilarity"] = dissimilarity(drawn, images)
            total = total + s.similarity_weight * parts["dissimilarity"]
        if s.device_weight:
            parts["devices"] = device_distance(drawn, images)
            total = total + s.device_weight * parts["devices"]
        if iteration >= s.classifier_from and iteration % s.classifier_every == 0:
            kl, perceptual = self._classifier_terms(images, drawn, source)
            code = (self.model.encode(drawn) - w).abs().mean()
            parts |= {"kl": kl, "perceptual": perceptual, "code": code}
            extra = s.kl_weight * kl + s.perceptual_weight * perceptual + s.code_weight * code
            total = total + s.classifier_every * extra
        if adversarial:
            random_w, random_label = self._random_codes(images)
            sampled = self.model.synthesis(random_w, self.model.embedding(random_label))
            both, labels = torch.cat([sampled, drawn]), torch.cat([random_label, source])
            parts["adversarial"] = generator_loss(self.discriminator(both, labels)) * 2
            total = total + s.adversarial_weight * parts["adversarial"]
            if iteration % s.path_every == 0:
                parts["path"] = self._path_penalty(images, fabric)
                total = total + s.path_weight * s.path_every * parts["path"]
        if self.update("generator", total, fabric):
            self._follow(len(images) * self.accumulate * self.part.pieces)
        self.discriminator.requires_grad_(True)
        return {name: value.item() for name, value in parts.items()}

    def _path_penalty(self, images: Tensor, fabric: Fabric) -> Tensor:
        some = images[: max(1, len(images) // 2)]
        w, label = self._random_codes(some)
        lengths = path_lengths(self.model.synthesis(w, self.model.embedding(label)), w, self._normal(some.shape, some))
        mean = fabric.all_reduce(lengths.detach().mean(), reduce_op="mean")
        assert isinstance(mean, Tensor)
        return (lengths - self.path_length.follow(mean)).square().mean()

    def _train_discriminator(
        self, images: Tensor, label: Tensor, source: Tensor, iteration: int, fabric: Fabric
    ) -> dict[str, float]:
        with torch.no_grad():
            random_w, random_label = self._random_codes(images)
            w = torch.cat([random_w, self.model.encode(images)])
            labels = torch.cat([random_label, source])
            fake = self.model.synthesis(w, self.model.embedding(labels))
        parts = {"d": discriminator_loss(self.discriminator(images, label), self.discriminator(fake, labels))}
        total = parts["d"]
        if iteration % self.settings.r1_every == 0:
            parts["r1"] = r1_penalty(self.discriminator, images, label)
            gamma = r1_gamma(images.shape[-1], len(images))
            total = total + gamma / 2 * self.settings.r1_every * parts["r1"]
        self.update("discriminator", total, fabric)
        return {name: value.item() for name, value in parts.items()}

    def _normal(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """N(0, 1) of a shape whose rows are this process' part of those that all processes draw alike."""
        n = shape[0] * self.part.pieces
        return self.part.of(torch.randn(n, *shape[1:], generator=self.generator)).to(like)

    def _random_codes(self, images: Tensor) -> tuple[Tensor, Tensor]:
        config = self.model.config
        z = self._normal((len(images), config.width), images)
        drawn = torch.randint(config.classes, (len(images) * self.part.pieces,), generator=self.generator)
        label = self.part.of(drawn).to(images.device)
        return self.model.mapping(z, label), label

    @torch.no_grad()
    def _follow(self, batch: int) -> None:
        keep = 0.5 ** (batch / self.settings.half_life)
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    @torch.no_grad()
    def held_out(self) -> float | None:
        """L1 of the averaged weights' reconstructions of `held_out_images`, (n, 1, size, size) uint8, as the first
        classifier conditions them."""
        if self.held_out_images is None:
            return None
        return reconstruction_quality(self.average, self.classifiers[0], self.held_out_images)["l1"]

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """Eight images, their reconstructions by the averaged weights, and eight random samples (of the same eight z
        at every call), a row each."""
        if self._seen is None:
            return None
        images, label = self._seen[0][:8], self._seen[1][:8]
        source = self._classes(images, label)
        drawn = self.average.decode(self.average.encode(images), source)
        # Always the same z, from a source of its own: a picture must change nothing of the training.
        z = torch.randn(len(images), self.model.config.width, generator=torch.Generator().manual_seed(0)).to(images)
        w = self.average.mapping(z, source)
        rows = torch.cat([images, drawn, self.average.decode(w, source)])[:, 0]
        return rows.view(3, len(images), *rows.shape[1:]).permute(0, 2, 1, 3).reshape(3 * rows.shape[1], -1)


@torch.no_grad()
def reconstruction_quality(model: StylEx, classifier: Classifier, images: Tensor, batch: int = 64) -> dict[str, float]:
    """Held-out quality of G(E(x)) on (n, 1, size, size) uint8 images.

    Returns:
        l1: mean |x - x^| in [0, 1]; ssim: structural similarity (Wang et al. 2004, Gaussian window 11, sigma 1.5);
        agreement: share of images whose class under C is kept.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    l1, likeness, agree = [], [], []
    for chunk in images.split(batch):
        real = chunk.float() / 255
        source = classifier.logits(real).argmax(dim=1)
        drawn = model.decode(model.encode(real), source)
        l1.append((drawn - real).abs().mean(dim=(1, 2, 3)))
        values = ssim(drawn, real, data_range=1.0, reduction="none")
        assert isinstance(values, Tensor)
        likeness.append(values.view(-1))
        agree.append((classifier.logits(drawn).argmax(dim=1) == source).float())
    return {
        "l1": torch.cat(l1).mean().item(),
        "ssim": torch.cat(likeness).mean().item(),
        "agreement": torch.cat(agree).mean().item(),
    }
