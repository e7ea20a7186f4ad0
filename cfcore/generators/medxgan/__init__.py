"""medXGAN (Dravid et al. 2022; seed 001): a GAN with one latent for anatomy and one for pathology, and a frozen
classifier that gives the second its meaning."""

from .model import MedXGAN, MedXGANConfig, load_medxgan, save_medxgan

__all__ = ["MedXGAN", "MedXGANConfig", "load_medxgan", "save_medxgan"]
