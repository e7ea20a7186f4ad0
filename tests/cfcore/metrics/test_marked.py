"""The box around what changes most."""

from __future__ import annotations

import numpy as np
import pytest

from cfcore.metrics.marked import emerging_region


def test_the_planted_feature_is_boxed() -> None:
    original = np.full((128, 128), 0.4, np.float32)
    moved = original.copy()
    moved[20:40, 70:100] += 0.3
    moved[100:104, 10:14] += 0.1  # a faint change elsewhere
    box = emerging_region(original, moved)
    assert box is not None
    assert box.top <= 20 and box.bottom >= 40 and box.left <= 70 and box.right >= 100
    assert (box.bottom - box.top) * (box.right - box.left) < 4 * 20 * 30
    assert box.share > 0.95


def test_a_feature_at_the_edge_stays_inside_the_image() -> None:
    original = np.zeros((64, 48))
    moved = original.copy()
    moved[:6, 40:] = 1.0
    box = emerging_region(original, moved)
    assert box is not None and (box.top, box.right) == (0, 48) and box.bottom < 20


def test_nothing_changed_and_other_sizes() -> None:
    image = np.zeros((32, 32))
    assert emerging_region(image, image) is None
    with pytest.raises(ValueError, match="of one size"):
        emerging_region(image, np.zeros((16, 16)))
