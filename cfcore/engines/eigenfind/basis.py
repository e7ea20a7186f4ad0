"""The directions: PCA of the generator."""

from __future__ import annotations

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx

from .balanced import balanced
from .config import EigenFindConfig, batch_size


@torch.no_grad()
def eigenvectors(generator: StylEx, classifier: Classifier, images: Tensor, config: EigenFindConfig) -> Tensor:
    """(scan, d) rows: eigenvectors by falling singular value, signed so that the largest entry is positive.

    d is the width of w for basis "sefa" (Shen & Zhou 2021) and "balanced", m for "style"; the last two need (n,
    channels, *size) images. Rows have unit length, but those of "balanced", whose length is one degree.

    Raises:
        ValueError: `scan` exceeds the rank.
    """
    if config.basis == "style":
        rows = []
        for chunk in images.split(batch_size(images.device)):
            label = classifier.logits(chunk).argmax(dim=1)
            rows.append(generator.styles(generator.encode(chunk), label))
        styles = torch.cat(rows)
        matrix = styles - styles.mean(dim=0)
    else:
        matrix = generator.style_weights()
    rank = min(matrix.shape)
    if config.scan > rank:
        raise ValueError(f"scan = {config.scan} eigenvectors, but basis {config.basis!r} has only {rank}: lower scan")
    if config.basis == "balanced":
        vectors = balanced(generator, classifier, images, config.scan)
    else:
        vectors = _right_singular(matrix.double())[: config.scan].to(matrix.dtype)
    peak = vectors.gather(1, vectors.abs().argmax(dim=1, keepdim=True))
    return vectors * peak.sign()


def _right_singular(matrix: Tensor) -> Tensor:
    """Rows by falling singular value; of a tall matrix through its Gram matrix, several times faster and in double
    precision the same."""
    if matrix.shape[0] <= matrix.shape[1]:
        return torch.linalg.svd(matrix, full_matrices=False).Vh
    return torch.linalg.eigh(matrix.T @ matrix).eigenvectors.flip(1).T
