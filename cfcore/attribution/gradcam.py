"""Grad-CAM: where the last feature maps speak for a class."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import resize

from .score import BATCH, Score


def gradcam(score: Score, images: Tensor) -> Tensor:
    """(n, 1, *size) float32, never negative: ReLU(sum_k alpha_k A_k), alpha_k the mean of d score / d A_k over places.

    Selvaraju et al., ICCV 2017, equations 1 and 2, by captum's LayerGradCam; seed 001, equation 2. A is the output of
    the classifier's `last_convolution`, the map is up-sampled linearly to the image, and it is not normalised: its
    unit is logits.

    Args:
        images: (n, channels, *size) in [0, 1], at the classifier's size.

    Raises:
        TypeError: the classifier tells no convolutional layer, or passes no gradients.
        ValueError: the images have another shape than the classifier takes.

    Example:
        >>> found = gradcam(Score(classifier, target=1), images)
        >>> found.shape == images.shape[:1] + (1, *classifier.size)
    """
    # Imported here: captum brings matplotlib along, and most runs need neither.
    from captum.attr import LayerGradCam

    score.check(images)
    layer = score.classifier.last_convolution
    parts = []
    for chunk in images.split(BATCH):
        with torch.enable_grad():
            leaf = chunk.detach().clone().requires_grad_()
            parts.append(LayerGradCam(score, layer).attribute(leaf, relu_attributions=True).detach())
    return resize(torch.cat(parts), score.classifier.size)
