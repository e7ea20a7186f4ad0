"""Flips from the reconstruction and from the original are reported apart."""

from __future__ import annotations

from db.models import Counterfactual
from services.worker.shares import flip_shares


def row(p_reconstruction: float, flipped: bool, tried: int = 1) -> Counterfactual:
    return Counterfactual(
        p_source=0.1, p_reconstruction=p_reconstruction, p_counterfactual=0.9 if flipped else 0.2, flipped=flipped,
        flipped_plain=flipped, tried=tried,
    )  # fmt: skip


def test_a_reconstruction_that_flips_by_itself_is_no_effect() -> None:
    rows = [row(0.8, True), row(0.7, True), row(0.2, True, 3), row(0.3, False, 8)]
    found = flip_shares(rows)
    assert found["explained"] == found["explained_plain"] == 0.75
    assert found["reconstruction_flips"] == 0.5
    assert found["explained_kept"] == 0.5
    assert found["mean_tried"] == (1 + 1 + 3) / 3


def test_nothing_is_said_of_what_is_not_there() -> None:
    found = flip_shares([row(0.9, False)])
    assert found["explained_kept"] is None and found["mean_tried"] is None
    assert found["reconstruction_flips"] == 1.0
