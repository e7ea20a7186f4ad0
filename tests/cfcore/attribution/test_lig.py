"""LIG as published and along the path: against finite differences, completeness, and the case where both are one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.lig import lig, lig_path
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier

Decode = Callable[[Tensor, Tensor], Tensor]
Codes = tuple[Tensor, Tensor]


class Linear(Classifier):
    """The logit is a weighted sum of 16 pixels."""

    class_names, channels, size = ("No", "Yes"), 1, (4, 4)

    def logits(self, images: Tensor) -> Tensor:
        logit = (images * torch.linspace(-1, 2, 16).view(4, 4).to(images)).sum(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


def difference_quotients(score: Score, images: Tensor, h: float = 1e-5) -> Tensor:
    """Central differences of the score by every pixel."""
    out = torch.zeros_like(images)
    for pixel in range(images[0].numel()):
        step = torch.zeros(images[0].numel(), dtype=images.dtype)
        step[pixel] = h
        step = step.view(images.shape[1:])
        out.flatten(1)[:, pixel] = (score(images + step) - score(images - step)) / (2 * h)
    return out


def test_lig_is_the_difference_times_the_mean_of_finite_differences(
    curved: Classifier, decode: Decode, codes: Codes
) -> None:
    score, steps, (z1, z2) = Score(curved, 1), 8, codes
    slopes = [difference_quotients(score, decode(z1, (i + 0.5) / steps * z2)) for i in range(steps)]
    expected = (decode(z1, z2) - decode(z1, 0 * z2)) * torch.stack(slopes).mean(dim=0)
    found = lig(score, decode, z1, z2, steps)
    assert torch.allclose(found.values, expected.float(), atol=1e-6)
    assert torch.allclose(found.change, score(decode(z1, z2)) - score(decode(z1, 0 * z2)))


def test_only_the_path_is_complete(curved: Classifier, decode: Decode, codes: Codes) -> None:
    z1, z2 = codes[0], 4 * codes[1]
    path, published = (form(Score(curved, 1), decode, z1, z2, 256) for form in (lig_path, lig))
    assert (path.gap.abs() <= 0.01 * path.change.abs()).all()
    assert torch.equal(path.change, published.change)
    assert (published.gap.abs() > 0.01 * published.change.abs()).any(), "the chord is not the path"


def test_both_forms_are_one_where_g_and_f_are_linear(codes: Codes) -> None:
    g = torch.Generator().manual_seed(7)
    a, b = (torch.randn(n, 16, generator=g, dtype=torch.float64) for n in (3, 2))

    def decode(z1: Tensor, z2: Tensor) -> Tensor:
        return (z1 @ a + z2 @ b).view(-1, 1, 4, 4)

    score = Score(Linear(), 1)
    published, path = lig(score, decode, *codes, 5), lig_path(score, decode, *codes, 5)
    assert torch.allclose(published.values, path.values, atol=1e-6)
    assert published.gap.abs().max() < 1e-5 and path.gap.abs().max() < 1e-5
    # The straight line between the two pictures is then the path, and IG from the negative realisation the same map.
    pixels = integrated_gradients(score, decode(*codes), decode(codes[0], 0 * codes[1]))
    assert torch.allclose(pixels.values, path.values, atol=1e-5)


def test_both_forms_are_one_where_g_alone_is_linear(curved: Classifier, codes: Codes) -> None:
    """The straight line between the two pictures is the path, whatever the classifier."""
    drawn = torch.Generator().manual_seed(8)
    a, b = (torch.randn(n, 16, generator=drawn, dtype=torch.float64) / 4 for n in (3, 2))

    def decode(z1: Tensor, z2: Tensor) -> Tensor:
        return (z1 @ a + z2 @ b).view(-1, 1, 4, 4)

    score = Score(curved, 1)
    published, path = lig(score, decode, *codes, 64), lig_path(score, decode, *codes, 64)
    assert torch.allclose(published.values, path.values, atol=1e-5)
    assert (published.values - lig(Score(Linear(), 1), decode, *codes, 64).values).abs().max() > 1e-3


def test_without_pathology_nothing_is_attributed(curved: Classifier, decode: Decode, codes: Codes) -> None:
    for form in (lig, lig_path):
        found = form(Score(curved, 1), decode, codes[0], torch.zeros_like(codes[1]), 4)
        assert not found.values.any() and not found.change.any()


def test_what_makes_no_sense_is_refused(curved: Classifier, decode: Decode, codes: Codes) -> None:
    score, (z1, z2) = Score(curved, 1), codes
    with pytest.raises(ValueError, match="z1 has 3 codes, z2 has 2"):
        lig(score, decode, z1, z2[:2])
    with pytest.raises(ValueError, match="steps is 0"):
        lig_path(score, decode, z1, z2, 0)
    with pytest.raises(ValueError, match=r"images are \(1, 8, 8\), the classifier takes .* \(1, 4, 4\)"):
        lig(score, lambda a, b: torch.rand(len(a), 1, 8, 8), z1, z2)
