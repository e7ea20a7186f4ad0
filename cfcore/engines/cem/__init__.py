"""CEM (Dhurandhar et al. 2018), pertinent negatives towards a class."""

from typing import TYPE_CHECKING, Any

from .config import CEMConfig

if TYPE_CHECKING:
    from .engine import CEM

__all__ = ["CEM", "CEMConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "CEM":
        from .engine import CEM

        return CEM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
