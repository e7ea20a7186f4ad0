"""EigenFind (seed 000, Algorithm 1): which eigenvectors of the generator change the classifier's mind."""

from typing import TYPE_CHECKING, Any

from .config import Basis, EigenFindConfig

if TYPE_CHECKING:
    from .engine import EigenFind

__all__ = ["Basis", "EigenFind", "EigenFindConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "EigenFind":
        from .engine import EigenFind

        return EigenFind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
