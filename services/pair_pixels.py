"""A pair's pixels as every viewer gets them: reading room, rehearsal, the chair's room, elicitation round."""

from __future__ import annotations

from typing import Any

from cfcore.images.encode import decode_png
from db.models import Pair
from services.displayed import size_of
from services.pixel_cache import PixelCache
from services.workspace import Workspace

SIDES = ("A", "B")
_decoded = PixelCache()


def geometry(pair: Pair, urls: dict[str, str]) -> dict[str, Any]:
    """What the viewer must know of a pair's pixels, the same for both sides; `urls` by side.

    `display`: the size that counts as 1:1 and fills the pane, so that all arms of a study are displayed alike.
    """
    window = None
    if pair.window_centre is not None and pair.window_width is not None:
        window = {"centre": pair.window_centre, "width": pair.window_width}
    return {
        "urls": urls,
        "width": pair.width,
        "height": pair.height,
        "display": dict(zip(("width", "height"), size_of(pair), strict=True)),
        "bytes": 1 if pair.max_value <= 255 else 2,
        "white": pair.max_value,
        "window": window,
    }


def raw_pixels(workspace: Workspace, file_key: str, width: int, height: int, max_value: int) -> bytes:
    """The stored picture as raw little-endian gray values, row by row: width x height x (1 or 2) bytes.

    One byte a pixel where white is at most 255, else two, whatever the depth of the stored file: so both sides of
    a pair have the same length. Raises ValueError where the file has another size than the pair.
    """

    def decoded() -> bytes:
        values = decode_png(workspace.get(file_key))
        if values.shape != (height, width):
            raise ValueError(f"a stored picture has {values.shape} pixels (rows, columns), not {(height, width)}")
        return values.astype("<u1" if max_value <= 255 else "<u2").tobytes()

    return _decoded.get((workspace.folder, file_key, width, height, max_value <= 255), decoded)
