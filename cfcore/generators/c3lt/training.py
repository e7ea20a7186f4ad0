"""Training C3LT's transformation against a frozen classifier and a frozen VAE, on the one training loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.averaged import AveragedTask, check_classes, check_pair, grid_of
from cfcore.generators.convolutional import Critic
from cfcore.generators.drawn_quality import counterfactual_quality, redrawn_quality
from cfcore.generators.stylex.losses import discriminator_loss, generator_loss
from cfcore.training.weights import channels_last

from .model import C3LT


@dataclass(frozen=True)
class C3LTTraining:
    """Weights of the losses and rates of the optimisers; the defaults are those of the paper's code on MNIST.

    Attributes:
        class_weight: of the cross-entropy of C on x' = G(T(z)), against the target.
        class_every: C is asked every so many iterations, and what it says counts times that number.
        proximity_weight: alpha, see `proximity`.
        cycle_weight: beta, of the mean of |z - z''| and the perceptual distance of x and G(z''), z'' = T(T(z)) back to
            the source: the mean of L1 in pixels and L1 in C's features, or pixels alone where C tells no features.
        adversarial_weight: gamma, of the non-saturating GAN loss of x' and G(z''); 0 trains no discriminator. Ours
            learns to tell them from G(z), since every drawing of a VAE is told from an image by its blur.
        rate, discriminator_rate: of Adam. half_life: images after which the running average has forgotten half; 0
            keeps no average.
    """

    class_weight: float = 1.0
    class_every: int = 1
    proximity_weight: float = 0.1
    cycle_weight: float = 0.1
    adversarial_weight: float = 0.0
    rate: float = 1e-3
    discriminator_rate: float = 2e-4
    half_life: float = 0.0


PAPER = C3LTTraining()
SHORT = replace(PAPER, class_every=2, half_life=2_000)
"""For a CPU: C, the dearest part, is asked every second iteration."""

RECIPES = {"short": SHORT, "paper": PAPER}


class C3LTTask(AveragedTask[C3LT]):
    """One iteration: to a random other class and back; then D, where there is one. See `AveragedTask`.

    The batch's labels are C's classes of the images.
    """

    def __init__(
        self,
        model: C3LT,
        classifier: Classifier,
        settings: C3LTTraining,
        generator: torch.Generator,
        iterations: int | None = None,
    ) -> None:
        drawn = model.vae.config
        check_pair(drawn.size, drawn.channels, classifier)
        check_classes(model.config.classes, classifier)
        super().__init__(
            model, generator, iterations, rate=settings.rate, betas=(0.9, 0.999), half_life=settings.half_life
        )
        self.classifier, self.settings = classifier, settings
        channels_last(classifier)
        self.critic: Critic | None = None
        if settings.adversarial_weight:
            self.critic = Critic(drawn.size, drawn.channels, model.config.classes, drawn.width)
            self.judged_by(self.critic, settings.discriminator_rate)

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        s, images, source = self.settings, self.begin(batch[0], iteration), batch[1]
        target = self.others(source, self.model.config.classes)
        with torch.no_grad():
            z = self.model.encode(images)
        moved = self.model.move(z, source, target)
        back = self.model.move(moved, target, source)
        other, again = self.model.decode(moved), self.model.decode(back)
        parts = {"proximity": proximity(images, other)}
        latent, pixels = (z - back).abs().mean(), (again - images).abs().mean()
        parts["cycle"] = (latent + pixels) / 2
        total = s.proximity_weight * parts["proximity"]
        if iteration % s.class_every == 0:
            parts["class"] = functional.cross_entropy(self.classifier.logits(other), target)
            features = self._feature_distance(images, again)
            if features is not None:
                parts["cycle"] = (latent + (pixels + features) / 2) / 2
            total = total + s.class_every * s.class_weight * parts["class"]
        total = total + s.cycle_weight * parts["cycle"]
        if self.critic is not None:
            self.critic.requires_grad_(False).train()
            found = [generator_loss(self.critic(other, target)), generator_loss(self.critic(again, source))]
            parts["adversarial"] = torch.stack(found).mean()
            total = total + s.adversarial_weight * parts["adversarial"]
        if self.update("model", total, fabric):
            self.follow(len(images))
        if self.critic is not None:
            self.critic.requires_grad_(True)
            with torch.no_grad():
                drawn = self.model.decode(z)
            fake = self.critic(other.detach(), target)
            parts["d"] = discriminator_loss(self.critic(drawn, source), fake)
            self.update("critic", parts["d"], fabric)
        return {name: value.item() for name, value in parts.items()}

    def _feature_distance(self, images: Tensor, again: Tensor) -> Tensor | None:
        """Mean |F(x) - F(x'')| of C's features; None where it tells none."""
        try:
            with torch.no_grad():
                wanted = self.classifier.features(images)
            return (self.classifier.features(again) - wanted).abs().mean()
        except TypeError:
            return None

    def held_out(self) -> float | None:
        """1 - validity, plus the L1 of the counterfactuals, on `held_out_images`."""
        if self.held_out_images is None:
            return None
        found = quality(self.average, self.classifier, self.held_out_images)
        return 1 - found["validity"] + found["l1_moved"]

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """Rows: images, their drawings, the counterfactuals of the next class, the way back."""
        if self._seen is None:
            return None
        images, model = self._seen, self.average
        source = self.classifier.logits(images).argmax(dim=1)
        target = (source + 1) % model.config.classes
        z = model.encode(images)
        moved = model.move(z, source, target)
        codes = [z, moved, model.move(moved, target, source)]
        return grid_of([images, *(model.decode(code) for code in codes)])


def proximity(images: Tensor, other: Tensor, smooth: float = 10.0, entropy: float = 1.0) -> Tensor:
    """(|x - x'| + smooth S(m) + entropy H(m)) / (1 + smooth + entropy) of (n, channels, h, w) images, pixel means.

    m is each picture's squared change scaled to [0, 1], S the mean squared difference of its neighbours, H the mean of
    min(m, 1 - m): the change is to be small, in one piece, and either whole or none.
    """
    change = (other - images).square().mean(dim=1, keepdim=True)
    low, high = change.amin(dim=(1, 2, 3), keepdim=True), change.amax(dim=(1, 2, 3), keepdim=True)
    mask = (change - low) / (high - low).clamp_min(1e-12)
    rough = (mask.diff(dim=2).square().mean() + mask.diff(dim=3).square().mean()) / 2
    undecided = torch.minimum(mask, 1 - mask).mean()
    return ((other - images).abs().mean() + smooth * rough + entropy * undecided) / (1 + smooth + entropy)


def quality(model: C3LT, classifier: Classifier, images: Tensor) -> dict[str, float]:
    """Of (n, channels, size, size) uint8 images: `counterfactual_quality`, and `redrawn_quality` of the VAE."""

    def draw(real: Tensor, source: Tensor, target: Tensor) -> Tensor:
        return model.decode(model.move(model.encode(real), source, target))

    redrawn = redrawn_quality(lambda real, source: model.decode(model.encode(real)), classifier, images)
    return counterfactual_quality(draw, classifier, images) | redrawn
