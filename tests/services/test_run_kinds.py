"""Every kind of run can be done by the worker, and nothing else can."""

from __future__ import annotations

import pytest

from cfcore.generators.registry import GENERATORS, generator_kind
from services.run_kinds import RUN_KINDS, generator_trained, title_of
from services.worker.loop import job_of


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_every_kind_has_its_function(kind: str) -> None:
    assert callable(job_of(kind)) and title_of(kind) == RUN_KINDS[kind].title


def test_each_generator_has_a_training_and_a_loader() -> None:
    assert {f"train {kind}" for kind in GENERATORS} < set(RUN_KINDS)
    assert [generator_trained(kind) for kind in ("train stylex", "train classifier", "explain")] == [
        "stylex",
        None,
        None,
    ]
    for kind in GENERATORS.values():
        assert set(kind.choices().settings()) >= {"iterations", "batch"}


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match="no worker knows how to do a run of kind 'dream'"):
        job_of("dream")
    with pytest.raises(ValueError, match="no generator of kind 'dream'; known are stylex"):
        generator_kind("dream")
    assert title_of("dream") == "dream"
