"""Training runs, as the worker and the command line do them."""

from .c3lt import train_c3lt
from .classifier import train_classifier
from .expgan import train_expgan
from .material import Split, load_classes, load_pictures, load_split, quality_of
from .medxgan import train_medxgan
from .mirror import train_mirror
from .stylex import held_out_quality, train_stylex
from .vae import train_vae

__all__ = [
    "Split",
    "held_out_quality",
    "load_classes",
    "load_pictures",
    "load_split",
    "quality_of",
    "train_c3lt",
    "train_classifier",
    "train_expgan",
    "train_medxgan",
    "train_mirror",
    "train_stylex",
    "train_vae",
]
