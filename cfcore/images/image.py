"""A gray image as it is kept: exact pixels and the few technical values that go with them."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.unsignedinteger[Any]]
Window = tuple[float, float]
BurnedIn = Literal["no", "yes", "unknown", "not applicable"]
SourceKind = Literal["dicom", "png", "jpeg"]


@dataclass(frozen=True, eq=False)
class Image:
    """One gray image, black = 0 and white = `max_value`, whatever the source said.

    pixels: (h, w), uint8 where max_value <= 255, else uint16; every value in [0, max_value].
    max_value: 2**bits - 1 for the bits that the source stored.
    window: (centre, width) in pixel values, or None for the full range. A value p is shown at
        (p - centre) / width + 0.5, clipped to [0, 1]: DICOM's LINEAR_EXACT (PS3.3 C.11.2.1.3.2).
    view: one of `VIEWS`, or None.
    burned_in: whether text is written into the pixels, as the header says; "unknown" when a DICOM header is
        silent, "not applicable" for PNG and JPEG, which cannot say.
    source_kind: the kind of file it came from.
    modality: one of `MODALITIES`, or None.
    spacing: (row, column) distance of pixel centres in mm, or None.
    lossy: whether the pixels went through lossy compression before they came here.
    """

    pixels: Pixels
    max_value: int
    window: Window | None = None
    view: str | None = None
    burned_in: BurnedIn = "not applicable"
    source_kind: SourceKind = "png"
    modality: str | None = None
    spacing: tuple[float, float] | None = None
    lossy: bool = False


VIEWS = frozenset({"PA", "AP", "LATERAL", "LL", "RL", "LLD", "RLD", "RLO", "LLO", "LAO", "RAO", "LPO", "RPO"})
"""View positions that are kept (DICOM ViewPosition, and the same words in a table)."""

MODALITIES = frozenset(["CR", "DX", "RG", "RF", "XA", "PX", "IO", "MG", "CT", "MR", "US", "NM", "PT", "OT", "SC"])
"""Modalities that are kept; a coded attribute can hold free text, so anything else is dropped."""


def known_view(text: str | None) -> str | None:
    """`text` in capitals if it is one of `VIEWS` (LAT and LATERAL are one), else None."""
    word = (text or "").strip().upper()
    word = "LATERAL" if word == "LAT" else word
    return word if word in VIEWS else None


def settle_window(pixels: Pixels, max_value: int) -> Window | None:
    """Window for pixels of more than 8 bits whose source states none.

    None (full range) where the pixels use at least half of the range; otherwise from their minimum to their
    maximum, so that 12-bit data in a 16-bit file is not shown, or fed to a model, as black.
    """
    if max_value <= 255:
        return None
    low, high = int(pixels.min()), int(pixels.max())
    if high == low or 2 * (high - low) >= max_value:
        return None
    return (low + high) / 2, float(high - low)
