"""The stored truth gives mask and twin back bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfcore.images.brain import decode_mask, decode_twin, encode_mask, encode_twin


@given(arrays(bool, (7, 7)))
def test_masks_come_back(mask: np.ndarray) -> None:
    runs = json.loads(json.dumps(encode_mask(mask)))
    np.testing.assert_array_equal(decode_mask(runs, 7), mask)


@given(arrays(np.uint8, (6, 6)), arrays(np.uint8, (6, 6)), arrays(bool, (6, 6), elements=st.booleans()))
def test_twins_come_back(image: np.ndarray, other: np.ndarray, where: np.ndarray) -> None:
    twin = np.where(where, other, image)
    stored = json.loads(json.dumps(encode_twin(image, twin)))
    np.testing.assert_array_equal(decode_twin(image, stored), twin)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="add up to 16 pixels, not 5 x 5"):
        decode_mask(encode_mask(np.eye(4, dtype=bool)), 5)
