"""Training medXGAN against a frozen classifier, on the one training loop."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import check_pair
from cfcore.generators.stylex.losses import discriminator_loss, edge_distance, generator_loss, r1_penalty
from cfcore.training.task import Task
from cfcore.training.weights import channels_last, load_weights

from .guidance import feature_distance, salience
from .model import Discriminator, MedXGAN


@dataclass(frozen=True)
class MedXGANTraining:
    """Weights of the losses and rates of the optimisers; the defaults are the paper's (METHODS 2).

    Attributes:
        rate, beta: of Adam, (beta, 0.999).
        class_weight: of the cross-entropy of C's logits on what is drawn, against the class that z2 stands for.
        adversarial_weight: of the GAN's loss and the cross-entropy together, beside the terms below.
        reconstruction_weight: of |x - G(E(x))|, mean over pixels; 0 is the paper's, which has no encoder.
        edge_weight: of the same between neighbouring pixels' differences.
        divergence_weight: of the codes' KL divergence from N(0, I), summed over z and divided by the pixels.
        own_class_weight: of KL(C(x) || C(G(E(x)))), taken every `own_class_every` iterations, times that number.
        feature_weight: of the distance between C's activations on x and on G(E(x)), see `feature_distance`; as often.
        salience_weight: of |x - G(E(x))| once more, each pixel weighted by `salience`, mean over pixels; as often.
        discriminator_rate: of D's Adam.
        r1_weight: of R1 on real images (Mescheder et al. 2018), taken every `r1_every` iterations, times that number.
        fakes: samples a real image; with an encoder half of them are swapped pathologies.
        half_life: images after which the running average of G has forgotten half; 0 keeps no average.
    """

    rate: float = 2e-4
    beta: float = 0.5
    class_weight: float = 2.0
    adversarial_weight: float = 1.0
    reconstruction_weight: float = 0.0
    edge_weight: float = 0.0
    divergence_weight: float = 1.0
    own_class_weight: float = 0.0
    own_class_every: int = 1
    feature_weight: float = 0.0
    salience_weight: float = 0.0
    discriminator_rate: float = 2e-4
    r1_weight: float = 0.0
    r1_every: int = 8
    fakes: float = 1.0
    half_life: float = 0.0


PAPER = MedXGANTraining()
COVERED = replace(
    PAPER,
    rate=1e-3,
    class_weight=10.0,
    adversarial_weight=0.05,
    reconstruction_weight=20.0,
    edge_weight=10.0,
    own_class_weight=0.1,
    own_class_every=4,
    fakes=0.5,
    half_life=4_000,
)
"""Ours: an encoder is trained along, so that every training image has a code (as in VAE-GAN, Larsen et al. 2016). A GAN
alone leaves images out, whose inversion then fails; and pictures are there after minutes on a CPU."""

GUIDED = replace(
    COVERED,
    class_weight=20.0,
    adversarial_weight=0.1,
    feature_weight=0.5,
    discriminator_rate=1e-4,
    r1_weight=0.05,
)
"""COVERED with C's activations kept, so that what C looks at is drawn where it lies however small it is, and with a
discriminator that is held back, so that it does not win early."""

RECIPES = {"covered": COVERED, "guided": GUIDED, "paper": PAPER}


class MedXGANTask(Task):
    """One iteration: G (and E) on samples, swapped pathologies and reconstructions, then D.

    Samples: z1 ~ N(0, I), half of them with z2 = 0, half with z2 ~ N(0, I). With an encoder also swapped: z1 of a real
    image under the other class' z2. Each is told to C under the class that its z2 stands for, as logits: a softmax
    before the cross-entropy would be a second one, with vanishing gradients.

    Args:
        generator: the source of every random number. iterations: in all, over which the rate falls along half a cosine
            to 0 where there is an encoder; None keeps it.
    """

    def __init__(
        self,
        model: MedXGAN,
        classifier: Classifier,
        settings: MedXGANTraining,
        generator: torch.Generator,
        iterations: int | None = None,
    ) -> None:
        if len(classifier.class_names) != 2:
            raise ValueError(f"medXGAN knows two classes, the classifier has {len(classifier.class_names)}")
        check_pair(model.config.size, 1, classifier)
        self.model, self.classifier, self.settings, self.generator = model, classifier, settings, generator
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.discriminator = Discriminator(model.config)
        self.iterations = iterations
        for module in (model, self.average, self.discriminator, classifier):
            channels_last(module)
        self.modules = {"model": model, "average": self.average, "discriminator": self.discriminator}
        betas = (settings.beta, 0.999)
        drawn = model if settings.reconstruction_weight else model.decoder
        self.optimizers = {
            "generator": torch.optim.Adam(drawn.parameters(), lr=settings.rate, betas=betas),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), lr=settings.discriminator_rate, betas=betas
            ),
        }
        self.held_out_images: Tensor | None = None
        self._seen: Tensor | None = None

    def begin_with(self, folder: Path) -> None:
        """Start from stored weights, and the discriminator beside them where there is one; the optimisers' moments are
        built anew. Raises ValueError where the weights do not fit."""
        for module in (self.model, self.average):
            load_weights(folder, module)
        if (folder / "discriminator").is_dir():
            load_weights(folder / "discriminator", self.discriminator)

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images, _ = batch
        images = images.contiguous(memory_format=torch.channels_last)
        self._seen = images[:8]
        if self.iterations is not None and self.settings.reconstruction_weight:
            share = 0.5 + 0.5 * torch.tensor(torch.pi * iteration / self.iterations).cos().item()
            for group in self.optimizers["generator"].param_groups:
                group["lr"] = self.settings.rate * share
        losses, fake = self._train_generator(images, iteration, fabric)
        return losses | self._train_discriminator(images, fake, iteration, fabric)

    def _train_generator(self, images: Tensor, iteration: int, fabric: Fabric) -> tuple[dict[str, float], Tensor]:
        s, n = self.settings, max(2, round(len(images) * self.settings.fakes))
        self.model.train()
        self.discriminator.requires_grad_(False).train()
        parts: dict[str, Tensor] = {}
        z1, z2, stands_for = self._samples(images, n // 2 if s.reconstruction_weight else n)
        source = None
        if s.reconstruction_weight:
            with torch.no_grad():
                source = self.classifier.logits(images)
            own1, own2, parts["divergence"] = self._codes(images, source.argmax(dim=1))
            other1, other2, other = self._swapped(own1, source.argmax(dim=1), n - n // 2)
            z1, z2 = torch.cat([z1, other1, own1]), torch.cat([z2, other2, own2])
            stands_for = torch.cat([stands_for, other])
        drawn = self.model.decode(z1, z2)
        fake = drawn[: len(stands_for)]
        parts["class"] = functional.cross_entropy(self.classifier.logits(fake), stands_for)
        parts["adversarial"] = generator_loss(self.discriminator(fake))
        total = s.adversarial_weight * (parts["adversarial"] + s.class_weight * parts["class"])
        if source is not None:
            again = drawn[len(stands_for) :]
            parts["l1"] = (again - images).abs().mean()
            parts["edges"] = edge_distance(again, images)
            total = total + s.reconstruction_weight * parts["l1"] + s.edge_weight * parts["edges"]
            if s.own_class_weight and iteration % s.own_class_every == 0:
                parts["own class"] = self._own_class(again, source)
                total = total + s.own_class_every * s.own_class_weight * parts["own class"]
            if s.feature_weight and iteration % s.own_class_every == 0:
                parts["features"] = feature_distance(self.classifier, again, images)
                total = total + s.own_class_every * s.feature_weight * parts["features"]
            if s.salience_weight and iteration % s.own_class_every == 0:
                parts["salient"] = (salience(self.classifier, images) * (again - images).abs()).mean()
                total = total + s.own_class_every * s.salience_weight * parts["salient"]
            total = total + s.divergence_weight * parts["divergence"] / images[0].numel()
        if self.update("generator", total, fabric):
            self._follow(len(images) * self.accumulate * self.part.pieces)
        self.discriminator.requires_grad_(True)
        return {name: value.item() for name, value in parts.items()}, fake.detach()

    def _train_discriminator(self, images: Tensor, fake: Tensor, iteration: int, fabric: Fabric) -> dict[str, float]:
        s = self.settings
        loss = discriminator_loss(self.discriminator(images), self.discriminator(fake))
        parts = {"d": loss.item()}
        if s.r1_weight and iteration % s.r1_every == 0:
            r1 = r1_penalty(self.discriminator, images)
            parts["r1"] = r1.item()
            loss = loss + s.r1_every * s.r1_weight / 2 * r1
        self.update("discriminator", loss, fabric)
        return parts

    def _samples(self, images: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """z1, z2 and (n,) classes: every other row is positive."""
        config = self.model.config
        stands_for = torch.arange(n, device=images.device) % 2
        z1, z2 = self._normal(n, config.anatomy, images), self._normal(n, config.pathology, images)
        return z1, z2 * stands_for[:, None], stands_for

    def _codes(self, images: Tensor, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Codes drawn from the encoder's normal distributions, z2 = 0 for images that C calls negative, and the mean KL
        divergence from N(0, I), in nats an image."""
        config = self.model.config
        mean, log_variance = self.model.encoder(images)
        drawn = mean + (0.5 * log_variance).exp() * self._normal(len(images), mean.shape[1], images)
        z1, z2 = drawn.split([config.anatomy, config.pathology], dim=1)
        each = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        # A negative image has no pathology to encode.
        counted = torch.cat([torch.ones_like(z1), source[:, None].expand_as(z2)], dim=1)
        return z1, z2 * source[:, None], (each * counted).sum(dim=1).mean()

    def _swapped(self, z1: Tensor, source: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """The anatomy of the first n images under the other class' z2, and that class."""
        other = 1 - source[:n]
        return z1[:n], self._normal(n, self.model.config.pathology, z1) * other[:, None], other

    def _own_class(self, again: Tensor, source: Tensor) -> Tensor:
        found = self.classifier.logits(again).log_softmax(dim=1)
        return functional.kl_div(found, source.log_softmax(dim=1), log_target=True, reduction="batchmean")

    def _normal(self, n: int, width: int, like: Tensor) -> Tensor:
        """N(0, 1) whose rows are this process' part of those that all processes draw alike."""
        return self.part.of(torch.randn(n * self.part.pieces, width, generator=self.generator)).to(like)

    @torch.no_grad()
    def _follow(self, images: int) -> None:
        half_life = self.settings.half_life
        keep = 0.5 ** (images / half_life) if half_life else 0.0
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)
        for old, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            old.copy_(new)

    @torch.no_grad()
    def held_out(self) -> float | None:
        """L1 of G(E(x)) on `held_out_images`, (n, 1, size, size) uint8; None without them or without an encoder."""
        if self.held_out_images is None or not self.settings.reconstruction_weight:
            return None
        errors = []
        for chunk in self.held_out_images.split(64):
            images = chunk.float() / 255
            z1, z2 = self.average.encode(images)
            positive = self.classifier.logits(images).argmax(dim=1)
            errors.append((self.average.decode(z1, z2 * positive[:, None]) - images).abs().mean(dim=(1, 2, 3)))
        return torch.cat(errors).mean().item()

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """A row each: eight images, their codes drawn and the same without pathology (with an encoder), eight
        anatomies without pathology and with it. Always the same draws, from a source of its own: a picture must change
        nothing of the training."""
        if self._seen is None:
            return None
        config, images = self.model.config, self._seen
        fixed = torch.Generator().manual_seed(0)
        z1 = torch.randn(len(images), config.anatomy, generator=fixed).to(images)
        z2 = torch.randn(len(images), config.pathology, generator=fixed).to(images)
        pairs = [(z1, 0 * z2), (z1, z2)]
        if config.encoder:
            own1, own2 = self.average.encode(images)
            own2 = own2 * self.classifier.logits(images).argmax(dim=1)[:, None]
            pairs = [(own1, own2), (own1, 0 * own2), *pairs]
        rows = torch.cat([images, *(self.average.decode(*pair) for pair in pairs)])[:, 0]
        grid = rows.view(1 + len(pairs), len(images), *rows.shape[1:])
        return grid.permute(0, 2, 1, 3).flatten(0, 1).flatten(1)
