"""The pairs of the control arms: identical images, reconstructions, plain filters, two different patients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cfcore.images.encode import decode_png
from cfcore.images.image import Pixels
from cfcore.rendering import keeps_source
from cfcore.study.design.choices import Control
from cfcore.study.design.controls import mean_difference, plain_filter
from db.models import Image, Pair
from services.images import Gray, batches_of, crop_back, from_unit, read_pixels, to_unit
from services.study_design.arms import ArmEngine, quantised
from services.study_design.moving import BATCH, Made, new_pair
from services.study_views import StudyRefused
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class _Still:
    """An image and its reconstruction, not moved. side: what stands on the original's side in this study; original;
    redrawn: the reconstruction as this study would show it, of the same size. p_redrawn: probability of the target."""

    image: Image
    side: Pixels
    original: Pixels
    redrawn: Pixels
    p_redrawn: float
    p_source: float
    p_reconstruction: float
    windowed: bool


def patients_needed(controls: Sequence[Control]) -> int:
    """How many patients the control arms take; a pair of two patients takes two."""
    return sum(control.n * (2 if control.kind == "patients" else 1) for control in controls)


def median_strength(workspace: Workspace, pairs: Sequence[Pair]) -> float:
    """Median over pairs of the mean absolute difference of both sides, seen through their window, in [0, 1]."""
    found = []
    for pair in pairs:
        shown = Image(max_value=pair.max_value, window_centre=pair.window_centre, window_width=pair.window_width)
        sides = [to_unit(decode_png(workspace.get(key)), shown) for key in (pair.original_key, pair.counterfactual_key)]
        found.append(mean_difference(*sides))
    return float(np.median(found)) if found else 0.0


def control_pairs(
    workspace: Workspace,
    controls: Sequence[Control],
    arm: ArmEngine,
    images: Sequence[Image],
    strength: float,
    made: Made,
) -> Iterator[Pair]:
    """The control arms' pairs, drawn like those of `arm` (rendering, reference), from images of patients of their own.

    strength: mean absolute difference that a plain filter must reach. Raises StudyRefused where counterfactuals equal
    their originals, so that there is no strength to match.
    """
    rest = list(images)
    for control in controls:
        n = control.n * (2 if control.kind == "patients" else 1)
        own, rest = rest[:n], rest[n:]
        if control.kind == "patients":
            yield from _two_patients(workspace, arm, own, made)
            continue
        for i, still in enumerate(_stills(workspace, arm, own)):
            if control.kind == "identical":
                yield _identical(workspace, arm, still, made)
            elif control.kind == "reconstruction":
                yield _reconstructed(workspace, arm, still, made)
            else:
                yield _filtered(workspace, arm, still, strength, "contrast" if i % 2 else "blur", made)


def _stills(workspace: Workspace, arm: ArmEngine, images: Sequence[Image]) -> Iterator[_Still]:
    import torch

    from cfcore.classifiers.base import resize

    still = replace(arm, degree=0.0, rendering="plain", reference="reconstruction")
    windowed = keeps_source(arm.rendering)
    for group, tensors in batches_of(workspace, images, BATCH):
        explained = still.move(tensors)
        small = resize(tensors, arm.engine.size)
        # A reconstruction at the network's size would be told from other cases by its size and blur: its difference
        # from the original is carried over as a counterfactual's is.
        shown = explained.reconstruction
        if windowed:
            shown = arm.engine.transfer(tensors, small, explained.reconstruction, arm.rendering)
        with torch.no_grad():
            p_shown = arm.engine.probability(shown, arm.target)
        for row, image in enumerate(group):
            redrawn = shown[row, 0].numpy()
            if windowed:
                original = read_pixels(workspace, image)
                second = from_unit(crop_back(redrawn, (image.height, image.width)), image, source=original)
            else:
                original, second = quantised(small[row, 0].numpy(), image), quantised(redrawn, image)
            side = original if windowed or arm.reference == "original" else second
            yield _Still(
                image,
                side,
                original,
                second,
                p_redrawn=float(p_shown[row]),
                p_source=float(explained.p_source[row]),
                p_reconstruction=float(explained.p_reconstruction[row]),
                windowed=windowed,
            )


def _identical(workspace: Workspace, arm: ArmEngine, still: _Still, made: Made) -> Pair:
    shown = still.p_source if still.windowed or arm.reference == "original" else still.p_reconstruction
    p = still.p_source, still.p_reconstruction, shown
    return new_pair(
        workspace, made, "identical", still.image, (still.side, still.side), p,
        windowed=still.windowed, meta=_meta(arm), kind="identical",
    )  # fmt: skip


def _reconstructed(workspace: Workspace, arm: ArmEngine, still: _Still, made: Made) -> Pair:
    p = still.p_source, still.p_reconstruction, still.p_redrawn
    return new_pair(
        workspace, made, "reconstruction", still.image, (still.original, still.redrawn), p, windowed=still.windowed,
        meta=_meta(arm), kind="reconstruction",
    )  # fmt: skip


def _filtered(workspace: Workspace, arm: ArmEngine, still: _Still, strength: float, prefer: str, made: Made) -> Pair:
    if strength <= 0:
        raise StudyRefused("The counterfactuals equal their originals: no filter can be as strong. Raise the degree.")
    image = still.image if still.windowed else Image(max_value=still.image.max_value)
    unit = to_unit(still.side, image)
    changed, name, parameter = plain_filter(unit, strength, prefer)
    # As a counterfactual is: the source's pixels plus a change, so that both sides keep what the window hides.
    second = from_unit(changed, image, source=still.side) if still.windowed else quantised(changed, still.image)
    reached = mean_difference(unit, to_unit(second, image))
    p = _probability(arm, changed)
    meta = _meta(arm, filter=name, parameter=round(parameter, 4), strength=round(reached, 5), wanted=round(strength, 5))
    return new_pair(
        workspace, made, "filter", still.image, (still.side, second), (still.p_source, still.p_reconstruction, p),
        windowed=still.windowed, meta=meta, kind="filter",
    )  # fmt: skip


def _two_patients(workspace: Workspace, arm: ArmEngine, images: Sequence[Image], made: Made) -> Iterator[Pair]:
    waiting: dict[tuple[int, ...], _Still] = {}
    for still in _stills(workspace, arm, images):
        # Two images of one size and depth can stand side by side pixel for pixel.
        shape = (*still.side.shape, still.image.max_value)
        if (first := waiting.pop(shape, None)) is None:
            waiting[shape] = still
        else:
            yield _two(workspace, arm, first, still, made)
    left = list(waiting.values())
    for first, other in zip(left[::2], left[1::2], strict=True):
        yield _two(workspace, arm, first, other, made)


def _beside(first: _Still, second: _Still) -> Pixels:
    """The second patient's picture in the first one's size, depth and window: cut or framed in black around its middle,
    never scaled; untouched where all three are equal."""
    one, two = first.image, second.image
    same_window = not first.windowed or _window(one) == _window(two)
    if first.side.shape == second.side.shape and one.max_value == two.max_value and same_window:
        return second.side
    shown = two if second.windowed else Image(max_value=two.max_value)
    unit = to_unit(second.side, shown)
    canvas: Gray = np.zeros(first.side.shape, np.float32)
    height, width = min(unit.shape[0], canvas.shape[0]), min(unit.shape[1], canvas.shape[1])
    _middle(canvas, height, width)[:] = _middle(unit, height, width)
    return from_unit(canvas, one) if first.windowed else quantised(canvas, one)


def _middle(unit: Gray, height: int, width: int) -> Gray:
    top, left = (unit.shape[0] - height) // 2, (unit.shape[1] - width) // 2
    return unit[top : top + height, left : left + width]


def _two(workspace: Workspace, arm: ArmEngine, first: _Still, second: _Still, made: Made) -> Pair:
    sides = first.side, _beside(first, second)
    meta = _meta(arm, second_patient=second.image.patient, second_image=second.image.id)
    return new_pair(
        workspace, made, "patients", first.image, sides, (first.p_source, first.p_reconstruction, second.p_source),
        windowed=first.windowed, meta=meta, kind="patients",
    )  # fmt: skip


def _window(image: Image) -> tuple[float | None, float | None]:
    return image.window_centre, image.window_width


def _probability(arm: ArmEngine, unit: Gray) -> float:
    import torch

    from services.images import pad_to_square

    picture: Tensor = torch.from_numpy(np.ascontiguousarray(pad_to_square(unit)))[None, None]
    with torch.no_grad():
        return float(arm.engine.probability(picture, arm.target)[0])


def _meta(arm: ArmEngine, **more: object) -> dict[str, object]:
    base = {"direction": None, "degree": 0.0, "rendering": arm.rendering, "reference": arm.reference}
    return base | {"flipped_plain": False, "run": arm.run.id} | more
