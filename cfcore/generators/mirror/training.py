"""Training a decoder against a frozen classifier, on the one training loop."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from cfcore.classifiers.base import Classifier
from cfcore.generators.jitter import jittered
from cfcore.generators.stylex.losses import discriminator_loss, edge_distance, generator_loss
from cfcore.mirror.triangulation import triangulation
from cfcore.training.task import Task
from cfcore.training.weights import channels_last, freeze, load_weights

from .measure import measure
from .memory import Memory
from .model import Discriminator, MirrorDecoder, head_digest
from .recipes import MirrorTraining
from .view import View, Way, look, way_to

CALIBRATED_ON = 256  # images
HELD_OUT_K = (0.0, 0.25, 0.5, 0.75, 1.0)


class MirrorTask(Task):
    """One iteration: G on reconstructions (k = 0) and on points at k ~ U(0, 1), then D. C is only asked.

    Args:
        partners: (classes, classes) bool, the targets that each source class is led to; None: every other class.
        generator: the source of every random number. iterations: in all, for a rate that falls.

    Raises:
        ValueError: a decoder of another classifier.
    """

    def __init__(
        self,
        model: MirrorDecoder,
        classifier: Classifier,
        settings: MirrorTraining,
        generator: torch.Generator,
        iterations: int,
        partners: Tensor | None = None,
    ) -> None:
        if model.config.head != head_digest(classifier):
            raise ValueError("the decoder was made for another classifier: choose the pair that belongs together")
        n = len(classifier.class_names)
        others = ~torch.eye(n, dtype=torch.bool)
        self.partners = others if partners is None else partners & others
        # C may see a class that is in no pair: that image is led anywhere else.
        self.partners = torch.where(self.partners.any(dim=1, keepdim=True), self.partners, others)
        self.model, self.classifier, self.settings, self.generator = model, classifier, settings, generator
        self.iterations = iterations
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.discriminator = Discriminator(model.config.size, model.config.channels)
        freeze(classifier)
        for module in (model, self.average, self.discriminator):
            channels_last(module)
        self.modules = {"model": model, "average": self.average, "discriminator": self.discriminator}
        betas = (settings.beta, 0.999)
        self.optimizers = {
            "generator": torch.optim.Adam(model.parameters(), lr=settings.rate, betas=betas),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr=settings.rate, betas=betas),
        }
        self.memory = Memory(settings.remembered)
        self.held_out_images: Tensor | None = None
        self._seen: Tensor | None = None

    @torch.no_grad()
    def prepare(self, images: Tensor) -> None:
        """Look at the training images, (n, channels, size, size) uint8, before the first step: for the scales of C's
        levels, and to remember what C sees."""
        self.model.calibrate(look(self.classifier, images[:CALIBRATED_ON].float() / 255).levels)
        self.average.load_state_dict(self.model.state_dict())
        self.memory.fill(self.classifier, images)

    def begin_with(self, folder: Path) -> None:
        """Start from stored weights, and the discriminator beside them where there is one; the optimisers' moments are
        built anew. Raises ValueError where the weights do not fit."""
        for module in (self.model, self.average):
            load_weights(folder, module)
        if (folder / "discriminator").is_dir():
            load_weights(folder / "discriminator", self.discriminator)

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images = batch[0].contiguous(memory_format=torch.channels_last)
        self._seen = images[:8]
        if self.settings.falling:
            share = 0.5 + 0.5 * torch.tensor(torch.pi * iteration / self.iterations).cos().item()
            for optimizer in self.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = self.settings.rate * share
        losses, fake = self._train_generator(images, iteration, fabric)
        return losses | self._train_discriminator(images, fake, fabric)

    def _train_generator(self, images: Tensor, iteration: int, fabric: Fabric) -> tuple[dict[str, float], Tensor]:
        s, n = self.settings, len(images)
        self.model.train()
        self.discriminator.requires_grad_(False).train()
        way, k = self._way(self.memory.look(self.classifier, images)), self._uniform(images)
        kept = max(1, round(s.reconstructed * n))
        rows = torch.arange(n, device=images.device)
        both = way.rows(torch.cat([rows, rows[:kept]]))
        drawn, again = both.draw(self.model, torch.cat([k, k.new_zeros(kept)])).split([n, kept])
        parts = {"l1": (again - images[:kept]).abs().mean()}
        total = s.reconstruction_weight * parts["l1"]
        if s.edge_weight:
            parts["edges"] = edge_distance(again, images[:kept])
            total = total + s.edge_weight * parts["edges"]
        if s.adversarial_weight:
            parts["adversarial"] = generator_loss(self.discriminator(drawn))
            total = total + s.adversarial_weight * parts["adversarial"]
        if s.triangulation_weight:
            parts["triangulation"] = self._triangulation(images, way, drawn, k)
            total = total + s.triangulation_weight * parts["triangulation"]
        if iteration % s.classifier_every == 0 and (s.class_weight or s.feature_weight):
            parts |= self._classifier_terms(way, k, drawn, again)
            asked = s.class_weight * (parts["class"] + parts["class again"]) + s.feature_weight * parts["features"]
            total = total + s.classifier_every * asked
        if self.update("generator", total, fabric):
            self._follow(n * self.accumulate * self.part.pieces)
        self.discriminator.requires_grad_(True)
        return {name: value.item() for name, value in parts.items()}, drawn.detach()

    def _train_discriminator(self, images: Tensor, fake: Tensor, fabric: Fabric) -> dict[str, float]:
        if not self.settings.adversarial_weight:
            return {}
        loss = discriminator_loss(self.discriminator(images), self.discriminator(fake))
        self.update("discriminator", loss, fabric)
        return {"d": loss.item()}

    def _way(self, view: View) -> Way:
        """To a random partner of each image's class."""
        target = self._one_of(self.partners.to(view.z.device)[view.source])
        return way_to(self.classifier, view, target, self.model.config.points)

    def _classifier_terms(self, way: Way, k: Tensor, drawn: Tensor, again: Tensor) -> dict[str, Tensor]:
        n, seen_again = len(drawn), round(self.settings.seen_again * len(again))
        looked = self.classifier.features(torch.cat([self._jittered(drawn), again[:seen_again]]))
        found = functional.linear(looked, *self.classifier.head)
        parts = {"class": self._divergence(found[:n], way.logits(k))}
        parts["class again"] = (
            self._divergence(found[n:], way.view.logits[:seen_again]) if seen_again else found.new_zeros(())
        )
        parts["features"] = (way.z(k) - looked[:n]).norm(dim=1).mean()
        return parts

    def _jittered(self, drawn: Tensor) -> Tensor:
        if not self.settings.jitter:
            return drawn
        return jittered(drawn, torch.stack([self._uniform(drawn), self._uniform(drawn)]), self.settings.jitter)

    def _divergence(self, obtained: Tensor, intended: Tensor) -> Tensor:
        """KL between softmaxes of (m, classes) logits, mean over images."""
        pair = obtained.log_softmax(dim=1), intended.log_softmax(dim=1)
        about, under = pair if self.settings.divergence == "intended" else pair[::-1]
        return functional.kl_div(about, under, log_target=True, reduction="batchmean")

    def _triangulation(self, images: Tensor, way: Way, drawn: Tensor, k: Tensor) -> Tensor:
        """Both branches; 0 for images for which the batch holds no landmark."""
        source, past = way.view.source, k >= 0.5
        origin, origin_z = images.clone(), way.view.z.clone()
        below = (~past).nonzero()[:, 0]
        if len(below):
            part, one = way.rows(below), torch.ones(len(below)).to(k)
            # A landmark, as real images are: it is not moved itself.
            with torch.no_grad():
                origin[below], origin_z[below] = part.draw(self.model, one), part.z(one)
        wanted = torch.where(past, way.target, source)
        allowed = source[None] == wanted[:, None]
        usable = allowed.any(dim=1)
        landmark = self._one_of(allowed | ~usable[:, None])
        each = triangulation(
            (drawn, way.z(k)),
            (origin, origin_z),
            (images[landmark], way.view.z[landmark]),
            self.settings.lam,
        )
        return (each.clamp_max(self.settings.triangulation_most) * usable).sum() / usable.sum().clamp_min(1)

    def _uniform(self, like: Tensor) -> Tensor:
        """(n,) U(0, 1), this process' part of what all processes draw alike."""
        return self.part.of(torch.rand(len(like) * self.part.pieces, generator=self.generator)).to(like.device)

    def _one_of(self, allowed: Tensor) -> Tensor:
        """(n,) a column of each row of (n, m) bool, each allowed one with equal probability."""
        counts = allowed.long().cumsum(dim=1)
        wanted = (self._uniform(allowed) * counts[:, -1]).long() + 1
        return (counts < wanted[:, None]).sum(dim=1)

    @torch.no_grad()
    def _follow(self, images: int) -> None:
        half_life = self.settings.half_life
        keep = 0.5 ** (images / half_life) if half_life else 0.0
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    @torch.no_grad()
    def held_out(self) -> float | None:
        """Mean |x - G(F(x))| plus mean |intended - obtained confidence| over k, on `held_out_images`: (n, channels,
        size, size) uint8. None without them."""
        if self.held_out_images is None:
            return None
        found = measure(self.average, self.classifier, self.held_out_images, self.partners, HELD_OUT_K)
        return found["l1"] + found["confidence_error"]

    @torch.no_grad()
    def picture(self) -> Tensor | None:
        """A row each: eight images, and their pictures at k = 0, 0.5 and 1 towards the first partner of their class.
        (h, w), or (h, w, 3) in colour."""
        if self._seen is None:
            return None
        view = look(self.classifier, self._seen)
        target = self.partners.to(view.z.device)[view.source].int().argmax(dim=1)
        way, zeros = way_to(self.classifier, view, target, self.model.config.points), torch.zeros_like(view.z[:, 0])
        rows = torch.stack([self._seen, *(way.draw(self.average, zeros + k) for k in (0.0, 0.5, 1.0))])
        grid = rows.permute(0, 3, 1, 4, 2).flatten(0, 1).flatten(1, 2)
        return grid[:, :, 0] if grid.shape[2] == 1 else grid
