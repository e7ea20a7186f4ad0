"""Grad-CAM: where the last feature maps speak for a class."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import resize

from .score import BATCH, Score


def gradcam(score: Score, images: Tensor) -> Tensor:
    """(n, 1, *size) float32, never negative: ReLU(sum_k alpha_k A_k), alpha_k the mean of d score / d A_k over places.

    Selvaraju et al., ICCV 2017, equations 1 and 2; seed 001, equation 2. A is the output of the classifier's
    `last_convolution`, the map is up-sampled linearly to the image, and it is not normalised: its unit is logits.

    Args:
        images: (n, channels, *size) in [0, 1], at the classifier's size.

    Raises:
        TypeError: the classifier tells no convolutional layer, or passes no gradients.
        ValueError: the images have another shape than the classifier takes.

    Example:
        >>> found = gradcam(Score(classifier, target=1), images)
        >>> found.shape == images.shape[:1] + (1, *classifier.size)
    """
    score.check(images)
    layer = score.classifier.last_convolution
    return resize(torch.cat([_map(score, layer, chunk) for chunk in images.split(BATCH)]), score.classifier.size)


def _map(score: Score, layer: nn.Module, images: Tensor) -> Tensor:
    """(n, 1, *places) of one batch.

    As captum's LayerGradCam, which a test holds it to; but that one listens to the layer for all threads, so that two
    pages that look at one classifier would mix their images.
    """
    own, heard = threading.get_ident(), []

    def listen(module: nn.Module, inputs: Any, output: Tensor) -> None:
        if threading.get_ident() == own:
            heard.append(output)

    handle = layer.register_forward_hook(listen)
    try:
        with torch.enable_grad():
            total = score(images.detach().clone().requires_grad_()).sum()
    finally:
        handle.remove()
    (maps,) = heard
    (gradient,) = torch.autograd.grad(total, maps)
    weights = gradient.flatten(2).mean(dim=2).view(*gradient.shape[:2], *[1] * (gradient.ndim - 2))
    return functional.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
