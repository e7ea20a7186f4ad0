"""Attribution maps as methods: the counterfactual is the image whose most important pixels are replaced."""

from typing import TYPE_CHECKING, Any

from .config import GradCamConfig, IntegratedGradientsConfig

if TYPE_CHECKING:
    from .engine import Ablation
    from .pixels import GradCam, IntegratedGradients

__all__ = ["Ablation", "GradCam", "GradCamConfig", "IntegratedGradients", "IntegratedGradientsConfig"]


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name == "Ablation":
        from .engine import Ablation

        return Ablation
    if name in ("GradCam", "IntegratedGradients"):
        from . import pixels

        return getattr(pixels, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
