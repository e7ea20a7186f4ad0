"""How good a classifier of several classes is on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cfcore.study.intervals import wilson

from .base import Classifier
from .training import evaluate


@dataclass(frozen=True)
class SeveralEvaluation:
    """Held-out quality of a classifier of more than two classes.

    Attributes:
        accuracy, accuracy_low, accuracy_high: share of images whose most probable class is right, with its 95 %
            interval (Wilson 1927).
        macro_auc: mean over the classes of the area under the ROC curve of one against the rest (Fawcett 2006, with
            equal weights; that of two classes is the AUC).
        calibration_error: expected calibration error of the most probable class over ten equal-width bins (Guo et al.
            2017).
        n: images.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_auc: float
    calibration_error: float
    n: int


@torch.no_grad()
def probabilities(classifier: Classifier, images: Tensor, batch: int = 64) -> Tensor:
    """(n, classes) softmax for (n, channels, *size) uint8 or [0, 1] float images."""
    scale = 255 if images.dtype == torch.uint8 else 1
    return torch.cat([classifier.logits(chunk.float().div(scale)) for chunk in images.split(batch)]).softmax(dim=1)


def evaluate_several(
    probability: npt.NDArray[np.float64], label: npt.NDArray[np.int64], class_names: Sequence[str]
) -> SeveralEvaluation:
    """Quality of (n, classes) probabilities against (n,) class indices.

    Raises:
        ValueError: a class has no image, so there is no ROC curve; names those classes.
    """
    absent = [name for i, name in enumerate(class_names) if not (label == i).any()]
    if absent:
        raise ValueError(f"macro AUC needs images of every class, there are none of {', '.join(absent)}")
    called, sure = probability.argmax(axis=1), probability.max(axis=1)
    right = called == label
    share = wilson(int(right.sum()), len(label))
    assert share.value is not None and share.low is not None and share.high is not None
    areas = [evaluate(probability[:, i], label == i).auc for i in range(len(class_names))]
    bins = np.minimum((sure * 10).astype(int), 9)
    gaps = [(bins == b).mean() * abs(sure[bins == b].mean() - right[bins == b].mean()) for b in np.unique(bins)]
    return SeveralEvaluation(
        accuracy=share.value,
        accuracy_low=share.low,
        accuracy_high=share.high,
        macro_auc=float(np.mean(areas)),
        calibration_error=float(sum(gaps)),
        n=len(label),
    )
