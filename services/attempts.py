"""Counting failed sign-ins, in memory: there is one server process per workspace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta


class Attempts:
    """Up to `limit` failures of a key within `window`; further tries wait until the oldest has left the window."""

    def __init__(
        self, limit: int, window: timedelta, clock: Callable[[], float] = time.monotonic, most_keys: int = 10_000
    ) -> None:
        self._limit, self._window, self._clock = limit, window.total_seconds(), clock
        self._most_keys = most_keys
        self._failures: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def _recent(self, key: str) -> deque[float]:
        times = self._failures.get(key, deque())
        while times and times[0] <= self._clock() - self._window:
            times.popleft()
        return times

    def wait(self, key: str) -> float:
        """Seconds until `key` may be tried again; 0 if it may now. The empty key always may."""
        with self._lock:
            times = self._recent(key)
            full = len(times) >= self._limit
            return times[-self._limit] + self._window - self._clock() if full else 0.0

    def failed(self, key: str) -> None:
        """Count a failure of `key`."""
        if not key:
            return
        with self._lock:
            times = self._recent(key)
            times.append(self._clock())
            self._failures[key] = times
            while len(self._failures) > self._most_keys:
                self._failures.pop(next(iter(self._failures)))

    def succeeded(self, key: str) -> None:
        """Forget the failures of `key`."""
        with self._lock:
            self._failures.pop(key, None)
