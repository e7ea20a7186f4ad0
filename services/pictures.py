"""Pictures for people: gray images, thumbnails and signed differences as lossless PNG."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from services.images import Gray

Bytes8 = npt.NDArray[np.uint8]

# ColorBrewer's RdBu turned round: safe for the common kinds of colour blindness, and white where nothing changes.
_DIVERGING = np.array(
    [
        (5, 48, 97),
        (33, 102, 172),
        (67, 147, 195),
        (146, 197, 222),
        (209, 229, 240),
        (255, 255, 255),
        (253, 219, 199),
        (244, 165, 130),
        (214, 96, 77),
        (178, 24, 43),
        (103, 0, 31),
    ],
    dtype=np.float64,
)
LEAST_LIMIT = 0.05


def gray8(unit: Gray) -> Bytes8:
    """(h, w) uint8 of values in [0, 1], 0.5 rounded to even."""
    return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def enlarge(pixels: Bytes8, side: int) -> Bytes8:
    """Whole pixels repeated by the largest whole factor that keeps the longer side within `side`; never smaller."""
    factor = max(1, side // max(pixels.shape[:2]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


def for_screen(pixels: Bytes8, side: int) -> Bytes8:
    """Enlarged by a whole factor where small; where more than twice `side`, averaged down by a whole factor."""
    factor = max(pixels.shape[:2]) // side
    if factor < 2:
        return enlarge(pixels, side)
    return np.asarray(Pillow.fromarray(pixels).reduce(factor))


def png(pixels: Bytes8) -> bytes:
    """Gray (h, w) or colour (h, w, 3) uint8 as PNG."""
    buffer = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=2)
    return buffer.getvalue()


def png_url(pixels: Bytes8) -> str:
    """The same as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def gray_png(unit: Gray, side: int = 512) -> bytes:
    """A gray image for the screen: see `for_screen`."""
    return png(for_screen(gray8(unit), side))


def thumbnail_png(unit: Gray, side: int = 96) -> bytes:
    """A small square-fitting copy, averaged down."""
    picture = Pillow.fromarray(gray8(unit))
    scale = side / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return png(np.asarray(picture.resize(size, Pillow.Resampling.BOX)))


def difference_limit(change: Gray) -> float:
    """Where the colour scale of a signed difference ends: its 99.5th percentile of size, at least 0.05."""
    return max(LEAST_LIMIT, float(np.percentile(np.abs(change), 99.5)))


def difference_rgb(change: Gray, limit: float) -> Bytes8:
    """(h, w, 3): blue where darker, red where brighter, white where equal, full colour at +-`limit`."""
    place = (np.clip(change / limit, -1, 1) + 1) / 2 * (len(_DIVERGING) - 1)
    channels = [np.interp(place, np.arange(len(_DIVERGING)), _DIVERGING[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def difference_png(change: Gray, limit: float, side: int = 512) -> bytes:
    """The signed difference for the screen."""
    return png(for_screen(difference_rgb(change, limit), side))


def triptych_png(original: Gray, counterfactual: Gray, side: int = 384) -> bytes:
    """Original, counterfactual and signed difference side by side with a white gap, for notebook and report."""
    change = counterfactual - original
    panels = [np.repeat(gray8(unit)[..., None], 3, axis=2) for unit in (original, counterfactual)] + [
        difference_rgb(change, difference_limit(change))
    ]
    gap = np.full((panels[0].shape[0], max(1, panels[0].shape[1] // 32), 3), 255, np.uint8)
    row = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=1)
    return png(for_screen(row, 3 * side))
