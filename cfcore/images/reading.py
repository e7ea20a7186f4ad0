"""One entry point for image files of every kind; the kind is found from the content, never from the name."""

from pathlib import Path

from cfcore.images.dicom import is_dicom, read_dicom
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.image import Image
from cfcore.images.quiet import quiet
from cfcore.images.raster import read_raster

MAX_FILE_BYTES = 2**30
"""Largest file that is read into memory."""

_OTHER_FORMATS = (
    b"GIF8",
    b"II*\x00",
    b"MM\x00*",
    b"BM",
    b"\x00\x00\x00\x0cjP  ",
    b"\xff\x4f\xff\x51",
    b"<svg",
    b"%PDF",
)


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most `MAX_FILE_BYTES`; raises UnreadableImage."""
    try:
        if not path.exists():
            raise UnreadableImage(Reason.MISSING)
        if not path.is_file():
            raise UnreadableImage(Reason.NOT_AN_IMAGE)
        size = path.stat().st_size
        if size == 0:
            raise UnreadableImage(Reason.EMPTY)
        if size > MAX_FILE_BYTES:
            raise UnreadableImage(Reason.TOO_LARGE)
        return path.read_bytes()
    except OSError:
        raise UnreadableImage(Reason.UNOPENABLE) from None


def read_image(path: Path) -> Image:
    """The gray image in a PNG, JPEG or DICOM file, whatever its name or extension.

    A DICOM header is de-identified before anything is taken from it (see `cfcore.images.deidentify`).

    Args:
        path: a file.

    Raises:
        UnreadableImage: with a reason from the fixed vocabulary; neither it nor anything logged names the file.
    """
    return read_image_bytes(read_bytes(path))


def read_image_bytes(data: bytes) -> Image:
    """As `read_image`, for the content of a file."""
    if not data:
        raise UnreadableImage(Reason.EMPTY)
    try:
        with quiet():
            if data.startswith(b"\x89PNG\r\n\x1a\n"):
                return read_raster(data, "png")
            if data.startswith(b"\xff\xd8\xff"):
                return read_raster(data, "jpeg")
            if is_dicom(data):
                return read_dicom(data)
    except UnreadableImage:
        raise
    except Exception:
        # Parsers of hostile bytes fail in every way; what they say may quote the header.
        raise UnreadableImage(Reason.DAMAGED) from None
    if data.startswith(_OTHER_FORMATS) or data[8:12] in (b"WEBP", b"ftyp", b"avif"):
        raise UnreadableImage(Reason.OTHER_FORMAT)
    raise UnreadableImage(Reason.NOT_AN_IMAGE)
