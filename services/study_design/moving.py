"""Drawing the pictures of a study's arms and keeping those that pass the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cfcore.images.encode import encode_png
from cfcore.images.image import Pixels
from cfcore.rendering import keeps_source
from cfcore.study.design.gate import judge, structural_similarity
from cfcore.study.protocol import Protocol
from cfcore.study.schedule import Assignment
from db.models import ExcludedPair, Image, Pair
from services.images import batches_of, read_pixels
from services.study_design.arms import ArmEngine, pair_pixels, quantised
from services.workspace import Workspace, sha256

if TYPE_CHECKING:
    from torch import Tensor

    from cfcore.engines.base import Explanation

BATCH = 8
# Pictures of this many exclusions are kept for the report; all of them are counted.
KEPT_EXCLUSIONS = 60


def pair_hash(original: bytes, counterfactual: bytes) -> str:
    """SHA-256 of both stored files, original first."""
    return sha256(original + counterfactual)


@dataclass
class Made:
    """Pairs and exclusions on their way into the database, and every file that was written for them."""

    pairs: list[Pair] = field(default_factory=list)
    excluded: list[ExcludedPair] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def put(self, workspace: Workspace, data: bytes) -> str:
        key = workspace.put(data, ".png")
        self.files.append(key)
        return key

    def undo(self, workspace: Workspace) -> None:
        """Remove the files again: the pairs never reached the database."""
        for key in self.files:
            workspace.delete(key)


@dataclass(frozen=True)
class _Moved:
    """One image under one arm, before anything is stored."""

    arm: ArmEngine
    image: Image
    explanation: Explanation
    row: int
    ssim: float
    reason: str | None


def move_planned(
    workspace: Workspace,
    protocol: Protocol,
    arms: Mapping[str, ArmEngine],
    plan: Sequence[Assignment],
    images: Mapping[Any, Image],
    made: Made,
    kind: str = "counterfactual",
) -> Iterator[Pair]:
    """Every assignment of a plan, arm by arm, gate or no gate; yields each pair as it is stored."""
    blocks = {(a.arm, a.image_id): a.block for a in plan}
    for key, arm in arms.items():
        own = [images[a.image_id] for a in plan if a.arm == key]
        for moved in _moves(workspace, protocol, arm, own):
            yield _stored(workspace, moved, made, kind, blocks[key, moved.image.id])


def move_gated(
    workspace: Workspace,
    protocol: Protocol,
    arms: Mapping[str, ArmEngine],
    pool: list[Image],
    needed: int,
    made: Made,
) -> Iterator[Pair]:
    """Images from the front of `pool` through the gate until `needed` have passed, under all `arms` at once.

    What was tried leaves the pool. An image that fails under one arm is left out of all of them, and noted under the
    first arm that it failed. Yields each pair as it is stored; fewer than `needed` per arm where the pool ends first.
    """
    passed = 0
    while passed < needed and pool:
        chunk = pool[: min(BATCH, needed - passed)]
        del pool[: len(chunk)]
        found: dict[int, list[_Moved]] = {image.id: [] for image in chunk}
        for arm in arms.values():
            for moved in _moves(workspace, protocol, arm, chunk):
                found[moved.image.id].append(moved)
        for moves in found.values():
            failed = next((moved for moved in moves if moved.reason), None)
            if failed is not None:
                made.excluded.append(_excluded(workspace, failed, made))
                continue
            block = passed // protocol.n_per_arm if protocol.allocation == "rotated patients" else None
            for moved in moves:
                yield _stored(workspace, moved, made, "counterfactual", block)
            passed += 1


def _moves(workspace: Workspace, protocol: Protocol, arm: ArmEngine, images: Sequence[Image]) -> Iterator[_Moved]:
    for group, tensors in batches_of(workspace, images, BATCH):
        explanation = arm.move(tensors)
        same, ssim = _faithful(arm, tensors, explanation)
        for row, image in enumerate(group):
            reason = judge(protocol.gate, same_class=same[row], ssim=ssim[row], flipped=bool(explanation.flipped[row]))
            yield _Moved(arm, image, explanation, row, ssim[row], reason)


def _faithful(arm: ArmEngine, tensors: Tensor, explanation: Explanation) -> tuple[list[bool], list[float]]:
    """Per image: whether C calls the reconstruction what it calls the original, and how alike they are (SSIM)."""
    from cfcore.classifiers.base import is_class, resize

    logits = [arm.engine.judge(pictures) for pictures in (tensors, explanation.reconstruction.to(tensors))]
    if logits[0].shape[1] > 1:
        same = (logits[0].argmax(dim=1) == logits[1].argmax(dim=1)).tolist()
    else:
        same = (is_class(logits[0], arm.target) == is_class(logits[1], arm.target)).tolist()
    small = resize(tensors, arm.engine.size)
    rows = zip(small[:, 0].numpy(), explanation.reconstruction[:, 0].numpy(), strict=True)
    return same, [structural_similarity(source, drawn) for source, drawn in rows]


def _stored(workspace: Workspace, moved: _Moved, made: Made, kind: str, block: int | None) -> Pair:
    arm, explanation, row = moved.arm, moved.explanation, moved.row
    meta: dict[str, Any] = {
        "direction": arm.direction,
        "degree": arm.degree,
        "rendering": arm.rendering,
        "reference": arm.reference,
        "flipped_plain": bool(explanation.flipped_plain[row]),
        "run": arm.run.id,
        "ssim": round(moved.ssim, 4),
    }
    if block is not None:
        meta["block"] = block
    if kind == "training":
        meta["arm"] = arm.arm.key
    pixels = read_pixels(workspace, moved.image)
    sides = pair_pixels(explanation, row, moved.image, pixels, arm.reference, arm.rendering)
    probabilities = (explanation.p_source, explanation.p_reconstruction, explanation.p_counterfactual)
    pair = new_pair(
        workspace,
        made,
        "training" if kind == "training" else arm.arm.key,
        moved.image,
        sides,
        tuple(float(p[row]) for p in probabilities),
        windowed=keeps_source(arm.rendering),
        meta=meta,
        kind=kind,
    )
    pair.flipped = bool(explanation.flipped[row])
    return pair


def new_pair(
    workspace: Workspace,
    made: Made,
    arm: str,
    image: Image,
    sides: tuple[Pixels, Pixels],
    probabilities: tuple[float, ...],
    *,
    windowed: bool,
    meta: dict[str, Any],
    kind: str,
) -> Pair:
    """A pair with both files stored. windowed: the sides are pixels of the source, to be seen through its window; the
    network's own pictures are in that window already."""
    files = encode_png(sides[0]), encode_png(sides[1])
    pair = Pair(
        arm=arm,
        image_id=image.id,
        patient=image.patient,
        original_key=made.put(workspace, files[0]),
        counterfactual_key=made.put(workspace, files[1]),
        sha256=pair_hash(*files),
        width=sides[0].shape[1],
        height=sides[0].shape[0],
        max_value=image.max_value,
        window_centre=image.window_centre if windowed else None,
        window_width=image.window_width if windowed else None,
        p_source=probabilities[0],
        p_reconstruction=probabilities[1],
        p_counterfactual=probabilities[2],
        flipped=False,
        meta=meta,
        kind=kind,
    )
    made.pairs.append(pair)
    return pair


def _excluded(workspace: Workspace, moved: _Moved, made: Made) -> ExcludedPair:
    from cfcore.classifiers.base import resize

    explanation, row = moved.explanation, moved.row
    keys = ["", ""]
    if len(made.excluded) < KEPT_EXCLUSIONS:
        for _, tensor in batches_of(workspace, [moved.image], 1):
            small = resize(tensor, moved.arm.engine.size)[0, 0].numpy()
            pictures = (small, explanation.reconstruction[row, 0].numpy())
            keys = [made.put(workspace, encode_png(quantised(picture, moved.image))) for picture in pictures]
    return ExcludedPair(
        arm=moved.arm.arm.key,
        image_id=moved.image.id,
        reason=moved.reason or "",
        p_source=float(explanation.p_source[row]),
        p_reconstruction=float(explanation.p_reconstruction[row]),
        p_counterfactual=float(explanation.p_counterfactual[row]),
        ssim=moved.ssim,
        original_key=keys[0],
        reconstruction_key=keys[1],
    )
