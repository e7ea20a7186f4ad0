"""What a protocol fixes about controls, repeats, training, the gate and the schedule, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

ControlKind = Literal["identical", "reconstruction", "filter", "patients"]
Flips = Literal["any", "yes", "no"]
Cases = Literal["all", "blocks"]
Order = Literal["random", "permuted blocks", "Latin square"]

# What researchers read; readers never see a control's name.
CONTROL_NAMES: Mapping[ControlKind, str] = {
    "identical": "Identical images",
    "reconstruction": "Original against reconstruction",
    "filter": "Original against a plain filter",
    "patients": "Two different patients",
}


@dataclass(frozen=True)
class Control:
    """A control arm of `n` pairs with patients of its own.

    kind: "identical" (the same image twice: any one-sided finding is a false alarm), "reconstruction" (what the
    method changes without being asked to), "filter" (blur or contrast, as strong as the median counterfactual in
    mean absolute difference), "patients" (the images of two different people).
    """

    kind: ControlKind
    n: int = 5

    @property
    def name(self) -> str:
        return CONTROL_NAMES.get(self.kind, self.kind)


@dataclass(frozen=True)
class Repeats:
    """`n` pairs that each reader reads twice: at least `min_distance` cases later, and not before `washout_days` days
    after the first reading. The second reading draws its sides anew and enters no prevalence."""

    n: int = 5
    min_distance: int = 20
    washout_days: int = 0


@dataclass(frozen=True)
class Training:
    """`n` cases with feedback before the first counted one; `pass_mark`: share of right answers needed, in [0, 1]."""

    n: int = 3
    pass_mark: float = 0.8


@dataclass(frozen=True)
class Gate:
    """What a picture must meet before a reader sees it.

    same_class: the classifier calls reconstruction and original alike. ssim_floor: least structural similarity of
    original and reconstruction, in [0, 1] (0: none). flipped: whether the class must flip ("yes"), must not ("no"),
    or may ("any").
    """

    same_class: bool = False
    ssim_floor: float = 0.0
    flipped: Flips = "any"


@dataclass(frozen=True)
class Design:
    """Who reads what in which order.

    readers: schedules planned before the lock (0: each is drawn when its reader is invited). cases: "all" for every
    reader, or "blocks": each case is read by `readers_per_case` of the readers. order: "random"; "permuted blocks"
    (every arm once in each run of cases); "Latin square" (one arm after the other, the order of arms balanced over
    readers by Williams' design).
    """

    readers: int = 0
    cases: Cases = "all"
    readers_per_case: int = 0
    order: Order = "random"


OPEN_GATE = Gate()
DEFAULT_DESIGN = Design()


def _control_problems(controls: Sequence[Control]) -> list[str]:
    problems = []
    kinds = [control.kind for control in controls]
    for kind in dict.fromkeys(kinds):
        if kind not in get_args(ControlKind):
            problems.append(f"There is no control “{kind}”: use {', '.join(get_args(ControlKind))}.")
        elif kinds.count(kind) > 1:
            problems.append(f"The control “{CONTROL_NAMES[kind]}” is listed twice: list it once.")
    problems += [
        f"The control “{c.name}” has {c.n} pairs, an arm without cases: give it at least 1 or leave it out."
        for c in controls
        if c.n < 1
    ]
    return problems


def _repeat_problems(repeats: Repeats | None, n_pairs: int) -> list[str]:
    if repeats is None:
        return []
    problems = []
    if repeats.n < 1:
        problems.append(f"{repeats.n} repeats: ask for at least 1, or for none at all.")
    if repeats.min_distance < 1:
        problems.append(f"A repeat at a distance of {repeats.min_distance} cases: use 1 or more (20 is usual).")
    if repeats.washout_days < 0:
        problems.append(f"A washout of {repeats.washout_days} days: use 0 or more.")
    # The pair at place p comes again at place p + distance or later, so the first n places must leave that room.
    room = max(0, n_pairs - repeats.min_distance + 1)
    if not problems and not repeats.washout_days and repeats.n > room:
        problems.append(
            f"{repeats.n} repeats at a distance of {repeats.min_distance} cases do not fit into {n_pairs} cases "
            f"(room for {room}): ask for fewer, for a shorter distance, or for washout days."
        )
    return problems


def _training_problems(training: Training | None) -> list[str]:
    if training is None:
        return []
    problems = []
    if training.n < 1:
        problems.append(f"{training.n} training cases: ask for at least 1, or for no training.")
    if not 0 <= training.pass_mark <= 1:
        problems.append(f"The pass mark is {training.pass_mark}: use a share from 0 to 1.")
    return problems


def _gate_problems(gate: Gate) -> list[str]:
    problems = []
    if not (math.isfinite(gate.ssim_floor) and 0 <= gate.ssim_floor < 1):
        problems.append(f"The floor of structural similarity is {gate.ssim_floor}: use 0 (none) to 0.99.")
    if gate.flipped not in get_args(Flips):
        problems.append(f"The gate's flip rule “{gate.flipped}” is unknown: use any, yes or no.")
    return problems


def _design_problems(design: Design, allocation: str, n_arms: int, has_series: bool) -> list[str]:
    problems = []
    if design.readers < 0:
        problems.append(f"{design.readers} readers planned: use 0 (drawn at invitation) or more.")
    if design.cases not in get_args(Cases):
        problems.append(f"“{design.cases}” does not say who reads what: use all or blocks.")
    if design.order not in get_args(Order):
        problems.append(f"The order “{design.order}” is unknown: use {', '.join(get_args(Order))}.")
    if design.cases == "blocks":
        if not 1 <= design.readers_per_case <= max(design.readers, 0):
            problems.append(
                f"{design.readers_per_case} readers per case of {design.readers} planned ones: plan the readers and "
                "let 1 or more of them read each case (2 or more for agreement)."
            )
        if allocation == "rotated patients":
            problems.append("Incomplete blocks and rotated patients cannot be combined: choose one of them.")
    elif design.readers_per_case:
        problems.append("Readers per case belong to incomplete blocks: set them to 0 where every reader reads all.")
    if allocation == "rotated patients":
        if n_arms < 2:
            problems.append("Patients are rotated over arms, and there is one arm only: use own patients.")
        if design.readers < n_arms:
            problems.append(
                f"Patients rotated over {n_arms} arms need at least {n_arms} planned readers, one for each group "
                f"(twice as many for agreement): {design.readers} are planned."
            )
    if has_series and design.order != "Latin square":
        problems.append("A question asked once per arm needs the arms one after the other: choose the Latin square.")
    return problems


def design_problems(protocol: Any) -> list[str]:
    """What is wrong with a `Protocol`'s controls, repeats, training, gate and schedule, a sentence each."""
    n_arms = len(protocol.arms)
    n_pairs = n_arms * protocol.n_per_arm
    if protocol.design.cases == "blocks" and protocol.design.readers > 0:
        n_pairs = n_pairs * protocol.design.readers_per_case // protocol.design.readers
    n_pairs += sum(max(0, c.n) for c in protocol.controls)
    problems = _control_problems(protocol.controls)
    arms = {arm.key for arm in protocol.arms}
    problems += [
        f"An arm has the key “{c.kind}”, which belongs to a control: rename the arm."
        for c in protocol.controls
        if c.kind in arms
    ]
    problems += _repeat_problems(protocol.repeats, n_pairs)
    problems += _training_problems(protocol.training)
    problems += _gate_problems(protocol.gate)
    has_series = any(getattr(question, "ask", "case") == "series" for question in getattr(protocol, "questions", ()))
    problems += _design_problems(protocol.design, protocol.allocation, n_arms, has_series)
    if not 0 <= protocol.single_share <= 1:
        problems.append(f"The share of single images is {protocol.single_share}: use 0 (none) to 1.")
    if not 0 <= protocol.guess_share <= 1:
        problems.append(f"The share of pairs to guess is {protocol.guess_share}: use 0 to 1 (0.1 is usual).")
    return problems


def choices_from(data: Mapping[str, Any]) -> dict[str, Any]:
    """The design's fields of a protocol's JSON as dataclasses; fields that are absent stay absent.

    Raises TypeError for an unknown field of one of them.
    """
    found: dict[str, Any] = {}
    if "controls" in data:
        found["controls"] = tuple(Control(**item) for item in data["controls"])
    single = {"repeats": Repeats, "training": Training, "gate": Gate, "design": Design}
    for name, kind in single.items():
        if data.get(name) is not None:
            found[name] = kind(**data[name])
    return found
