"""ExplainGAN (Samangouei et al. 2018): an image, a mask, and their composite with the source, drawn in one pass."""

from .model import ExpGAN, ExpGANConfig, load_expgan, save_expgan

__all__ = ["ExpGAN", "ExpGANConfig", "load_expgan", "save_expgan"]
