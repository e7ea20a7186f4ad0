"""First-order effects: one forward and one backward pass tell how every style coordinate moves the classifier."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, resize, target_margin
from cfcore.engines.codes import draw_styles, styles_of
from cfcore.generators.stylex import StylEx


def style_gradients(
    generator: StylEx,
    classifier: Classifier,
    w: Tensor,
    label: Tensor,
    target: int,
    *,
    styles: Tensor | None = None,
) -> Tensor:
    """d margin / d s of a batch of images, by one forward and one backward pass.

    The margin is `target_margin` of C on the drawn image; ToRGB keeps following `w`, the condition is `label`
    throughout. Where the drawing is clamped to black or white the gradient is zero, as it is in truth.

    Args:
        w: (n, width) codes, or refined (n, rows * width). label: (n,) class indices that condition G. target: class
            of the margin.
        styles: (n, m) StyleSpace coordinates at which to take the gradient; the codes' own when None.

    Returns:
        (n, m) gradients, logits per unit of style.

    Raises:
        TypeError: the classifier passes no gradients.
    """
    start = styles_of(generator, w, label) if styles is None else styles
    with torch.enable_grad():
        leaf = start.detach().clone().requires_grad_()
        return _gradient(classifier, draw_styles(generator, leaf, w.detach(), label), leaf, target)


def code_gradients(generator: StylEx, classifier: Classifier, w: Tensor, label: Tensor, target: int) -> Tensor:
    """(n, width) d margin / d w of a batch of images: through the affines of every layer, ToRGB's too.

    Arguments and errors as for `style_gradients`.
    """
    with torch.enable_grad():
        leaf = w.detach().clone().requires_grad_()
        return _gradient(classifier, generator.decode(leaf, label), leaf, target)


def direction_effects(
    generator: StylEx,
    classifier: Classifier,
    w: Tensor,
    label: Tensor,
    target: int,
    directions: Tensor,
    basis: Literal["sefa", "balanced", "style"] = "sefa",
) -> Tensor:
    """First-order change of the margin per unit of degree along every direction, from one pass an image.

    basis "style": rows of `directions` are (scan, m) moves of the styles. Else they are (scan, width) moves of w, which
    reach the picture through the affines of every layer. A move by d along row v changes the margin by about
    d times this; EigenFind's d = 10 is far from linear, so this ranks candidates and does not replace the search.

    Returns:
        (n, scan) logits per unit of degree.
    """
    gradients = style_gradients if basis == "style" else code_gradients
    return gradients(generator, classifier, w, label, target) @ directions.T


def _gradient(classifier: Classifier, drawn: Tensor, leaf: Tensor, target: int) -> Tensor:
    # The images of a batch do not see each other, so the gradient of the sum holds every image's own.
    margin = target_margin(classifier.logits(resize(drawn, classifier.size)), target).sum()
    if not margin.requires_grad:
        raise TypeError(
            f"{type(classifier).__name__} passes no gradients, so nothing can be ranked by them: search exhaustively"
        )
    return torch.autograd.grad(margin, leaf)[0]
