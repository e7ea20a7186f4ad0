"""C3LT (Khorram & Fuxin 2022): the latent of a VAE, moved from class to class by a network, in one pass."""

from typing import TYPE_CHECKING, Any

from .config import C3LTConfig

if TYPE_CHECKING:
    from .engine import C3LTEngine

__all__ = ["C3LTConfig", "C3LTEngine"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "C3LTEngine":
        from .engine import C3LTEngine

        return C3LTEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
