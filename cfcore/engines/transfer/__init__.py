"""Detail transfer: the generator's change on the true original (docs/methods/detail-transfer.md)."""

from .additive import additive, upsample
from .keep import keep_mask
from .warped import Motion, motion, warped

__all__ = ["Motion", "additive", "keep_mask", "motion", "upsample", "warped"]
