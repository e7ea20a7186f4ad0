"""How far two sets of images lie apart in a classifier's features: the Frechet distance of two Gaussians (FID)."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, resize

BATCH = 16


@torch.no_grad()
def features_of(classifier: Classifier, images: Tensor) -> Tensor:
    """(n, d) features of (n, channels, *spatial) images of any resolution.

    Raises:
        TypeError: the classifier tells no features.
    """
    small = resize(images, classifier.size)
    return torch.cat([classifier.features(chunk) for chunk in small.split(BATCH)])


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2) of (n, d) and (m, d) features (Heusel et al. 2017), in float64.

    Without a matrix square root: with centred rows A / sqrt(n - 1), B / sqrt(m - 1) the trace of (S1 S2)^1/2 is the sum
    of the singular values of A B^T. That is exact where n or m is below d, too, and the covariances are singular.
    The estimate falls as n and m grow: compare sets of the same sizes only.

    Raises:
        ValueError: fewer than two rows on a side, or rows of different length.
    """
    if min(len(one), len(other)) < 2 or one.shape[1:] != other.shape[1:]:
        raise ValueError(
            f"features of {tuple(one.shape)} and {tuple(other.shape)} have no Frechet distance: give at least two rows "
            "of the same length on each side"
        )
    a, b = one.double(), other.double()
    mean = (a.mean(dim=0) - b.mean(dim=0)).square().sum()
    a, b = ((x - x.mean(dim=0)) / (len(x) - 1) ** 0.5 for x in (a, b))
    # The d x d product has the same singular values as the n x m one after a QR of either; the smaller is taken.
    if min(len(a), len(b)) > a.shape[1]:
        a, b = (torch.linalg.qr(x, mode="r").R for x in (a, b))
    cross = torch.linalg.svdvals(a @ b.T).sum()
    # Rounding must not make a distance negative.
    return max(0.0, float(mean + a.square().sum() + b.square().sum() - 2 * cross))


def fid(classifier: Classifier, drawn: Tensor, real: Tensor) -> float:
    """Frechet distance between (n, ...) drawn and (m, ...) real images in the features of C. Raises as the above."""
    return frechet_distance(features_of(classifier, drawn), features_of(classifier, real))
