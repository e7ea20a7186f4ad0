"""Attribution maps as methods: the counterfactual is the image whose most important pixels are replaced."""

import importlib
from typing import TYPE_CHECKING, Any

from .config import DifferenceConfig, GradCamConfig, IntegratedGradientsConfig, LIGConfig

if TYPE_CHECKING:
    from .engine import Ablation
    from .latent import Difference, LatentIntegratedGradients
    from .pixels import GradCam, IntegratedGradients

__all__ = [
    "Ablation",
    "Difference",
    "DifferenceConfig",
    "GradCam",
    "GradCamConfig",
    "IntegratedGradients",
    "IntegratedGradientsConfig",
    "LIGConfig",
    "LatentIntegratedGradients",
]

_PLACES = {
    "Ablation": "engine",
    "Difference": "latent",
    "GradCam": "pixels",
    "IntegratedGradients": "pixels",
    "LatentIntegratedGradients": "latent",
}


def __getattr__(name: str) -> Any:
    # A form reads the settings alone, and torch takes seconds to import.
    if name in _PLACES:
        return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
