"""medXGAN (seed 001): an image's anatomy with its pathology taken away, or with one drawn for it."""

from typing import TYPE_CHECKING, Any

from .config import MedXGANConfig

if TYPE_CHECKING:
    from .engine import MedXGANEngine

__all__ = ["MedXGANConfig", "MedXGANEngine"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "MedXGANEngine":
        from .engine import MedXGANEngine

        return MedXGANEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
