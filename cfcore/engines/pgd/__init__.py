"""PGD (Madry et al. 2018), targeted: the adversarial baseline of the comparison."""

from typing import TYPE_CHECKING, Any

from .config import PGDConfig

if TYPE_CHECKING:
    from .engine import PGD

__all__ = ["PGD", "PGDConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "PGD":
        from .engine import PGD

        return PGD
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
