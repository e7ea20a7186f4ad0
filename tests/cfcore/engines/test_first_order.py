"""First-order effects agree with small exact moves, image by image, and refuse a classifier without gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.first_order import code_gradients, direction_effects, style_gradients
from cfcore.generators.stylex import StylEx


class Curved(Classifier):
    """Three classes whose logits bend in the image, so that a wrong point of expansion shows. Double precision."""

    class_names = ("a", "b", "c")
    channels = 1
    size = (16, 16)

    def logits(self, images: Tensor) -> Tensor:
        rows = images.mean(dim=(1, 3))
        return torch.stack([rows[:, :5].square().sum(1), rows[:, 5:9].exp().sum(1), rows[:, 9:].sin().sum(1)], dim=1)


class Silent(Curved):
    """A classifier that runs elsewhere and sends numbers only."""

    def logits(self, images: Tensor) -> Tensor:
        return super().logits(images).detach()


@pytest.fixture
def codes(stylex: StylEx) -> tuple[StylEx, Tensor, Tensor]:
    """A generator in double precision whose pictures stay inside the range that is not clamped."""
    model = stylex.double()
    for layer in model.synthesis.to_image:
        layer.weight.mul_(0.2)
    w = torch.randn(3, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    return model, w, torch.tensor([0, 1, 0])


def _margin(image: Tensor) -> Tensor:
    return target_margin(Curved().logits(image), 2)


@torch.no_grad()
def test_style_gradients_are_the_slopes_of_small_exact_moves(codes: tuple[StylEx, Tensor, Tensor]) -> None:
    model, w, label = codes
    found = style_gradients(model, Curved(), w, label, 2)
    assert found.shape == (3, model.style_dimension)
    styles, step = model.styles(w, label), 1e-5
    for j in range(0, model.style_dimension, 7):
        ends = []
        for sign in (1, -1):
            moved = styles.clone()
            moved[:, j] += sign * step
            ends.append(_margin(model.decode_styles(moved, w, label)))
        assert torch.allclose(found[:, j], (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-8)
    elsewhere = style_gradients(model, Curved(), w, label, 2, styles=styles + 0.3)
    assert not torch.allclose(elsewhere, found, rtol=1e-3)


@pytest.mark.parametrize("basis", ["sefa", "balanced", "style"])
@torch.no_grad()
def test_direction_effects_are_the_slopes_along_the_directions(
    codes: tuple[StylEx, Tensor, Tensor], basis: str
) -> None:
    model, w, label = codes
    width = model.style_dimension if basis == "style" else 32
    rows = torch.linalg.qr(torch.randn(width, 4, dtype=torch.float64)).Q.T
    found = direction_effects(model, Curved(), w, label, 2, rows, basis)  # type: ignore[arg-type]
    assert found.shape == (3, 4)
    for v in range(4):
        ends = []
        for step in (1e-5, -1e-5):
            if basis == "style":
                ends.append(_margin(model.decode_styles(model.styles(w, label) + step * rows[v], w, label)))
            else:
                ends.append(_margin(model.decode(w + step * rows[v], label)))
        assert torch.allclose(found[:, v], (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-8)


@torch.no_grad()
def test_an_image_alone_has_the_gradient_it_has_in_a_batch(codes: tuple[StylEx, Tensor, Tensor]) -> None:
    model, w, label = codes
    together = code_gradients(model, Curved(), w, label, 1)
    alone = torch.cat([code_gradients(model, Curved(), w[i : i + 1], label[i : i + 1], 1) for i in range(3)])
    assert torch.allclose(together, alone)
    assert not torch.allclose(together, code_gradients(model, Curved(), w, 1 - label, 1), rtol=1e-3)


def test_a_classifier_without_gradients_is_refused(codes: tuple[StylEx, Tensor, Tensor]) -> None:
    model, w, label = codes
    with pytest.raises(TypeError, match="Silent passes no gradients"):
        style_gradients(model, Silent(), w, label, 2)
