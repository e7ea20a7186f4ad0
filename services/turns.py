"""Timing several jobs on a shared machine: they take turns, so that all meet the same load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cfcore.engines.base import Progress


@dataclass
class Clock:
    """Seconds that a job ran: by the wall, and of the processor (all threads of the process; what other programs
    take does not count)."""

    wall: float = 0.0
    cpu: float = 0.0


class Turns:
    """Runs jobs one at a time, always the one that is furthest behind in its share done."""

    def __init__(self, names: list[str]) -> None:
        self._shares = dict.fromkeys(names, 0.0)
        self._turn = names[0]
        self._changed = threading.Condition()
        self.clocks = {name: Clock() for name in names}
        self._started = (0.0, 0.0)

    def run(self, name: str, job: Callable[[Progress], Any]) -> Any:
        """Run `job` in this thread; it hands over whenever it tells its progress."""
        self._wait(name)
        try:
            return job(lambda share, message: self._hand_over(name, share))
        finally:
            self._stop(name)
            with self._changed:
                del self._shares[name]
                self._choose()

    def _hand_over(self, name: str, share: float) -> None:
        self._stop(name)
        with self._changed:
            self._shares[name] = share
            self._choose()
        self._wait(name)

    def _choose(self) -> None:
        if self._shares:
            self._turn = min(self._shares, key=lambda name: self._shares[name])
        self._changed.notify_all()

    def _wait(self, name: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._turn == name)
        self._started = time.perf_counter(), time.process_time()

    def _stop(self, name: str) -> None:
        clock = self.clocks[name]
        clock.wall += time.perf_counter() - self._started[0]
        clock.cpu += time.process_time() - self._started[1]


def in_turns(jobs: dict[str, Callable[[Progress], Any]]) -> tuple[dict[str, Any], dict[str, Clock]]:
    """Run all jobs, interleaved, and return their results and clocks.

    A job tells its progress often (its share done, rising to 1); at each such call the job with the least share done
    goes on. Raises what a job raises, after the others have ended.
    """
    turns = Turns(list(jobs))
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = {name: pool.submit(turns.run, name, job) for name, job in jobs.items()}
    return {name: future.result() for name, future in futures.items()}, turns.clocks
