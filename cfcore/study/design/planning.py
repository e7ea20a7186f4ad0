"""The schedule of every reader, computed once from the study's seed: who reads which pair, when, on which side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cfcore.study.design.blocks import incomplete_blocks
from cfcore.study.design.choices import DEFAULT_DESIGN
from cfcore.study.design.latin import group_of, rotated_arm, williams
from cfcore.study.design.orders import arm_after_arm, permuted_blocks, spread_patients
from cfcore.study.design.repeats import even_draw, place_repeats
from cfcore.study.protocol import Protocol
from cfcore.study.schedule import (
    Id,
    Purpose,
    Side,
    Trial,
    balanced_sides,
    make_schedule,
    mixed_order,
    reader_rng,
)

# Apart from the readers' own streams: the lot that gives cases to readers in incomplete blocks.
_BLOCKS = 0xB10C


@dataclass(frozen=True)
class PlanPair:
    """What the schedule must know of a pair. kind: "counterfactual", "training" or a control's kind; block: the
    patient's group where patients are rotated over the arms; other: the second image's patient, if another."""

    id: Id
    arm: str
    patient: Id
    kind: str = "counterfactual"
    block: int | None = None
    other: Id | None = None


def is_plain(protocol: Protocol) -> bool:
    """Whether the schedule needs no more than an order and sides: the first release's way, with its very lots."""
    return not (
        protocol.controls
        or protocol.repeats
        or protocol.training
        or protocol.guess_share
        or protocol.single_share
        or protocol.allocation == "rotated patients"
        or protocol.design.order != DEFAULT_DESIGN.order
        or protocol.design.cases != DEFAULT_DESIGN.cases
    )


def _label(slot: int) -> str:
    return f"R{slot}"


def _own_cases(pairs: Sequence[PlanPair], protocol: Protocol, slot: int) -> list[PlanPair]:
    """The counted pairs that the reader of a slot reads."""
    main = [pair for pair in pairs if pair.kind == "counterfactual"]
    arms = [arm.key for arm in protocol.arms]
    if protocol.allocation == "rotated patients":
        group = group_of(slot, len(arms))
        return [p for p in main if p.block is not None and p.arm == arms[rotated_arm(p.block, group, len(arms))]]
    design = protocol.design
    if design.cases == "blocks":
        if not 1 <= slot <= design.readers:
            raise ValueError(
                f"{design.readers} readers are planned and each case has its {design.readers_per_case} readers: a "
                "further reader has no cases. Let a replacement take over, or amend the study."
            )
        rng = np.random.default_rng([protocol.seed, _BLOCKS])
        groups = {arm: [p.id for p in main if p.arm == arm] for arm in arms}
        teams = incomplete_blocks(groups, design.readers, design.readers_per_case, rng)
        return [pair for pair in main if slot - 1 in teams[pair.id]]
    return main


def _first_readings(
    cases: Sequence[PlanPair], protocol: Protocol, slot: int, rng: np.random.Generator
) -> list[Id | tuple[str, Id]]:
    """Cases and controls in order; ("series", last pair of the arm) where questions are asked after an arm."""
    arms = [arm.key for arm in protocol.arms]
    ids: dict[str, list[Id]] = {}
    for pair in cases:
        ids.setdefault(pair.arm, []).append(pair.id)
    patients: dict[Any, Id] = {pair.id: pair.patient for pair in cases}
    if protocol.design.order == "permuted blocks":
        return [*spread_patients(permuted_blocks(ids, rng), patients)]
    if protocol.design.order == "Latin square":
        rows = williams(len(arms))
        row = [arms[i] for i in rows[(slot - 1) % len(rows)]]
        others = [pair.id for pair in cases if pair.arm not in arms]
        asked = any(question.ask == "series" for question in protocol.questions)
        order: list[Id | tuple[str, Id]] = []
        for arm, series in zip(row, arm_after_arm(ids, row, others, rng), strict=True):
            order += spread_patients(series, patients)
            if asked and ids.get(arm):
                order.append(("series", ids[arm][-1]))
        return order
    return [*mixed_order([pair.id for pair in cases], patients, rng)]


def plan_reader(pairs: Sequence[PlanPair], protocol: Protocol, slot: int) -> list[Trial]:
    """All trials of the reader with schedule `slot` (from 1), a function of protocol, pairs and slot alone.

    Training comes first, then single images (before a pair has told what to look for), then counted cases, controls
    and second readings, then the pairs to guess. Sides are balanced within each arm for this reader, apart for first
    readings, second readings, single images and guesses. With washout days second readings stand behind all first
    ones. Raises ValueError where repeats find no room or the slot has no cases.
    """
    # The lots fall on the set of pairs, not on the order in which they come.
    pairs = sorted(pairs, key=lambda pair: (type(pair.id).__name__, str(pair.id)))
    own = _own_cases(pairs, protocol, slot)
    if is_plain(protocol):
        return make_schedule(
            [p.id for p in own], _label(slot), protocol.seed, {p.id: p.arm for p in own}, {p.id: p.patient for p in own}
        )
    rng = reader_rng(_label(slot), protocol.seed)
    known = {pair.id: pair for pair in pairs}
    arms = {pair.id: pair.arm for pair in pairs}
    controls = [pair for pair in pairs if pair.kind not in ("counterfactual", "training")]
    sides = balanced_sides([p.id for p in (*own, *controls)], arms, rng)
    order = _first_readings([*own, *controls], protocol, slot, rng)
    groups = {arm.key: [p.id for p in own if p.arm == arm.key] for arm in protocol.arms}
    trials: list[tuple[Id, Side, Purpose]] = []

    training = [pair.id for pair in pairs if pair.kind == "training"]
    training_sides = balanced_sides(training, arms, rng)
    trials += [(training[i], training_sides[training[i]], "training") for i in rng.permutation(len(training))]

    if protocol.single_share:
        singles = even_draw(groups, math.ceil(protocol.single_share * len(own)), rng)
        alone = balanced_sides(singles, arms, rng)
        trials += [(singles[i], alone[singles[i]], "single") for i in rng.permutation(len(singles))]

    again = _with_repeats(order, groups, protocol, rng)
    second = balanced_sides([c for c, repeated in again if repeated and not isinstance(c, tuple)], arms, rng)
    for case, repeated in again:
        if isinstance(case, tuple):
            trials.append((case[1], "A", "series"))
        elif repeated:
            trials.append((case, second[case], "repeat"))
        else:
            trials.append((case, sides[case], "counted" if known[case].kind == "counterfactual" else "control"))

    guesses = even_draw(groups, math.ceil(protocol.guess_share * len(own)), rng)
    guess_sides = balanced_sides(guesses, arms, rng)
    trials += [(pair, guess_sides[pair], "guess") for pair in guesses]
    return [Trial(i, pair, side, purpose) for i, (pair, side, purpose) in enumerate(trials)]


def _with_repeats(
    order: Sequence[Id | tuple[str, Id]],
    groups: Mapping[str, Sequence[Id]],
    protocol: Protocol,
    rng: np.random.Generator,
) -> list[tuple[Id | tuple[str, Id], bool]]:
    repeats = protocol.repeats
    if repeats is None:
        return [(case, False) for case in order]
    if not repeats.washout_days:
        return place_repeats(order, groups, repeats.n, repeats.min_distance, rng)  # type: ignore[arg-type]
    chosen = even_draw(groups, repeats.n, rng)
    if len(chosen) < repeats.n:
        raise ValueError(f"{repeats.n} repeats of {len(chosen)} cases: ask for fewer repeats.")
    return [(case, False) for case in order] + [(chosen[i], True) for i in rng.permutation(len(chosen))]


def plan_study(pairs: Sequence[PlanPair], protocol: Protocol) -> dict[int, list[Trial]]:
    """Slot (from 1) -> trials, for every planned reader; empty where readers are not planned."""
    return {slot: plan_reader(pairs, protocol, slot) for slot in range(1, protocol.design.readers + 1)}
