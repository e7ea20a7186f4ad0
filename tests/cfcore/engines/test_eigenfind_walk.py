"""Phase 2 and the least degree: batches say what one image and one move at a time say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from cfcore.classifiers.base import Classifier, is_class
from cfcore.engines.base import Cancelled
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.walk import least, walk
from cfcore.generators.stylex import StylEx

CONFIG = EigenFindConfig(scan=6, k=4, degree=8.0)


@given(
    arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 9)), elements=st.booleans()),
    st.integers(1, 20),
)
def test_walk_stops_at_the_first_flip_in_order(flips: arrays.np.ndarray, batch: int) -> None:
    table = torch.from_numpy(flips)
    moves = torch.arange(table.shape[1])[:, None].float()
    largest = 0

    def look(rows: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal largest
        largest = max(largest, len(rows))
        move = shift[:, 0].long()
        return (rows * 100 + move).float().view(-1, 1, 1, 1), table[rows, move]

    seen: dict[int, tuple[int, float]] = {}
    for place, rows, pictures in walk(look, torch.arange(len(table)), moves, batch):
        for row, picture in zip(rows.tolist(), pictures.flatten().tolist(), strict=True):
            assert row not in seen
            seen[row] = (place, picture)
    for row, hits in enumerate(table.tolist()):
        place = hits.index(True) if any(hits) else -1
        assert seen[row] == (place, row * 100 + max(place, 0))
    assert largest <= batch


@given(st.lists(st.floats(0.01, 15.0), min_size=0, max_size=30), st.integers(1, 8), st.integers(0, 12))
def test_least_brackets_the_threshold(thresholds: list[float], batch: int, steps: int) -> None:
    limits = torch.tensor(thresholds)

    def look(rows: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        return shift, shift[:, 0] >= limits[rows]

    units = torch.ones(len(limits), 1)
    *_, found = least(look, torch.arange(len(limits)), units, 10.0, steps, batch)
    for value, threshold in zip(found.tolist(), limits.tolist(), strict=True):
        if threshold > 10:
            assert value != value
        else:
            assert threshold <= value <= threshold + 10 / 2**steps + 1e-5


@pytest.mark.parametrize("rendering", ["plain", "detail transfer"])
def test_least_degrees_equal_bisection_one_by_one(
    stylex: StylEx, classifier: Classifier, images: Tensor, rendering: str
) -> None:
    images = images * 0.82 + 0.08
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)
    names = [*[entry.name for entry in engine.directions()][:5], engine.directions()[-1].name]
    found = engine.least_degrees(images, 1, names, rendering=rendering, steps=7)  # type: ignore[arg-type]
    assert found.isnan().any() and not found.isnan().all()

    def flips(row: int, name: str, degree: float) -> bool:
        one = images[row : row + 1]
        codes = engine.encode(one, 1)
        base = engine._render(codes, one, name, torch.zeros(1), 1)
        drawn = engine._render(codes, one, name, torch.tensor([degree]), 1)
        shown = engine.transfer(one, base, drawn) if rendering == "detail transfer" else drawn
        return bool(is_class(classifier.logits(shown), 1).item())

    for row in range(len(images)):
        for column, name in enumerate(names):
            if not flips(row, name, 8.0):
                assert found[row, column].isnan()
                continue
            low, high = 0.0, 8.0
            for _ in range(7):
                middle = (low + high) / 2
                low, high = (low, middle) if flips(row, name, middle) else (middle, high)
            assert found[row, column].item() == pytest.approx(high, abs=1e-5)
    single = engine.least_degree(images, 1, names[1], rendering=rendering, steps=7)  # type: ignore[arg-type]
    assert torch.equal(single.nan_to_num(-1), found[:, 1].nan_to_num(-1))


def test_explaining_and_bisecting_can_be_cancelled(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, CONFIG, generator=stylex)

    def stop(share: float, message: str) -> None:
        assert 0 <= share <= 1
        raise Cancelled(message)

    with pytest.raises(Cancelled, match="of 10 images explained"):
        engine.explain(images, 1, progress=stop)
    with pytest.raises(Cancelled, match="least degree of 20 moves"):
        engine.least_degrees(images, 1, [entry.name for entry in engine.directions()][:2], progress=stop)
