"""EigenFind (seed 000, Algorithm 1): which eigenvectors of the generator change the classifier's mind."""

from .config import EigenFindConfig
from .engine import EigenFind

__all__ = ["EigenFind", "EigenFindConfig"]
