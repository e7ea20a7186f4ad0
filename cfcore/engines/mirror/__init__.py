"""Mirror-CFE (seed 004): the mirror image of an image in the classifier's own feature space, and the way there."""

from typing import TYPE_CHECKING, Any

from .config import MirrorCFEConfig

if TYPE_CHECKING:
    from .engine import MirrorEngine

__all__ = ["MirrorCFEConfig", "MirrorEngine"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "MirrorEngine":
        from .engine import MirrorEngine

        return MirrorEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
