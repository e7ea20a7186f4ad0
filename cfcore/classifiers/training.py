"""Training a classifier, and how good one of two classes is on held-out images (of more: `several`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from lightning_fabric import Fabric
from scipy.stats import norm, rankdata
from torch import Tensor
from torch.nn import functional

from cfcore.training.task import Task
from cfcore.training.weights import channels_last

from .base import Classifier, target_margin


class ClassifierTask(Task):
    """Cross-entropy with small random shifts, scales and exposure changes.

    AdamW, one cycle of the learning rate over `iterations`. Flips are no augmentation here: the heart is on the left.
    """

    def __init__(
        self, classifier: Classifier, iterations: int, generator: torch.Generator, *, learning_rate: float = 1e-3
    ) -> None:
        channels_last(classifier)
        self.classifier = classifier
        self.iterations = iterations
        self.generator = generator
        self.learning_rate = learning_rate
        self.modules = {"classifier": classifier}
        self.optimizers = {"adamw": torch.optim.AdamW(classifier.parameters(), lr=learning_rate, weight_decay=1e-2)}
        self.held_out_data: tuple[Tensor, Tensor] | None = None

    def step(self, batch: tuple[Tensor, ...], iteration: int, fabric: Fabric) -> dict[str, float]:
        images, labels = batch
        for group in self.optimizers["adamw"].param_groups:
            group["lr"] = self.learning_rate * _one_cycle((iteration + 0.5) / self.iterations)
        self.classifier.train()
        logits = self.classifier.logits(augment(images, self.generator).contiguous(memory_format=torch.channels_last))
        loss = functional.cross_entropy(logits, labels)
        self.update("adamw", loss, fabric)
        return {"cross_entropy": loss.item(), "accuracy": (logits.argmax(1) == labels).float().mean().item()}

    @torch.no_grad()
    def held_out(self) -> float | None:
        """Cross-entropy on `held_out_data`: (n, 1, h, w) uint8 images and (n,) labels."""
        if self.held_out_data is None:
            return None
        images, labels = self.held_out_data
        self.classifier.eval()
        device = next(self.classifier.parameters()).device
        logits = [self.classifier.logits(chunk.to(device).float() / 255).cpu() for chunk in images.split(64)]
        return functional.cross_entropy(torch.cat(logits), labels).item()


def _one_cycle(share: float) -> float:
    """Linear warm-up over the first tenth, then a cosine down to 1 %."""
    if share < 0.1:
        return share / 0.1
    return 0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * (share - 0.1) / 0.9)))


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random shift (5 % of the width), scale (5 %), rotation (3 degrees), contrast and brightness (10 %)."""
    n = len(images)
    draw = (torch.rand(n, 6, generator=generator) * 2 - 1).to(images)
    angle, scale = draw[:, 0] * 0.05, 1 + draw[:, 1] * 0.05
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = torch.stack([cos, -sin, draw[:, 2] * 0.1, sin, cos, draw[:, 3] * 0.1], dim=1).view(n, 2, 3)
    grid = functional.affine_grid(rows, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = 1 + draw[:, 4] * 0.1, draw[:, 5] * 0.1
    return ((moved - 0.5) * contrast[:, None, None, None] + 0.5 + brightness[:, None, None, None]).clamp(0, 1)


@dataclass(frozen=True)
class Evaluation:
    """Held-out quality of a binary classifier.

    Attributes:
        auc, auc_low, auc_high: area under the ROC curve with its 95 % interval (DeLong et al. 1988).
        accuracy: share right at probability 0.5.
        calibration_error: expected calibration error over ten equal-width bins (Guo et al. 2017).
        brier: mean squared error of the probability.
        n, positives: images, and those of the positive class.
    """

    auc: float
    auc_low: float
    auc_high: float
    accuracy: float
    calibration_error: float
    brier: float
    n: int
    positives: int


@torch.no_grad()
def predict(classifier: Classifier, images: Tensor, target: int = 1, batch: int = 64) -> Tensor:
    """(n,) probability of class `target` for (n, channels, *size) uint8 or [0, 1] float images."""
    scale = 255 if images.dtype == torch.uint8 else 1
    chunks = [chunk.float().div(scale) for chunk in images.split(batch)]
    return torch.cat([target_margin(classifier.logits(chunk), target) for chunk in chunks]).sigmoid()


def evaluate(probability: np.ndarray, label: np.ndarray) -> Evaluation:
    """Quality of (n,) probabilities of the positive class against (n,) labels 0/1.

    Raises:
        ValueError: one of the two classes is missing, so there is no ROC curve.
    """
    positive, negative = probability[label == 1], probability[label == 0]
    if len(positive) == 0 or len(negative) == 0:
        raise ValueError(
            f"AUC needs both classes, there are {len(positive)} positive and {len(negative)} negative images"
        )
    auc, error = _delong(positive, negative)
    margin = norm.ppf(0.975) * error
    bins = np.minimum((probability * 10).astype(int), 9)
    gaps = [(bins == b).mean() * abs(probability[bins == b].mean() - label[bins == b].mean()) for b in np.unique(bins)]
    return Evaluation(
        auc=auc,
        auc_low=max(0.0, auc - margin),
        auc_high=min(1.0, auc + margin),
        accuracy=float(((probability > 0.5) == (label == 1)).mean()),
        calibration_error=float(sum(gaps)),
        brier=float(((probability - label) ** 2).mean()),
        n=len(label),
        positives=len(positive),
    )


def _delong(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """AUC and its standard error by the midrank form of DeLong (Sun & Xu 2014)."""
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    by_positive = (ranks[:m] - rankdata(positive)) / n
    by_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = sum(np.var(part, ddof=1) / len(part) if len(part) > 1 else 0.0 for part in (by_positive, by_negative))
    return float(by_positive.mean()), float(np.sqrt(variance))
