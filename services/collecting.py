"""Keeping the garbage collector away from what is no garbage."""

from __future__ import annotations

import gc
import sys

# Fewer new modules than this are not worth a freeze: each one keeps for good what sessions hold in that moment.
ENOUGH = 50
_known = 0


def freeze_modules() -> bool:
    """Take loaded modules out of the collector's sight where many have come since the last time; whether that was so.

    Streamlit collects everything after every run of a page, holding up all others while it walks the objects of torch
    and pandas. What a run leaves behind is still collected.
    """
    global _known
    if len(sys.modules) < _known + ENOUGH:
        return False
    _known = len(sys.modules)
    gc.collect()
    gc.freeze()
    return True
