"""C3LT (Khorram & Fuxin 2022): a network that moves the latent of a pretrained generator from one class to another."""

from .model import C3LT, C3LTConfig, load_c3lt, save_c3lt

__all__ = ["C3LT", "C3LTConfig", "load_c3lt", "save_c3lt"]
