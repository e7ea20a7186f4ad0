"""Training images that are never twice the same."""

from __future__ import annotations

import torch

from cfcore.generators.augmented import AugmentedBatches
from cfcore.training.batches import Batches


def test_every_batch_is_changed_but_little_and_the_labels_stay() -> None:
    ramp = torch.linspace(40, 200, 32).byte().expand(6, 1, 32, 32).clone()
    ramp[3:] = ramp[0].transpose(1, 2)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    stream = iter(AugmentedBatches(ramp, labels, 64, torch.Generator().manual_seed(0)))
    (one, label), (other, again) = next(stream), next(stream)
    assert one.shape == (64, 1, 32, 32) and one.dtype == torch.float32 and one.min() >= 0 and one.max() <= 1
    # The label is still that of the picture: ramps of label 0 rise to the right, those of label 1 downwards.
    for images, found in ((one, label), (other, again)):
        right, down = images.diff(dim=3).mean(dim=(1, 2, 3)), images.diff(dim=2).mean(dim=(1, 2, 3))
        assert torch.equal((down > right).long(), found)
    sources = (ramp.float() / 255)[[0, 3]][label]
    change = (one - sources).abs().mean(dim=(1, 2, 3))
    assert (change > 0.001).all() and change.mean() < 0.12


def test_the_same_state_gives_the_same_batches_and_no_others_are_drawn() -> None:
    images, labels = torch.randint(0, 256, (9, 1, 8, 8), dtype=torch.uint8), torch.arange(9) % 2
    one, other = (iter(AugmentedBatches(images, labels, 4, torch.Generator().manual_seed(5))) for _ in range(2))
    for _ in range(3):
        assert torch.equal(next(one)[0], next(other)[0])
    plain = next(iter(Batches(images, labels, 4, torch.Generator().manual_seed(5))))
    first = next(iter(AugmentedBatches(images, labels, 4, torch.Generator().manual_seed(5))))
    assert torch.equal(plain[1], first[1])
