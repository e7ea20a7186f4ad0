"""What a schedule came out as: arms by sides and places, readers per case, how often a reader meets a patient."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cfcore.study.design.planning import PlanPair
from cfcore.study.schedule import Id, Trial

FIRST = ("counted", "control")


@dataclass(frozen=True)
class ArmBalance:
    """One arm (or control) over all readers. sides: first readings with the original on A and on B. thirds: first
    readings in the first, middle and last third of their reader's cases. widest: largest difference between A and B
    of a single reader. place: mean place in the order, 0 (first) to 1 (last)."""

    arm: str
    pairs: int
    sides: tuple[int, int]
    widest: int
    thirds: tuple[int, int, int]
    place: float
    repeats: int
    guesses: int


@dataclass(frozen=True)
class Balance:
    """The balance table of a study's schedule. readers_per_case, cases_per_reader and common_cases (of two readers):
    least and most. exposures: most often that a reader meets one patient, second readings and guesses apart."""

    arms: tuple[ArmBalance, ...]
    readers: int
    readers_per_case: tuple[int, int]
    cases_per_reader: tuple[int, int]
    common_cases: tuple[int, int]
    exposures: int


def exposures(trials: Sequence[Trial], patients: Mapping[Id, Sequence[Id]]) -> Counter[Id]:
    """How often a reader meets each patient in first readings, controls and training. patients: pair -> its one or
    two patients."""
    seen = [t for t in trials if t.purpose in (*FIRST, "training")]
    return Counter(patient for trial in seen for patient in dict.fromkeys(patients[trial.pair_id]))


def balance(schedules: Mapping[int, Sequence[Trial]], pairs: Sequence[PlanPair], arms: Sequence[str]) -> Balance:
    """The balance table. schedules: slot -> trials. arms: keys of arms and controls in the order of the table."""
    known = {pair.id: pair for pair in pairs}
    first = {slot: [t for t in trials if t.purpose in FIRST] for slot, trials in schedules.items()}
    counted = {slot: {t.pair_id for t in trials if t.purpose == "counted"} for slot, trials in schedules.items()}
    per_case = Counter(pair for cases in counted.values() for pair in cases)
    for pair in pairs:
        if pair.kind == "counterfactual" and schedules:
            per_case.setdefault(pair.id, 0)
    common = [len(a & b) for a, b in itertools.combinations(counted.values(), 2)]
    patients = {p.id: (p.patient,) if p.other is None else (p.patient, p.other) for p in pairs}
    met = [max(exposures(trials, patients).values(), default=0) for trials in schedules.values()]
    return Balance(
        arms=tuple(_arm(arm, schedules, first, known) for arm in arms),
        readers=len(schedules),
        readers_per_case=_range(list(per_case.values())),
        cases_per_reader=_range([len(cases) for cases in counted.values()]),
        common_cases=_range(common),
        exposures=max(met, default=0),
    )


def _range(values: Sequence[int]) -> tuple[int, int]:
    return (min(values), max(values)) if values else (0, 0)


def _arm(
    arm: str,
    schedules: Mapping[int, Sequence[Trial]],
    first: Mapping[int, Sequence[Trial]],
    known: Mapping[Id, PlanPair],
) -> ArmBalance:
    sides, thirds, widest, places = [0, 0], [0, 0, 0], 0, []
    for trials in first.values():
        own = [(i, trial) for i, trial in enumerate(trials) if known[trial.pair_id].arm == arm]
        on_a = sum(trial.original_side == "A" for _, trial in own)
        sides[0] += on_a
        sides[1] += len(own) - on_a
        widest = max(widest, abs(2 * on_a - len(own)))
        for i, _ in own:
            thirds[3 * i // len(trials)] += 1
            places.append(i / max(1, len(trials) - 1))
    every = [trial for trials in schedules.values() for trial in trials if known[trial.pair_id].arm == arm]
    return ArmBalance(
        arm=arm,
        pairs=sum(pair.arm == arm for pair in known.values()),
        sides=(sides[0], sides[1]),
        widest=widest,
        thirds=(thirds[0], thirds[1], thirds[2]),
        place=sum(places) / len(places) if places else 0.0,
        repeats=sum(trial.purpose == "repeat" for trial in every),
        guesses=sum(trial.purpose == "guess" for trial in every),
    )
