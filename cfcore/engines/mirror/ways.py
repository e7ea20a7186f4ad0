"""Ways of images to their mirror images: who may go, how far each reaches, and where a wanted probability lies."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror.view import View, Way, way_to
from cfcore.mirror.confidence import bisected_k, exact_k, pairwise_range, softmax_range
from cfcore.mirror.names import Points
from cfcore.mirror.points import mirror_margin


def led_to(classifier: Classifier, view: View, target: int, points: Points) -> Way:
    """The ways of all images to `target`. Raises ValueError where C calls one that already."""
    already = (view.source == target).nonzero()[:, 0]
    if len(already):
        name = classifier.class_names[target]
        raise ValueError(
            f"{len(already)} of {len(view.source)} images, first {int(already[0])}, are {name!r} for the classifier "
            "already, and there is no mirror between a class and itself: choose another target, or images that it "
            "gives another class"
        )
    return way_to(classifier, view, torch.full_like(view.source, target), points)


def open_to_all(classifier: Classifier, view: View, target: int, points: Points) -> tuple[Way, Tensor]:
    """The same, and (n,) bool of the images that C calls `target` already: the way of those leads to the class that C
    finds likeliest of the others, and they are to stay at its beginning."""
    stays = view.source == target
    rest = view.logits.scatter(1, view.source[:, None], -torch.inf).argmax(dim=1)
    return way_to(classifier, view, torch.where(stays, rest, torch.full_like(rest, target)), points), stays


def reach(classifier: Classifier, way: Way) -> tuple[Tensor, Tensor]:
    """(n,) float64 probability of the way's target at k = 0 and at k = 1."""
    # In float64: near 1 a probability of float32 has no room.
    if way.change.shape[1] == 2:
        return pairwise_range(_margin(classifier, way))
    return softmax_range(way.view.logits.double(), way.change.double(), way.target)


def k_of(classifier: Classifier, way: Way, confidence: Tensor) -> Tensor:
    """(n,) float64 k of (n,) wanted probabilities of the way's target: exact for two classes, by bisection on the
    softmax for more. Raises ValueError for a probability out of reach; names the range."""
    if way.change.shape[1] == 2:
        return exact_k(confidence.double(), _margin(classifier, way))
    return bisected_k(confidence.double(), way.view.logits.double(), way.change.double(), way.target)


def probability_at(way: Way, target: int, k: Tensor) -> Tensor:
    """(n,) float64 probability of `target` intended at (n,) k."""
    return (way.view.logits.double() + k.double()[:, None] * way.change.double()).softmax(dim=1)[:, target]


def _margin(classifier: Classifier, way: Way) -> Tensor:
    weight, bias = (part.double() for part in classifier.head)
    return mirror_margin(way.view.z.double(), weight, bias, way.view.source, way.target)
