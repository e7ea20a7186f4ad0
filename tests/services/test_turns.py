"""Jobs that take turns: one at a time, evenly, each with its own clock."""

from __future__ import annotations

import time

import pytest

from cfcore.engines.base import Progress
from services.turns import in_turns


def test_the_job_that_is_behind_goes_on() -> None:
    order: list[str] = []

    def job(name: str, steps: int):  # type: ignore[no-untyped-def]
        def run(progress: Progress) -> str:
            for step in range(steps):
                order.append(name)
                progress((step + 1) / steps, "")
            return name.upper()

        return run

    results, _ = in_turns({"a": job("a", 4), "b": job("b", 2)})
    assert results == {"a": "A", "b": "B"}
    assert order == ["a", "b", "a", "a", "b", "a"]


def test_a_clock_runs_only_while_its_job_does() -> None:
    def sleepy(progress: Progress) -> None:
        for step in range(4):
            time.sleep(0.05)
            progress((step + 1) / 4, "")

    def quick(progress: Progress) -> None:
        for step in range(4):
            progress((step + 1) / 4, "")

    _, clocks = in_turns({"sleepy": sleepy, "quick": quick})
    assert clocks["sleepy"].wall >= 0.2
    assert clocks["quick"].wall < clocks["sleepy"].wall
    assert clocks["sleepy"].cpu < clocks["sleepy"].wall


def test_one_failure_ends_neither_the_others_nor_in_silence() -> None:
    ended = []

    def broken(progress: Progress) -> None:
        progress(0.5, "")
        raise RuntimeError("broken job")

    def sound(progress: Progress) -> None:
        progress(0.5, "")
        ended.append(True)

    with pytest.raises(RuntimeError, match="broken job"):
        in_turns({"broken": broken, "sound": sound})
    assert ended == [True]
