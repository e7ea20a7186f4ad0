"""ExplainGAN (Samangouei et al. 2018): a mask and what is drawn under it, in one pass."""

from typing import TYPE_CHECKING, Any

from .config import ExplainGANConfig

if TYPE_CHECKING:
    from .engine import ExplainGAN

__all__ = ["ExplainGAN", "ExplainGANConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "ExplainGAN":
        from .engine import ExplainGAN

        return ExplainGAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
