"""PNG and JPEG files to exact gray pixels; text, EXIF and colour profiles are left behind."""

import io

import numpy as np
from PIL import Image as Pillow
from PIL.ImageFile import ImageFile

from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.image import Image, Pixels, settle_window

MAX_PIXELS = 64 * 2**20
"""Most pixels that are decoded (8192 x 8192; the largest radiographs have about 30 million)."""

_ORIENTATION_TAG = 0x0112


def read_raster(data: bytes, kind: str) -> Image:
    """The image in the bytes of a PNG or JPEG file (`kind` is 'png' or 'jpeg').

    Sizes are checked before anything is decoded. Gray of 1 to 8 bit becomes uint8 with max_value 255, gray of
    16 bit stays uint16 with max_value 65535. Colour files whose channels are equal in every pixel become that
    channel, exactly; any other colour is refused. Transparent parts are laid over black. The EXIF
    orientation is applied. Raises UnreadableImage.
    """
    try:
        with Pillow.open(io.BytesIO(data), formats=(kind.upper(),)) as image:
            _check(image)
            planes = _planes(image, data)
            orientation = _orientation(image)
        if kind == "png":
            _check_sums(data)
    except UnreadableImage:
        raise
    except Pillow.DecompressionBombError:
        raise UnreadableImage(Reason.TOO_LARGE) from None
    except Exception:
        raise UnreadableImage(Reason.DAMAGED) from None
    pixels = _upright(gray_of(planes), orientation)
    max_value = 255 if pixels.dtype == np.uint8 else 65535
    return Image(
        pixels=pixels,
        max_value=max_value,
        window=settle_window(pixels, max_value),
        source_kind="png" if kind == "png" else "jpeg",
        lossy=kind == "jpeg",
    )


def _check(image: Pillow.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise UnreadableImage(Reason.TOO_LARGE)
    if getattr(image, "n_frames", 1) > 1 or getattr(image, "is_animated", False):
        raise UnreadableImage(Reason.ANIMATED)
    if image.mode in ("CMYK", "LAB", "YCbCr"):
        raise UnreadableImage(Reason.COLOUR)


def _check_sums(data: bytes) -> None:
    """Checks the CRC of every PNG chunk; Pillow decodes pixels without looking at them."""
    with Pillow.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.verify()


def _orientation(image: Pillow.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _planes(image: ImageFile, data: bytes) -> Pixels:
    """(h, w) gray, or (h, w, 2 | 3 | 4) gray+alpha, colour, colour+alpha, at the depth of the file."""
    coding = str(image.tile[0].args) if image.tile else ""
    clear = image.info.get("transparency")
    if coding == "LA;16B":
        return _wide_gray_alpha(image)
    if coding in ("RGB;16B", "RGBA;16B"):
        return _wide_colour(image, data)
    if image.mode == "I;16":
        gray = np.array(image, dtype=np.uint16)
        return gray if clear is None else np.where(gray == clear, 0, gray).astype(np.uint16)
    if image.mode == "1":
        return np.array(image.convert("L"))
    if image.mode == "P" or (clear is not None and image.mode == "RGB"):
        return np.array(image.convert("RGBA"))
    if clear is not None and image.mode == "L":
        return np.array(image.convert("LA"))
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise UnreadableImage(Reason.UNSUPPORTED)
    return np.array(image)


def _wide_gray_alpha(image: ImageFile) -> Pixels:
    """16-bit gray with alpha: Pillow would keep only the high bytes, but four bytes are also an RGBA pixel."""
    image.tile = [image.tile[0]._replace(args="RGBA")]
    octets = np.array(image, dtype=np.uint16)
    return (octets[..., 0::2] << 8 | octets[..., 1::2]).astype(np.uint16)


def _wide_colour(image: ImageFile, data: bytes) -> Pixels:
    """16-bit colour: Pillow keeps only the high bytes; its little-endian unpacker, given the same bytes, the
    low ones. So the file is decoded once for each."""
    high = np.array(image, dtype=np.uint16)
    with Pillow.open(io.BytesIO(data), formats=("PNG",)) as again:
        again.tile = [again.tile[0]._replace(args=f"{again.mode};16L")]
        low = np.array(again, dtype=np.uint16)
    return (high << 8 | low).astype(np.uint16)


def gray_of(planes: Pixels) -> Pixels:
    """The one channel of (h, w), (h, w, 2), (h, w, 3) or (h, w, 4) planes, transparent parts over black.

    Raises UnreadableImage where the colour channels differ in any pixel.
    """
    if planes.ndim == 2:
        return planes
    colours, alpha = planes, None
    if planes.shape[2] in (2, 4):
        colours, alpha = planes[..., :-1], planes[..., -1]
    gray = colours[..., 0]
    if any(not np.array_equal(gray, colours[..., c]) for c in range(1, colours.shape[2])):
        raise UnreadableImage(Reason.COLOUR)
    if alpha is not None:
        full = np.iinfo(planes.dtype).max
        if not (alpha == full).all():
            gray = ((gray.astype(np.uint64) * alpha + full // 2) // full).astype(planes.dtype)
    return np.ascontiguousarray(gray)


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Applies the EXIF orientation (TIFF 6.0, tag 274, values 1 to 8)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
