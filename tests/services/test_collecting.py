"""Modules are frozen, garbage is not."""

from __future__ import annotations

import gc
import sys
import types
import weakref

import pytest

from services import collecting


class Knot:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_modules_are_frozen_when_many_are_new_and_garbage_is_still_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_known", 0)
    assert collecting.freeze_modules()
    frozen = gc.get_freeze_count()
    # The modules of this very test among them: nothing that was loaded is walked again.
    assert frozen > len(sys.modules) and not any(found is collecting.__dict__ for found in gc.get_objects())
    assert not collecting.freeze_modules()
    for i in range(collecting.ENOUGH):
        monkeypatch.setitem(sys.modules, f"a_module_of_this_test_{i}", types.ModuleType("new"))
    knot = Knot()
    gone = weakref.ref(knot)
    del knot
    assert collecting.freeze_modules() and gone() is None, "garbage is collected, not kept"
    later = Knot()
    gone = weakref.ref(later)
    del later
    gc.collect()
    assert gone() is None
