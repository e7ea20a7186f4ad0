"""The way from the original to a degree as a moving picture. Nothing in it names a patient or a file."""

from __future__ import annotations

import importlib.util
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from services.intended import refuse_mix
from services.paths import Moves, Scene, frames_at, moves_of, picture_at, still
from services.pictures import Bytes8, difference_limit, difference_rgb, gray8, triptych_png

FRAME_MS, HOLD_FRAMES, MOST_FRAMES = 80, 8, 32
LEAST_SIDE = 256
SAMPLED, GRAYS, LEAST_CHROMA = 6, 176, 12  # of a GIF in colour: frames looked at, grays, least spread of a colour


class ExportRefused(ValueError):
    """This kind of file cannot be written here; the message says what to do."""


def film(scene: Scene, direction: str | None, degree: float, held: Moves, *, coloured: bool) -> list[Bytes8]:
    """Frames from degree 0 to `degree` and back, the ends held: before | after, and where `coloured` their signed
    difference as a third panel with one scale for the whole film. (h, w) or (h, w, 3) uint8."""
    degrees = np.linspace(0, degree, min(MOST_FRAMES, max(2, round(abs(degree) / _step(scene)) + 1)))
    wanted = [moves_of((direction, round(float(d), 6)), *held) for d in degrees]
    pictures = [picture_at(scene, frame) for batch in frames_at(scene, wanted) for _, frame in batch]
    limit = difference_limit(pictures[-1] - scene.before)
    rows = []
    for picture in pictures:
        panels = [gray8(scene.before), gray8(picture)]
        if coloured:
            panels = [np.repeat(panel[..., None], 3, axis=2) for panel in panels]
            panels.append(difference_rgb(picture - scene.before, limit))
        gap = np.full((panels[0].shape[0], max(2, panels[0].shape[1] // 48), *panels[0].shape[2:]), 255, np.uint8)
        row = np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)
        factor = -(-LEAST_SIDE // max(scene.before.shape))
        rows.append(row.repeat(factor, axis=0).repeat(factor, axis=1))
    return [rows[0]] * HOLD_FRAMES + rows[1:-1] + [rows[-1]] * HOLD_FRAMES + rows[-2:0:-1]


def _step(scene: Scene) -> float:
    return scene.degrees[1] - scene.degrees[0]


def gif(frames: Sequence[Bytes8]) -> bytes:
    """Gray frames as GIF with all 256 grays in its table: every pixel exact."""
    table = bytes(value for gray in range(256) for value in (gray, gray, gray))

    def indexed(frame: Bytes8) -> Pillow.Image:
        image = Pillow.frombytes("P", (frame.shape[1], frame.shape[0]), np.ascontiguousarray(frame).tobytes())
        image.putpalette(table)
        return image

    return _saved([indexed(frame) for frame in frames], "GIF", optimize=False, disposal=1)


def coloured_gif(frames: Sequence[Bytes8]) -> bytes:
    """Frames in colour as GIF with one table for all of them, without dither: 176 grays from black to white, evenly,
    and 80 colours chosen among the pixels that are not gray."""
    some = np.concatenate([frame.reshape(-1, 3) for frame in frames[:: max(1, len(frames) // SAMPLED)]])
    grays = np.rint(np.linspace(0, 255, GRAYS)).astype(np.uint8)
    table = grays.repeat(3).tolist()
    coloured = some[np.ptp(some, axis=1) > LEAST_CHROMA]
    if len(coloured):
        chosen = Pillow.fromarray(np.ascontiguousarray(coloured[None])).quantize(256 - GRAYS)
        table += (chosen.getpalette() or [])[: 3 * (256 - GRAYS)]
    table += [255] * (768 - len(table))
    colours = np.array(table, dtype=np.int64).reshape(256, 3)

    def indexed(frame: Bytes8) -> Pillow.Image:
        # Pillow's own search for the nearest colour is rough: white comes out gray.
        packed = frame.astype(np.int64) @ np.array([65536, 256, 1])
        found, where = np.unique(packed, return_inverse=True)
        parts = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
        nearest = ((parts[:, None] - colours) ** 2).sum(axis=2).argmin(axis=1).astype(np.uint8)
        image = Pillow.fromarray(nearest[where].reshape(frame.shape[:2]))
        image.putpalette(table)
        return image

    return _saved([indexed(frame) for frame in frames], "GIF", optimize=False, disposal=1)


def animated_webp(frames: Sequence[Bytes8]) -> bytes:
    """Animated WebP, lossless, in colour; quick settings, which cost no exactness."""
    return _saved([Pillow.fromarray(frame) for frame in frames], "WEBP", lossless=True, quality=0, method=0)


def _saved(images: Sequence[Pillow.Image], kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    images[0].save(buffer, kind, save_all=True, append_images=list(images[1:]), duration=FRAME_MS, loop=0, **options)
    return buffer.getvalue()


def mp4_available() -> bool:
    """Whether the optional library that writes MP4 is installed."""
    return importlib.util.find_spec("cv2") is not None


def need_mp4() -> None:
    """Raises ExportRefused where the library that writes MP4 is not installed."""
    if not mp4_available():
        raise ExportRefused(
            "MP4 needs an extra library on the server: pip install 'cfreader[video]'. GIF needs nothing more."
        )


def mp4(frames: Sequence[Bytes8]) -> bytes:
    """VP9 in MP4, for slides and web pages: compressed, so not exact.

    OpenCV's wheels carry FFmpeg's libraries under the LGPL with libvpx (BSD) and no x264; those of PyAV and
    imageio-ffmpeg carry GPL parts.

    Raises ExportRefused where OpenCV is not installed or cannot encode.
    """
    need_mp4()
    import cv2

    height, width = (n // 2 * 2 for n in frames[0].shape[:2])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"vp09"), 1000 / FRAME_MS, (width, height))
        if not writer.isOpened():
            raise ExportRefused(
                "This server's OpenCV cannot write VP9 video: install opencv-python-headless from PyPI."
            )
        for frame in frames:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            writer.write(np.ascontiguousarray(colour[:height, :width, ::-1]))
        writer.release()
        return path.read_bytes()


# Format -> (file name's ending, media type, in colour, writer of frames).
FORMATS: dict[str, tuple[str, str, bool, Callable[[Sequence[Bytes8]], bytes]]] = {
    "gif": ("gif", "image/gif", False, gif),
    "webp": ("webp", "image/webp", True, animated_webp),
    "mp4": ("mp4", "video/mp4", True, mp4),
}


def export(scene: Scene, direction: str | None, degree: float, held: Moves, kind: str) -> tuple[bytes, str, str]:
    """(content, media type, file name's ending) of "png" (before, after and difference as a still) or of a film.

    Raises:
        ExportRefused: no such kind, or its library is missing.
        ValueError: `held` moves another direction of an engine that goes one way.
    """
    refuse_mix(scene.opened.engine, (direction, *(name for name, _ in held)))
    if kind == "png":
        return triptych_png(*still(scene, moves_of((direction, degree), *held))), "image/png", "png"
    if kind not in FORMATS:
        raise ExportRefused(f"no format {kind!r}; choose one of: png, {', '.join(FORMATS)}")
    ending, media, coloured, write = FORMATS[kind]
    return write(film(scene, direction, degree, held, coloured=coloured)), media, ending
