"""Small networks: the real classes, few channels."""

from __future__ import annotations

import pytest

from cfcore.classifiers.base import Classifier
from cfcore.generators.mirror import MirrorDecoder
from tests.cfcore.graded import small_decoder, trained_classifier


@pytest.fixture
def small() -> Classifier:
    return trained_classifier()


@pytest.fixture
def decoder(small: Classifier) -> MirrorDecoder:
    return small_decoder(small)
