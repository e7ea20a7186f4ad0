"""REVISE (Joshi et al. 2019): gradient steps in the latent of a VAE until the classifier changes its mind."""

from typing import TYPE_CHECKING, Any

from .config import ReviseConfig

if TYPE_CHECKING:
    from .engine import Revise

__all__ = ["Revise", "ReviseConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "Revise":
        from .engine import Revise

        return Revise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
