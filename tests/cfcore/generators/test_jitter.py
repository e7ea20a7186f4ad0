"""Which drawings are shifted, how far, and what their borders hold."""

from __future__ import annotations

import torch

from cfcore.generators.jitter import jittered


def test_every_second_drawing_is_shifted_by_its_own_shares() -> None:
    drawn = torch.rand(4, 1, 8, 8)
    shares = torch.tensor([[0.0, 0.0, 0.0, 0.99], [0.0, 0.5, 0.0, 0.0]])  # most = 1: a pixel up, none, or a pixel down
    found = jittered(drawn, shares, 1)
    assert torch.equal(found[::2], drawn[::2])
    assert torch.equal(found[1, 0, 1:], drawn[1, 0, :-1]) and torch.equal(found[1, 0, 0], drawn[1, 0, 0])
    assert torch.equal(found[3, 0, :-1, 1:], drawn[3, 0, 1:, :-1])
    assert torch.equal(found[3, 0, -1, 1:], drawn[3, 0, -1, :-1])


def test_gradients_reach_the_drawing() -> None:
    drawn = torch.rand(2, 1, 8, 8, requires_grad=True)
    jittered(drawn, torch.zeros(2, 2), 2).sum().backward()
    assert drawn.grad is not None
    assert torch.equal(drawn.grad[0], torch.ones(1, 8, 8)) and drawn.grad[1].sum() == 64
