"""Integrated Gradients in pixels."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from .fills import paint
from .names import BASELINES, Baseline
from .score import BATCH, Attribution, Score


def integrated_gradients(
    score: Score, images: Tensor, baseline: Baseline | Tensor = "black", steps: int = 50
) -> Attribution:
    """IG = (x - x') * integral over a in [0, 1] of d score / d x at x' + a (x - x').

    Sundararajan et al., ICML 2017, equation 1, by captum's IntegratedGradients (Gauss-Legendre quadrature); seed 001,
    equation 3, where x' is black. One image at a time, so that an image's map does not depend on its neighbours.

    Args:
        images: (n, channels, *size) in [0, 1], at the classifier's size.
        baseline: x': "black", "mean" (each image's own mean), "blur" (the image, blurred), or images of the same shape,
            such as the negative realisations G(z1, 0).
        steps: points of the quadrature, at least 1.

    Raises:
        TypeError: the classifier passes no gradients.
        ValueError: an unknown baseline, one of another shape, too few steps, or images of another shape.

    Example:
        >>> found = integrated_gradients(Score(classifier, target=1), images, "blur", steps=128)
        >>> found.gap.abs().max()
    """
    from captum.attr import IntegratedGradients

    score.check(images)
    start = _start(images, baseline)
    if steps < 1:
        raise ValueError(f"steps is {steps}: at least one point is needed, 50 are usual")
    method = IntegratedGradients(score, multiply_by_inputs=True)
    parts = []
    for image, origin in zip(images.split(1), start.split(1), strict=True):
        with torch.enable_grad():
            leaf = image.detach().clone().requires_grad_()
            found = method.attribute(leaf, baselines=origin, n_steps=steps, internal_batch_size=BATCH)
        parts.append(found.detach().float())
    with torch.no_grad():
        change = torch.cat([score(a) - score(b) for a, b in zip(images.split(BATCH), start.split(BATCH), strict=True)])
    return Attribution(torch.cat(parts).sum(dim=1, keepdim=True), change)


def _start(images: Tensor, baseline: Baseline | Tensor) -> Tensor:
    if isinstance(baseline, Tensor):
        if baseline.shape != images.shape:
            raise ValueError(
                f"the baseline is {tuple(baseline.shape)}, the images are {tuple(images.shape)}: give one of each image"
            )
        return baseline.detach()
    if baseline not in BASELINES:
        raise ValueError(f"no baseline {baseline!r}; choose one of: {', '.join(get_args(Baseline))}, or give images")
    return paint(images, baseline)
