"""Size that a compressed frame declares for itself, read before anything is decoded.

A header may say 512 x 512 and the JPEG inside 60,000 x 60,000; the decoder would believe the JPEG.
"""

import struct

from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames


def codestream_size(dataset: Dataset) -> tuple[int, int] | None:
    """(rows, columns) in the first frame's JPEG, JPEG-LS or JPEG 2000 headers; None for other codings.

    Raises ValueError or struct.error where such a header is cut short.
    """
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return None
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    start = frame.find(b"\xff\x4f\xff\x51", 0, 4096)
    return _jpeg2000_size(frame, start) if start >= 0 else None


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    """Walks the markers to the start of frame (ITU-T T.81 B.2.2, T.87 C.2.2)."""
    at = 2
    while True:
        marker, length = struct.unpack_from(">HH", frame, at)
        if marker >> 8 != 0xFF:
            raise ValueError("no start of frame")
        if (0xC0 <= marker & 0xFF <= 0xCF and marker & 0xFF not in (0xC4, 0xC8, 0xCC)) or marker == 0xFFF7:
            rows, columns = struct.unpack_from(">HH", frame, at + 5)
            return rows, columns
        at += 1 if marker == 0xFFFF else 2 + length


def _jpeg2000_size(frame: bytes, start: int) -> tuple[int, int]:
    """SIZ marker segment (ITU-T T.800 A.5.1): image extent less its offset."""
    width, height, left, top = struct.unpack_from(">4I", frame, start + 8)
    return height - top, width - left
