"""Wachter et al. 2017: the plain gradient method, weighed against the distance."""

from typing import TYPE_CHECKING, Any

from .config import WachterConfig

if TYPE_CHECKING:
    from .engine import Wachter

__all__ = ["Wachter", "WachterConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "Wachter":
        from .engine import Wachter

        return Wachter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
