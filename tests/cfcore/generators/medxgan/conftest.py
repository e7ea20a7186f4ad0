"""Small networks: the real classes, few channels."""

from __future__ import annotations

import pytest
import torch

from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from cfcore.training.weights import freeze

CONFIG = MedXGANConfig(size=16, anatomy=4, pathology=2, channels={4: 8, 8: 8})


@pytest.fixture
def generator() -> MedXGAN:
    """A frozen generator of 16 px whose pictures differ from code to code."""
    torch.manual_seed(5)
    model = MedXGAN(CONFIG)
    torch.nn.init.normal_(model.decoder.first.weight, std=0.7)
    freeze(model)
    return model
