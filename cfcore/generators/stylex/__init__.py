"""StylEx (Lang et al. 2021; seed 000): conditional StyleGAN2 with an encoder, trained against a frozen classifier."""

from .model import StylEx, StylExConfig

__all__ = ["StylEx", "StylExConfig"]
