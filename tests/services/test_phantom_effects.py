"""What a direction moves on phantoms, measured."""

from __future__ import annotations

import torch

from cfcore.images.phantom import render, sample_patient
from cfcore.metrics.factor_effects import as_stored, from_stored
from services.phantom_effects import effect_along, effects_of
from tests.services.toy_study import Brighten


def phantoms(n: int) -> torch.Tensor:
    return torch.stack([torch.from_numpy(render(sample_patient(8_000_000 + i), 64)) for i in range(n)])[:, None]


def test_a_direction_that_does_nothing_to_the_picture_moves_no_factor() -> None:
    images = phantoms(3)
    still = effects_of(Brighten(), [images], 1, ["v1 +"], 1e-6, steps=3)[0].effect
    assert all(abs(e.standardised or 0.0) < 1e-3 for e in still.effects) and still.measurable == 3
    sizes = effects_of(Brighten(), [images[:2], images[2:]], 1, ["v1 +", "v2 +"], 10.0, steps=3)
    assert [e.effect.n for e in sizes] == [3, 3]
    assert [e.rank for e in sizes] == [1, 2]


def test_progress_rises_and_what_is_stored_reads_back_the_same() -> None:
    said: list[float] = []
    found = effect_along(
        Brighten(), [phantoms(2)], 1, "v1 +", 1, 4.0, steps=3, progress=lambda share, _: said.append(share)
    )
    assert said == sorted(said) and said[0] >= 0 and said[-1] < 1
    assert from_stored(as_stored(found)) == found
