"""All the pictures along a direction, as what changes: enough for a browser to draw each of them exactly."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cfcore.rendering import Rendering, keeps_source
from services.explore import OpenEngine, open_engine, source_of, stamp_of
from services.images import Gray, crop_back
from services.intended import refuse_mix
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float32]
Moves = tuple[tuple[str | None, float], ...]
"""(direction, degree) pairs, sorted; what is not in it is at degree 0."""

STEPS, COARSE = 80, 4
BATCH = 16
MOST_PIXELS = 16 * 512 * 512  # a batch of large sources is cut, or its pictures would fill the memory
SHOWN_SIDE, WARPED_SIDE = 1280, 520
MOST_BYTES = 192 * 2**20
KEPT_SCENES, KEPT_CODES = 8, 512
WARPED_STEP = 1 / 32767
RECORD = struct.Struct("<ffI")


@dataclass(frozen=True, eq=False)
class Scene:
    """One image, ready to be moved.

    Attributes:
        before: (h, w) float32 in [0, 1], what the change is added to: the original, in plain rendering the
            reconstruction. Sources longer than 1,280 px (warped transfer: 520) are averaged over whole blocks.
        original, reconstruction: (h, w), (size) float32 in [0, 1], to look at.
        rows, columns: (h, a), (w, b) float32: the picture at a degree is clip(before + rows @ change @ columns.T), with
            (a, b) the shape of a change; None where changes have the shape of `before`.
        step: what a change's unit is: 0 for float32 values, else int16 values are multiples of it.
    """

    opened: OpenEngine
    rendering: Rendering
    source: Tensor
    small: Tensor
    codes: Tensor
    base: Tensor
    keep: Tensor | None
    shape: tuple[int, int]
    factor: int
    before: Floats
    original: Floats
    reconstruction: Floats
    rows: Floats | None
    columns: Floats | None
    step: float
    p_source: float
    p_reconstruction: float
    frames: OrderedDict[Moves, Frame] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def degrees(self) -> list[float]:
        """The slider's degrees: 80 equal steps over the engine's range; 40 where each needs a whole picture."""
        low, high = self.opened.engine.degree_range
        return [round(float(d), 6) for d in np.linspace(low, high, (STEPS // 2 if self.step else STEPS) + 1)]


@dataclass(frozen=True, eq=False)
class Frame:
    """The image after some moves. `change`: see Scene (float32, or int16 with Scene.step); `probability` of the target
    class and `flipped` are the classifier's on the picture at the source's own resolution."""

    change: npt.NDArray[np.float32] | npt.NDArray[np.int16]
    probability: float
    flipped: bool


def moves_of(*pairs: tuple[str | None, float]) -> Moves:
    """Pairs in one order, without those at degree 0."""
    return tuple(sorted(((name, float(d)) for name, d in pairs if d), key=lambda pair: (pair[0] or "", pair[1])))


def scene(workspace: Workspace, run_id: int, image_id: int, rendering: Rendering) -> Scene:
    """The image of a run, encoded and drawn once, kept for the next call.

    Raises:
        NothingToExplore: the run has no engine, or the image is gone or waits for a person's look.
        ValueError: no such rendering.
    """
    keeps_source(rendering)
    source_of(workspace, image_id)  # An image that may not be shown any more may still be in the cache.
    with _opening:
        return _scene(workspace, run_id, stamp_of(workspace, run_id), image_id, rendering)


_opening = threading.Lock()


@dataclass(frozen=True, eq=False)
class Encoded:
    """An image at the network's size, its codes, what the generator makes of them, and the target's probability for
    source and reconstruction."""

    small: Tensor
    codes: Tensor
    base: Tensor
    p_source: float
    p_reconstruction: float


@lru_cache(maxsize=KEPT_CODES)
def encoded(workspace: Workspace, run_id: int, stamp: float, image_id: int) -> Encoded:
    """Of an image and a run's engine, as `stamp_of` dates it; small, and kept."""
    import torch

    from cfcore.classifiers.base import resize

    opened = open_engine(workspace, run_id)
    engine = opened.engine
    source, _ = source_of(workspace, image_id)
    with torch.no_grad():
        small = resize(source, engine.size)
        codes = engine.encode(small, opened.target)
        base = engine.draw(codes, small, {}, opened.target)
        shares = [float(engine.probability(part, opened.target)[0]) for part in (source, base)]
    return Encoded(small, codes, base, *shares)


@lru_cache(maxsize=KEPT_SCENES)
def _scene(workspace: Workspace, run_id: int, stamp: float, image_id: int, rendering: Rendering) -> Scene:
    from cfcore.engines.transfer import keep_mask

    known = encoded(workspace, run_id, stamp, image_id)
    opened = open_engine(workspace, run_id)
    engine, small, base = opened.engine, known.small, known.base
    source, shape = source_of(workspace, image_id)
    side = max(shape)
    warped = rendering == "warped transfer"
    drawn: Floats = base[0, 0].numpy()
    rows = columns = None
    factor = 1
    if keeps_source(rendering):
        factor = -(-side // (WARPED_SIDE if warped else SHOWN_SIDE))
        original = before = block_means(crop_back(source[0, 0].numpy(), shape), factor)
        if not warped:
            rows, columns = (_weights(n, side, count, factor) for n, count in zip(engine.size, shape, strict=True))
    else:
        original, before = small[0, 0].numpy(), drawn
    return Scene(
        opened=opened,
        rendering=rendering,
        source=source,
        small=small,
        codes=known.codes,
        base=base,
        keep=keep_mask(source) if warped else None,
        shape=shape,
        factor=factor,
        before=before,
        original=original,
        reconstruction=drawn,
        rows=rows,
        columns=columns,
        step=WARPED_STEP if warped else 0.0,
        p_source=known.p_source,
        p_reconstruction=known.p_reconstruction,
    )


def block_means(unit: Floats, factor: int) -> Floats:
    """(h // factor, w // factor): means over blocks; a rest at the lower and right edge is left out."""
    if factor == 1:
        return unit
    h, w = (n // factor for n in unit.shape)
    cut = unit[: h * factor, : w * factor].reshape(h, factor, w, factor)
    return cut.mean(axis=(1, 3), dtype=np.float64).astype(np.float32)


def _weights(n: int, side: int, count: int, factor: int) -> Floats:
    """(count // factor, n): up-sampling of n values to `side`, as detail transfer does it, cropped to the middle
    `count` and averaged over blocks. Bicubic interpolation is separable, so one axis at a time says it all."""
    import torch

    from cfcore.engines.transfer.additive import upsample

    along = upsample(torch.eye(n)[:, None, :, None].expand(n, 1, n, n), (side, n))[:, 0, :, 0].T.numpy()
    start = (side - count) // 2
    kept = along[start : start + count][: count // factor * factor]
    return np.ascontiguousarray(kept.reshape(count // factor, factor, n).mean(axis=1), dtype=np.float32)


def picture_at(scene: Scene, frame: Frame) -> Floats:
    """(h, w) float32 in [0, 1]: what the browser draws for a frame."""
    return np.clip(scene.before + change_at(scene, frame), 0, 1, dtype=np.float32)


def change_at(scene: Scene, frame: Frame) -> Floats:
    """(h, w) float32: the change that is added, before clamping."""
    if scene.step:
        return frame.change.astype(np.float32) * np.float32(scene.step)
    if scene.rows is None or scene.columns is None:
        return frame.change.astype(np.float32)
    return np.asarray(scene.rows @ frame.change @ scene.columns.T, dtype=np.float32)


def frames_at(scene: Scene, wanted: Sequence[Moves]) -> Iterator[list[tuple[Moves, Frame]]]:
    """The frames of some moves in the order asked for, a batch at a time; computed ones are kept.

    A caller that stops asking stops the work after the batch under way.
    """
    most = max(1, min(BATCH, MOST_PIXELS // scene.source[0].numel())) if keeps_source(scene.rendering) else BATCH
    for start in range(0, len(wanted), most):
        batch = list(wanted[start : start + most])
        found = {moves: frame for moves in batch if (frame := scene.frames.get(moves))}
        if missing := list(dict.fromkeys(moves for moves in batch if moves not in found)):
            drawn = dict(zip(missing, _drawn(scene, missing), strict=True))
            found |= drawn
            with scene.lock:
                scene.frames.update(drawn)
        yield [(moves, found[moves]) for moves in batch]
        _forget(scene, keep=len(wanted))


def _forget(scene: Scene, keep: int) -> None:
    """Drop the oldest frames beyond this scene's share of the memory, but none of the `keep` newest."""
    with scene.lock:
        if not scene.frames:
            return
        each = next(iter(scene.frames.values())).change.nbytes
        most = max(keep, MOST_BYTES // KEPT_SCENES // each)
        while len(scene.frames) > most:
            scene.frames.popitem(last=False)


def _drawn(scene: Scene, wanted: Sequence[Moves]) -> list[Frame]:
    import torch

    from cfcore.classifiers.base import is_class, target_margin

    engine, target = scene.opened.engine, scene.opened.target
    n = len(wanted)
    names = sorted({name for moves in wanted for name, _ in moves}, key=str)
    degrees = {name: torch.tensor([dict(moves).get(name, 0.0) for moves in wanted]) for name in names}
    with torch.no_grad():
        codes, small = (t.expand(n, *t.shape[1:]) for t in (scene.codes, scene.small))
        plain = engine.draw(codes, small, degrees, target)
        shown = engine.transfer(scene.source, scene.base, plain, scene.rendering, keep=scene.keep)
        logits = engine.judge(shown)
        probabilities = target_margin(logits, target).sigmoid().tolist()
        flipped = is_class(logits, target).tolist()
    if scene.step:
        changes = [
            np.rint((block_means(crop_back(one, scene.shape), scene.factor) - scene.before) / scene.step).astype(
                np.int16
            )
            for one in shown[:, 0].numpy()
        ]
    else:
        changes = list((plain - scene.base)[:, 0].numpy().copy())
    return [Frame(*parts) for parts in zip(changes, probabilities, flipped, strict=True)]


def along(scene: Scene, direction: str | None, held: Moves, at: float) -> list[tuple[float, Moves]]:
    """Every degree of the slider (and `at`), in the order in which a person needs them: where they are, the whole
    range coarsely, then the rest from where they are outwards.

    Raises ValueError: `held` moves another direction of an engine that goes one way.
    """
    refuse_mix(scene.opened.engine, (direction, *(name for name, _ in held)))
    grid = scene.degrees
    rest = sorted((d for i, d in enumerate(grid) if i % COARSE), key=lambda d: abs(d - at))
    order = dict.fromkeys([at, *grid[::COARSE], *rest])
    return [(degree, moves_of((direction, degree), *held)) for degree in order]


def records(scene: Scene, wanted: Sequence[tuple[float, Moves]]) -> Iterator[bytes]:
    """Frames for the wire: degree and probability (float32), flipped (uint32), then the change row by row; little
    endian. The first alone, for it is waited for."""
    for part in (wanted[:1], wanted[1:]):
        degrees = iter(degree for degree, _ in part)
        for batch in frames_at(scene, [moves for _, moves in part]):
            yield b"".join(
                RECORD.pack(next(degrees), frame.probability, frame.flipped)
                + frame.change.astype(frame.change.dtype.newbyteorder("<")).tobytes()
                for _, frame in batch
            )


def one_frame(scene: Scene, moves: Moves) -> Frame:
    """The frame of one set of moves."""
    return next(frames_at(scene, [moves]))[0][1]


def still(scene: Scene, moves: Moves) -> tuple[Gray, Gray]:
    """What is kept in the notebook: the picture before and after some moves."""
    return scene.before, picture_at(scene, one_frame(scene, moves))
