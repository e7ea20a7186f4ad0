"""Mirror-CFE's networks (seed 004): a U-Net decoder over a frozen classifier, which is its only encoder."""

from .model import MirrorConfig, MirrorDecoder, load_mirror, save_mirror

__all__ = ["MirrorConfig", "MirrorDecoder", "load_mirror", "save_mirror"]
