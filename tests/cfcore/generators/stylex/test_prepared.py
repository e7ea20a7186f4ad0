"""The prepared generator draws the same pictures, and leaves the original alone."""

from __future__ import annotations

import pytest
import torch

from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.prepared import prepared
from cfcore.training.weights import freeze


@pytest.fixture(scope="module")
def model() -> StylEx:
    """The default widths at 64 px with noise, biases and scales as training leaves them: not zero."""
    torch.manual_seed(1)
    model = StylEx(StylExConfig())
    for conv in model.synthesis.convs:
        torch.nn.init.constant_(conv.strength, 0.3)
        torch.nn.init.normal_(conv.bias)
    model.synthesis.image_bias[0].data.fill_(0.4)
    freeze(model)
    return model


@pytest.mark.parametrize("n", [1, 5])
def test_same_pictures(model: StylEx, n: int) -> None:
    w, label = torch.randn(n, 512), torch.arange(n) % 2
    ready = prepared(model)
    plain = model.decode(w, label)
    assert plain.std() > 0.01
    assert torch.allclose(ready.decode(w, label), plain, atol=1e-5)
    styles = model.styles(w, label)
    assert torch.allclose(ready.styles(w, label), styles, atol=1e-5)
    shifted = styles + torch.randn_like(styles)
    assert torch.allclose(ready.decode_styles(shifted, w, label), model.decode_styles(shifted, w, label), atol=1e-5)


def test_same_gradients(model: StylEx) -> None:
    label = torch.tensor([0, 1])
    start = torch.randn(2, 512)
    gradients = []
    for generator in (model, prepared(model)):
        w = start.clone().requires_grad_()
        generator.decode(w, label).square().sum().backward()
        gradients.append(w.grad)
    assert gradients[0] is not None and gradients[1] is not None
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-3 * gradients[0].abs().max().item())


def test_the_original_keeps_its_weights_and_its_stored_format(model: StylEx) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ready = prepared(model)
    ready.decode(torch.randn(2, 512), torch.zeros(2, dtype=torch.long))
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(parameter.requires_grad for parameter in ready.parameters())
