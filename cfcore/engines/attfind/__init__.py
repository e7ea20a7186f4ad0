"""AttFind: which single style coordinates of the generator change the classifier's mind."""

from typing import TYPE_CHECKING, Any

from .config import AttFindConfig

if TYPE_CHECKING:
    from .engine import AttFind, style_ends

__all__ = ["AttFind", "AttFindConfig", "style_ends"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name in ("AttFind", "style_ends"):
        from . import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
