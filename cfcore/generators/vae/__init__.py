"""A convolutional variational autoencoder (Kingma & Welling 2014), in whose latent REVISE searches and C3LT moves."""

from .model import VAE, VAEConfig, load_vae, save_vae

__all__ = ["VAE", "VAEConfig", "load_vae", "save_vae"]
