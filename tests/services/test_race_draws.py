"""Short searches replayed on measured changes: they are the engine's own, and what they lose is counted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from services.race_draws import over_draws, replay
from tests.services.test_eigenfind_bench import networks

__all__ = ["networks"]


@pytest.mark.parametrize("options", [{}, {"race": 2.0}, {"prerank": 7}])
def test_a_replay_keeps_what_the_search_keeps(
    networks: tuple[Classifier, torch.nn.Module, Tensor], options: dict[str, float]
) -> None:
    classifier, generator, images = networks
    config = EigenFindConfig(scan=6, k=3)
    full = EigenFind.fit(classifier, images, 1, config, generator=generator)
    short = EigenFind.fit(
        classifier,
        images,
        1,
        EigenFindConfig(scan=6, k=3, **options),  # type: ignore[arg-type]
        generator=generator,
    )
    codes = torch.cat([short.encode(chunk, 1) for chunk in images.split(3)])
    slopes = short._first_order(codes, 1)[0]
    kept, asked = replay(full.changes.flatten(1), slopes, short.config)
    assert kept == {(d.index, d.sign) for d in short.directions() if d.kept}
    assert asked == int(short.changes.isfinite().sum())


def test_what_is_lost_over_many_sets_is_counted(networks: tuple[Classifier, torch.nn.Module, Tensor]) -> None:
    classifier, generator, images = networks
    found = over_draws(
        classifier,
        generator,
        images,
        1,
        EigenFindConfig(scan=10, k=8),
        images=4,
        draws=5,
        seed=1,  # type: ignore[arg-type]
    )
    assert found["race_3_moves"] <= found["race_3_moves_max"] <= 20 and found["shortlist_16_moves"] == 16
    for way in ("race_2", "race_3", "shortlist_16"):
        assert 0 <= found[f"{way}_same"] <= found[f"{way}_kept"] <= 1
    assert "shortlist_24_same" not in found, "there are only 20 pairs"
    again = over_draws(
        classifier,
        generator,
        images,
        1,
        EigenFindConfig(scan=10, k=8),
        images=4,
        draws=5,
        seed=1,  # type: ignore[arg-type]
    )
    assert again == found
