"""Making the pairs of a study: images by rule and seed, moved by the arms' engines, both sides through one pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cfcore.images.encode import decode_png
from cfcore.study.design.choices import OPEN_GATE
from cfcore.study.protocol import Protocol
from cfcore.study.schedule import Assignment, Candidate, assign_pairs
from db.events import record
from db.models import Image, Pair
from services.explore import open_engine
from services.images import Gray, to_unit
from services.permissions import require
from services.pictures import difference_limit, difference_png, gray_png, thumbnail_png
from services.selection import ImageRule
from services.study_design.arms import ArmEngine, arm_engines, pair_pixels
from services.study_design.control_pairs import control_pairs, median_strength, patients_needed
from services.study_design.drafts import draft_of, drop_pairs
from services.study_design.drawing import Drawn, draw_images
from services.study_design.moving import Made, move_gated, move_planned
from services.study_design.planning import write_plan
from services.study_views import PairView, StudyRefused, protocol_of
from services.workspace import Workspace

if TYPE_CHECKING:
    from cfcore.engines.base import Engine

__all__ = ["SPLITS", "make_pairs", "pair_pictures", "pair_pixels", "pair_units", "silent"]

Progress = Callable[[float, str], None]
SPLITS = ("test", "val", "train")
# "As many as there are": a gate may ask for any number before enough have passed.
EVERY = 10**9


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

    Without a gate a pair is kept whether the class flips or not, and says so; with one, what does not pass is counted
    and kept for the report. Controls and training cases get patients of their own. Pairs made before are replaced; a
    stop or an error in between leaves them as they were. The same study, seed and data give the same pairs, and the
    schedule of every planned reader follows at once.

    Args:
        split: "test" (default), "val" or "train"; one image a patient is drawn.
        predicted: the class that C must give the image, "" for any but the target (binary: "predicted Healthy").

    Raises:
        StudyRefused: the study is locked, an arm's run cannot be used, or too few patients meet the rule or pass.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        protocol, run_id = protocol_of(study), study.run_id
    if not protocol.findings:
        raise StudyRefused("List the findings first: they are fixed before any picture is made.")
    if not protocol.arms:
        raise StudyRefused("The study has no arm: choose at least one eigenvector or method.")
    progress(0.0, "loading the engine")
    arms = arm_engines(workspace, protocol, run_id, open_engine)
    first = next(iter(arms.values()))
    drawn = _drawn(workspace, first, protocol, split, predicted)
    rule = predicted or _others(first.engine, first.target)
    selection = {
        "split": split,
        "predicted": rule,
        "target": first.engine.classifier.class_names[first.target],
        "seed": protocol.seed,
        "patients": _main_patients(protocol),
    }
    made = Made()
    total = _pairs_in_all(protocol)
    try:
        for pair in _every_pair(workspace, protocol, arms, drawn, made):
            pair.meta = {**pair.meta, "selection": selection}
            progress(0.2 + 0.8 * min(1.0, len(made.pairs) / total), f"pair {len(made.pairs)} of {total}")
        flow = _flow(protocol, drawn, made, split, rule)
        with workspace.session() as session:
            study = draft_of(session, study_id)
            stale = drop_pairs(session, study)
            order = {key: i for i, key in enumerate((*arms, *(c.kind for c in protocol.controls), "training"))}
            for pair in sorted(made.pairs, key=lambda pair: order[pair.arm]):
                pair.study_id = study_id
                session.add(pair)
                session.flush()
            for excluded in made.excluded:
                excluded.study_id = study_id
                session.add(excluded)
            study.flow = flow
            session.flush()
            session.expire(study, ["pairs"])
            write_plan(session, study)
            flipped = sum(pair.flipped for pair in made.pairs)
            record(
                session, actor, "pairs made", f"study {study_id}", n=len(made.pairs), flipped=flipped,
                selection=selection, excluded=len(made.excluded),
            )  # fmt: skip
    except BaseException:
        made.undo(workspace)
        raise
    for key in stale:
        workspace.delete(key)
    if protocol.training:
        # Not above: measuring the phantom needs pairs that are stored, and imports this module.
        from services.study_design.phantom_training import take_phantom_answers

        progress(1.0, "measuring practice cases")
        take_phantom_answers(workspace, study_id, actor=actor)
    return len(made.pairs)


def _others(engine: Engine, target: int) -> str:
    return " or ".join(name for i, name in enumerate(engine.classifier.class_names) if i != target)


def _main_patients(protocol: Protocol) -> int:
    return protocol.n_per_arm * (1 if protocol.allocation == "same patients" else len(protocol.arms))


def _pairs_in_all(protocol: Protocol) -> int:
    counted = _main_patients(protocol) * (1 if protocol.allocation == "own patients" else len(protocol.arms))
    return counted + sum(c.n for c in protocol.controls) + (protocol.training.n if protocol.training else 0)


def _drawn(workspace: Workspace, arm: ArmEngine, protocol: Protocol, split: str, predicted: str) -> Drawn:
    if split not in SPLITS:
        raise StudyRefused(f"There is no split “{split}”: use {', '.join(SPLITS)}.")
    needed = _main_patients(protocol) + patients_needed(protocol.controls)
    needed += protocol.training.n if protocol.training else 0
    rule = ImageRule(split, needed if protocol.gate == OPEN_GATE else EVERY, protocol.seed, predicted or None)
    try:
        found = draw_images(workspace, arm.run.dataset_id or 0, arm.engine.classifier, rule, arm.target, silent)
    except ValueError as error:
        raise StudyRefused(str(error)) from error
    name = predicted or _others(arm.engine, arm.target)
    if not found.images:
        raise StudyRefused(
            f"the split {split!r} has {found.patients} patients and the classifier calls none of them {name}; choose "
            "another split, another class or another data set"
        )
    if len(found.images) < needed:
        raise StudyRefused(
            f"{needed} patients are needed, {len(found.images)} in split {split} are predicted {name}: "
            "ask for fewer pairs per arm, choose another split, or import more images."
        )
    return found


def _every_pair(
    workspace: Workspace, protocol: Protocol, arms: dict[str, ArmEngine], drawn: Drawn, made: Made
) -> Iterator[Pair]:
    """Counted pairs, then controls, then training, each patient in one of them."""
    main = _main_patients(protocol)
    images: dict[Any, Image] = {image.id: image for image in drawn.images}
    if protocol.gate == OPEN_GATE:
        plan = assign_pairs(
            [Candidate(image.id, image.patient) for image in drawn.images[:main]],
            list(arms),
            protocol.n_per_arm,
            protocol.allocation,
            np.random.default_rng(protocol.seed),
        )
        rest = list(drawn.images[main:])
        yield from move_planned(workspace, protocol, arms, plan, images, made)
    else:
        rest = list(drawn.images)
        yield from _gated_pairs(workspace, protocol, arms, rest, made)
    n_controls = patients_needed(protocol.controls)
    n_training = protocol.training.n if protocol.training else 0
    if len(rest) < n_controls + n_training:
        raise StudyRefused(
            f"{n_controls + n_training} patients are needed for controls and training, {len(rest)} are left: ask for "
            "fewer of them, or import more images."
        )
    if protocol.controls:
        strength = median_strength(workspace, made.pairs)
        first = next(iter(arms.values()))
        yield from control_pairs(workspace, protocol.controls, first, rest[:n_controls], strength, made)
    yield from _training(workspace, protocol, arms, rest[n_controls : n_controls + n_training], made)


def _gated_pairs(
    workspace: Workspace, protocol: Protocol, arms: dict[str, ArmEngine], pool: list[Image], made: Made
) -> Iterator[Pair]:
    # Arms with patients of their own pass the gate one by one; common patients must pass under every arm.
    own = protocol.allocation == "own patients"
    groups = [{key: arm} for key, arm in arms.items()] if own else [arms]
    needed = protocol.n_per_arm if own else _main_patients(protocol)
    for group in groups:
        before = len(made.pairs)
        yield from move_gated(workspace, protocol, group, pool, needed, made)
        passed = (len(made.pairs) - before) // len(group)
        if passed < needed:
            reasons = Counter(pair.reason for pair in made.excluded)
            told = ", ".join(f"{n} because {reason}" for reason, n in reasons.items())
            names = ", ".join(f"“{arm.arm.name}”" for arm in group.values())
            raise StudyRefused(
                f"Only {passed} of {needed} patients passed the gate under {names}, and no image is left; kept back: "
                f"{told}. Open the gate wider, ask for fewer pairs, or import more images."
            )


def _training(
    workspace: Workspace, protocol: Protocol, arms: dict[str, ArmEngine], images: Sequence[Image], made: Made
) -> Iterator[Pair]:
    if not images:
        return
    keys = list(arms)
    plan = [Assignment(keys[i % len(keys)], image.id, image.patient) for i, image in enumerate(images)]
    known: dict[Any, Image] = {image.id: image for image in images}
    yield from move_planned(workspace, protocol, arms, plan, known, made, kind="training")


def _flow(protocol: Protocol, drawn: Drawn, made: Made, split: str, predicted: str) -> dict[str, Any]:
    """The counts behind the flow diagram (`cfcore.study.design.gate.flow_boxes`)."""
    own = Counter(pair.arm for pair in made.pairs)
    reasons = Counter(pair.reason for pair in made.excluded)
    passed = len({pair.patient for pair in made.pairs if pair.kind == "counterfactual"})
    moved = passed + len(made.excluded)
    extra = patients_needed(protocol.controls) + (protocol.training.n if protocol.training else 0)
    return {
        "split": split,
        "predicted": predicted,
        "patients": drawn.patients,
        "examined": drawn.examined,
        "other_class": drawn.other_class,
        "spare": len(drawn.images) - moved - extra,
        "apart": extra,
        "moved": moved,
        "excluded": dict(reasons),
        "arms": {arm.key: own[arm.key] for arm in protocol.arms},
        "controls": {control.kind: own[control.kind] for control in protocol.controls},
        "training": own["training"],
    }


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
