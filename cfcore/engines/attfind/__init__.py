"""AttFind: which single style coordinates of the generator change the classifier's mind."""

from .engine import AttFind, AttFindConfig, style_ends

__all__ = ["AttFind", "AttFindConfig", "style_ends"]
