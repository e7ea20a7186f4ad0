"""Decoded pictures that several readers ask for within minutes of each other, up to a budget in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

BUDGET = 96 * 2**20


class PixelCache:
    """The last used bodies by key; a body larger than a quarter of the budget is not kept. Safe between threads.

    Keys must name content that never changes, as the opaque names of stored pictures do.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._held = 0
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The body under `key`, made by `make()` where it is not there."""
        with self._lock:
            if key in self._bodies:
                self._bodies.move_to_end(key)
                return self._bodies[key]
        body = make()
        if len(body) * 4 > self._budget:
            return body
        with self._lock:
            if key not in self._bodies:
                self._bodies[key] = body
                self._held += len(body)
            while self._held > self._budget:
                self._held -= len(self._bodies.popitem(last=False)[1])
        return body
