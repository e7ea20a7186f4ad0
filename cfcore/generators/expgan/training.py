"""Training ExplainGAN against a frozen classifier, on the one training loop."""

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
from cfcore.generators.jitter import jittered
from cfcore.generators.stylex.losses import discriminator_loss, generator_loss
from cfcore.training.weights import channels_last

from .model import ExpGAN, composite


@dataclass(frozen=True)
class ExpGANTraining:
    """Weights of the losses (Samangouei et al. 2018) and rates of the optimisers; the paper's terms, our weights.

    Attributes:
        class_weight: of the cross-entropy of C on the composite, against the target; taken every `class_every`
            iterations, times that number.
        jitter: pixels, by up to which every second composite is shifted before C looks at it (ours), see `jittered`.
        warm_up: iterations in which all weights but those of the class and of G's drawing rise to their values, in
            equal steps (ours). Where all count from the first iteration on, the mask closes while G cannot draw another
            class yet; then G gets no gradient from C that would open it again.
        adversarial_weight: of the non-saturating GAN loss of the composite, one discriminator logit a class.
        reconstruction_weight: of |x - G(x, own class)|, mean over pixels.
        cycle_weight: of |x - x''|, x'' the composite of the composite back to the image's own class.
        consistency_weight: of (1 - m) |G - x|: what is not masked is drawn as it was.
        count_weight: of relu(mean m - share): a mask may cover `share` of the picture for nothing.
        smooth_weight: of the total variation of m. entropy_weight: of min(m, 1 - m), so that a mask is 0 or 1.
        rate, discriminator_rate: of Adam (0.5, 0.999). half_life: images after which the running average has forgotten
            half.
    """

    class_weight: float = 3.0
    class_every: int = 1
    jitter: int = 0
    warm_up: int = 0
    adversarial_weight: float = 0.5
    reconstruction_weight: float = 10.0
    cycle_weight: float = 10.0
    consistency_weight: float = 2.0
    count_weight: float = 5.0
    share: float = 0.1
    smooth_weight: float = 0.5
    entropy_weight: float = 0.5
    rate: float = 1e-3
    discriminator_rate: float = 2e-4
    half_life: float = 4_000


FULL = ExpGANTraining()
SHORT = replace(
    FULL,
    class_weight=1.0,
    class_every=2,
    jitter=2,
    warm_up=400,
    adversarial_weight=0.1,
    cycle_weight=5.0,
    count_weight=2.0,
    share=0.2,
    smooth_weight=0.3,
    entropy_weight=0.3,
    rate=5e-4,
)
"""For a CPU: C, the dearest part, is asked every second iteration."""

RECIPES = {"short": SHORT, "full": FULL}


class ExpGANTask(AveragedTask[ExpGAN]):
    """One iteration: G to a random other class, to the own one, and back again; then D. See `AveragedTask`.

    The batch's labels are C's classes of the images.
    """

    def __init__(
        self,
        model: ExpGAN,
        classifier: Classifier,
        settings: ExpGANTraining,
        generator: torch.Generator,
        iterations: int | None = None,
    ) -> None:
        config = model.config
        check_pair(config.size, config.channels, classifier)
        check_classes(config.classes, classifier)
        betas = (0.5, 0.999)
        super().__init__(model, generator, iterations, rate=settings.rate, betas=betas, half_life=settings.half_life)
        self.classifier, self.settings = classifier, settings
        self.critic = Critic(config.size, config.channels, config.classes, config.width)
        channels_last(classifier)
        self.judged_by(self.critic, settings.discriminator_rate)

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images, source = self.begin(batch[0], iteration), batch[1]
        target = self.others(source, self.model.config.classes)
        self.critic.requires_grad_(False).train()
        parts, fake = self._parts(images, source, target, iteration)
        total = torch.stack([w * parts[name] for name, w in self._weights(iteration).items() if name in parts]).sum()
        if self.update("model", total, fabric):
            self.follow(len(images))
        self.critic.requires_grad_(True)
        parts["d"] = discriminator_loss(self.critic(images, source), self.critic(fake, target))
        self.update("critic", parts["d"], fabric)
        return {name: value.item() for name, value in parts.items()}

    def _weights(self, iteration: int) -> dict[str, float]:
        s = self.settings
        risen = min(1.0, iteration / s.warm_up) if s.warm_up else 1.0
        return {
            "class": s.class_weight * s.class_every,
            "adversarial": s.adversarial_weight * risen,
            "drawn": s.reconstruction_weight,
            "masked": s.reconstruction_weight * risen,
            "cycle": s.cycle_weight * risen,
            "consistency": s.consistency_weight * risen,
            "count": s.count_weight * risen,
            "smooth": s.smooth_weight * risen,
            "entropy": s.entropy_weight * risen,
        }

    def _parts(
        self, images: Tensor, source: Tensor, target: Tensor, iteration: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of the generator by name, and its composites without gradients."""
        own, own_mask = self.model(images, source)
        drawn, mask = self.model(images, target)
        fake = composite(images, drawn, mask)
        back, back_mask = self.model(fake, source)
        parts = mask_priors(torch.cat([mask, back_mask]), self.settings.share)
        parts["adversarial"] = generator_loss(self.critic(fake, target))
        parts["drawn"] = (own - images).abs().mean()
        parts["masked"] = (own_mask * (own - images)).abs().mean()
        parts["cycle"] = (composite(fake, back, back_mask) - images).abs().mean()
        parts["consistency"] = ((1 - mask) * (drawn - images)).abs().mean()
        if iteration % self.settings.class_every == 0:
            parts["class"] = functional.cross_entropy(self.classifier.logits(self._jittered(fake)), target)
        return parts, fake.detach()

    def _jittered(self, drawn: Tensor) -> Tensor:
        if not self.settings.jitter:
            return drawn
        shares = torch.rand(len(drawn) * self.part.pieces, 2, generator=self.generator)
        return jittered(drawn, self.part.of(shares).T, self.settings.jitter)

    def held_out(self) -> float | None:
        """1 - validity, plus the L1 of the counterfactuals, on `held_out_images`."""
        if self.held_out_images is None:
            return None
        found = quality(self.average, self.classifier, self.held_out_images)
        return 1 - found["validity"] + found["l1_moved"]

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """Rows: images, G to the next class, its mask, the composite, G to the own class."""
        if self._seen is None:
            return None
        images, source = self._seen, self.classifier.logits(self._seen).argmax(dim=1)
        drawn, mask = self.average(images, (source + 1) % self.model.config.classes)
        own, _ = self.average(images, source)
        return grid_of([images, drawn, mask, composite(images, drawn, mask), own])


def mask_priors(mask: Tensor, share: float) -> dict[str, Tensor]:
    """ "count", "smooth" and "entropy" of (n, 1, h, w) masks in [0, 1], see `ExpGANTraining`; a uniform mask at `share`
    is smooth, is not counted, and costs its entropy."""
    across, down = mask.diff(dim=3).abs().mean(), mask.diff(dim=2).abs().mean()
    return {
        "count": functional.relu(mask.mean(dim=(1, 2, 3)) - share).mean(),
        "smooth": across + down,
        "entropy": torch.minimum(mask, 1 - mask).mean(),
    }


def quality(model: ExpGAN, classifier: Classifier, images: Tensor) -> dict[str, float]:
    """Of (n, channels, size, size) uint8 images: `counterfactual_quality`, and `redrawn_quality` of G under the image's
    own class."""
    found = counterfactual_quality(lambda real, _, target: model.counterfactual(real, target), classifier, images)
    return found | redrawn_quality(lambda real, source: model(real, source)[0], classifier, images)
