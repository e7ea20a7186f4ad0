"""Making the pairs of a study: images by rule and seed, moved by the run's engine, both sides through one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from cfcore.images.encode import decode_png, encode_png
from cfcore.images.image import Pixels
from cfcore.rendering import keeps_source
from cfcore.study.protocol import Protocol
from cfcore.study.schedule import Assignment, Candidate, assign_pairs
from db.events import record
from db.models import Direction, Image, Pair, Run
from services.explore import NothingToExplore, open_engine
from services.images import Gray, batches_of, crop_back, from_unit, read_pixels, to_unit
from services.pictures import difference_limit, difference_png, gray_png, thumbnail_png
from services.selection import ImageRule, choose_images
from services.studies import draft_of, drop_pairs, pair_hash
from services.study_views import PairView, StudyRefused, protocol_of
from services.workspace import Workspace

if TYPE_CHECKING:
    from cfcore.engines.base import Engine, Explanation

Progress = Callable[[float, str], None]
SPLITS = ("test", "val", "train")
BATCH = 8


def silent(share: float, message: str) -> None:
    """A progress that nobody watches."""


def make_pairs(
    workspace: Workspace,
    study_id: int,
    *,
    actor: str,
    split: str = "test",
    predicted: str = "",
    progress: Progress = silent,
) -> int:
    """Draw the images of a draft, move each along its arm by the fixed degree and store both sides. Returns how many.

    A pair is kept whether the class flips or not, and says so. Pairs made before are replaced; a stop or an error in
    between leaves them as they were. The same study, seed and data give the same pairs.

    Args:
        split: "test" (default), "val" or "train"; one image a patient is drawn.
        predicted: the class that C must give the image, "" for any but the target (binary: "predicted Healthy").

    Raises:
        StudyRefused: the study is locked, has no run, or too few patients meet the rule.
    """
    with workspace.session() as session:
        study = draft_of(session, study_id)
        protocol = protocol_of(study)
        if not protocol.findings:
            raise StudyRefused("List the findings first: they are fixed before any picture is made.")
        run = session.get(Run, study.run_id) if study.run_id else None
        if run is None:
            raise StudyRefused("This study has no run behind it: create it from a finished run.")
        directions = set(session.scalars(sa.select(Direction.name).where(Direction.run_id == run.id)))
    progress(0.0, "loading the engine")
    try:
        opened = open_engine(workspace, run.id)
    except NothingToExplore as error:
        raise StudyRefused(str(error)) from error
    engine, target = opened.engine, opened.target
    needed = protocol.n_per_arm * (len(protocol.arms) if protocol.allocation == "own patients" else 1)
    drawn = _drawn(workspace, engine, target, run, ImageRule(split, needed, protocol.seed, predicted or None))
    images = {image.id: image for image in drawn}
    plan = assign_pairs(
        [Candidate(image.id, image.patient) for image in images.values()],
        [arm.key for arm in protocol.arms],
        protocol.n_per_arm,
        protocol.allocation,
        np.random.default_rng(protocol.seed),
    )
    selection = {
        "split": split,
        "predicted": predicted or _others(engine, target),
        "target": engine.classifier.class_names[target],
        "seed": protocol.seed,
        "patients": needed,
    }
    pairs: list[Pair] = []
    try:
        for pair in _move(workspace, engine, target, protocol, plan, images, directions):
            pair.meta = {**pair.meta, "selection": selection}
            pairs.append(pair)
            progress(0.2 + 0.8 * len(pairs) / len(plan), f"pair {len(pairs)} of {len(plan)}")
        with workspace.session() as session:
            study = draft_of(session, study_id)
            stale = drop_pairs(session, study)
            order = {(a.arm, a.image_id): i for i, a in enumerate(plan)}
            for pair in sorted(pairs, key=lambda p: order[p.arm, p.image_id]):
                pair.study_id = study_id
                session.add(pair)
                session.flush()
            flipped = sum(pair.flipped for pair in pairs)
            record(
                session, actor, "pairs made", f"study {study_id}", n=len(pairs), flipped=flipped, selection=selection
            )
    except BaseException:
        for pair in pairs:
            workspace.delete(pair.original_key)
            workspace.delete(pair.counterfactual_key)
        raise
    for key in stale:
        workspace.delete(key)
    return len(pairs)


def pair_pixels(
    explanation: Explanation, row: int, image: Image, pixels: Pixels, reference: str, rendering: str
) -> tuple[Pixels, Pixels]:
    """Both sides (original or reconstruction, counterfactual) in the source's own depth, by one and the same step.

    With both transfers the sides are the source's pixels plus a change (none on the original's side), at its own
    size; with plain rendering both are the network's pictures, quantised alike. `pixels` is the stored source.
    """
    if keeps_source(rendering):
        sides = (explanation.source, explanation.counterfactual)
        shape = (image.height, image.width)
        original, moved = (from_unit(crop_back(side[row, 0].numpy(), shape), image, source=pixels) for side in sides)
        return original, moved
    first = explanation.source if reference == "original" else explanation.reconstruction
    original, moved = (_quantise(side[row, 0].numpy(), image) for side in (first, explanation.counterfactual))
    return original, moved


def _quantise(unit: np.ndarray, image: Image) -> Pixels:
    whole = np.clip(np.rint(unit.astype(np.float64) * image.max_value), 0, image.max_value)
    return whole.astype(np.uint8) if image.max_value <= 255 else whole.astype(np.uint16)


def _others(engine: Engine, target: int) -> str:
    return " or ".join(name for i, name in enumerate(engine.classifier.class_names) if i != target)


def _drawn(workspace: Workspace, engine: Engine, target: int, run: Run, rule: ImageRule) -> list[Image]:
    if rule.split not in SPLITS:
        raise StudyRefused(f"There is no split “{rule.split}”: use {', '.join(SPLITS)}.")
    try:
        found = choose_images(workspace, run.dataset_id or 0, engine.classifier, rule, target, silent)
    except ValueError as error:
        raise StudyRefused(str(error)) from error
    if len(found) < rule.n:
        name = rule.predicted or _others(engine, target)
        raise StudyRefused(
            f"{rule.n} patients are needed, {len(found)} in split {rule.split} are predicted {name}: "
            "ask for fewer pairs per arm, choose another split, or import more images."
        )
    return found


def _move(
    workspace: Workspace,
    engine: Engine,
    target: int,
    protocol: Protocol,
    plan: Sequence[Assignment],
    images: Mapping[Any, Image],
    directions: set[str],
) -> Iterator[Pair]:
    from cfcore.classifiers.base import resize

    for arm in protocol.arms:
        own = [images[a.image_id] for a in plan if a.arm == arm.key]
        direction = arm.name if arm.name in directions else None
        if directions and direction is None:
            raise StudyRefused(f"The run has no direction “{arm.name}”: choose the arms again.")
        for group, tensors in batches_of(workspace, own, BATCH):
            moved = engine.move(
                tensors, target, direction=direction, degree=protocol.degree, rendering=protocol.rendering
            )
            if protocol.rendering == "plain" and protocol.reference == "original":
                moved = replace(moved, source=resize(tensors, engine.size))
            for row, image in enumerate(group):
                meta: dict[str, Any] = {
                    "direction": direction,
                    "degree": protocol.degree,
                    "rendering": protocol.rendering,
                    "reference": protocol.reference,
                    "flipped_plain": bool(moved.flipped_plain[row]),
                }
                yield _pair(workspace, arm.key, image, moved, row, meta)


def _pair(workspace: Workspace, arm: str, image: Image, moved: Explanation, row: int, meta: dict[str, Any]) -> Pair:
    pixels = read_pixels(workspace, image)
    original, counterfactual = pair_pixels(moved, row, image, pixels, str(meta["reference"]), str(meta["rendering"]))
    files = encode_png(original), encode_png(counterfactual)
    # The network's own pictures are in the image's window already.
    windowed = keeps_source(meta["rendering"])
    return Pair(
        arm=arm,
        image_id=image.id,
        patient=image.patient,
        original_key=workspace.put(files[0], ".png"),
        counterfactual_key=workspace.put(files[1], ".png"),
        sha256=pair_hash(*files),
        width=original.shape[1],
        height=original.shape[0],
        max_value=image.max_value,
        window_centre=image.window_centre if windowed else None,
        window_width=image.window_width if windowed else None,
        p_source=float(moved.p_source[row]),
        p_reconstruction=float(moved.p_reconstruction[row]),
        p_counterfactual=float(moved.p_counterfactual[row]),
        flipped=bool(moved.flipped[row]),
        meta=meta,
    )


def pair_units(workspace: Workspace, pair: PairView) -> tuple[Gray, Gray]:
    """Both sides of a stored pair as (h, w) float32 in [0, 1] through its window: original, counterfactual."""
    centre, width = pair.window or (None, None)
    shown = Image(max_value=pair.max_value, window_centre=centre, window_width=width)
    first, second = (
        to_unit(decode_png(workspace.get(key)), shown) for key in (pair.original_key, pair.counterfactual_key)
    )
    return first, second


def pair_pictures(workspace: Workspace, pair: PairView, side: int = 512) -> tuple[bytes, bytes, bytes]:
    """Original, counterfactual and signed difference as 8-bit PNG for the screen, at most about `side` pixels.

    Pictures to look at, not evidence: they are windowed to 8 bit and larger sources are averaged down.
    """
    original, moved = pair_units(workspace, pair)
    if max(original.shape) > side:
        pictures = [thumbnail_png(unit, side) for unit in (original, moved)]
    else:
        pictures = [gray_png(unit, side) for unit in (original, moved)]
    change = moved - original
    return pictures[0], pictures[1], difference_png(change, difference_limit(change), side)
