"""Training runs, as the worker and the command line do them."""

from .classifier import train_classifier
from .material import Split, load_pictures, load_split, quality_of
from .medxgan import train_medxgan
from .stylex import held_out_quality, train_stylex

__all__ = [
    "Split",
    "held_out_quality",
    "load_pictures",
    "load_split",
    "quality_of",
    "train_classifier",
    "train_medxgan",
    "train_stylex",
]
