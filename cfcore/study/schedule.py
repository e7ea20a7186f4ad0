"""Who sees what, when, on which side: selection, allocation to arms and each reader's schedule."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cfcore.study.protocol import Allocation

Id = str | int
Side = Literal["A", "B"]
Purpose = Literal["counted", "repeat", "control", "training", "guess", "series", "single"]


@dataclass(frozen=True)
class Candidate:
    """An image that meets the study's rule; `patient` is its pseudonym."""

    image_id: Id
    patient: Id


@dataclass(frozen=True)
class Assignment:
    """One original/counterfactual pair of the study: this image under this arm. `block`: the patient's group, where
    patients are rotated over the arms."""

    arm: str
    image_id: Id
    patient: Id
    block: int | None = None


@dataclass(frozen=True)
class Trial:
    """One reading of one pair by one reader: position from 0, and the side on which the original stands.

    purpose: "counted"; "repeat" (a second reading), "control", "training" and "guess" (which side is the generated
    one?) enter no prevalence; "series" asks about an arm after its last case; "single" shows one image alone, the
    original where `original_side` is "A", else the counterfactual.
    """

    position: int
    pair_id: Id
    original_side: Side
    purpose: Purpose = "counted"


def _by_text(value: Hashable) -> tuple[str, str]:
    return type(value).__name__, str(value)


def select_images(candidates: Sequence[Candidate], n: int, rng: np.random.Generator) -> list[Candidate]:
    """Draw `n` patients at random and one image of each, so that the patient is the unit.

    The draw depends on the set of candidates and on `rng`, not on the order in which they come.
    Raises ValueError where fewer than `n` patients are left.
    """
    images: dict[Id, list[Candidate]] = {}
    for candidate in sorted(set(candidates), key=lambda c: _by_text(c.image_id)):
        images.setdefault(candidate.patient, []).append(candidate)
    patients = sorted(images, key=_by_text)
    if n < 1:
        raise ValueError(f"{n} images asked for: ask for at least 1.")
    if len(patients) < n:
        raise ValueError(
            f"{n} patients are needed, {len(patients)} meet the rule: widen the rule or ask for fewer pairs."
        )
    drawn = [patients[i] for i in rng.permutation(len(patients))[:n]]
    return [images[p][int(rng.integers(len(images[p])))] for p in drawn]


def assign_pairs(
    candidates: Sequence[Candidate],
    arms: Sequence[str],
    n_per_arm: int,
    allocation: Allocation,
    rng: np.random.Generator,
) -> list[Assignment]:
    """Choose images and give them to arms, `n_per_arm` pairs each, one image a patient.

    "own patients": every patient belongs to exactly one arm. "same patients": the same `n_per_arm` images
    under every arm. "rotated patients": as many blocks of `n_per_arm` patients as there are arms, each under every
    arm; a reader then sees a block under one arm only. Raises ValueError where the patients do not suffice.
    """
    if allocation == "own patients":
        chosen = select_images(candidates, n_per_arm * len(arms), rng)
        return [
            Assignment(arm, c.image_id, c.patient)
            for i, arm in enumerate(arms)
            for c in chosen[i * n_per_arm : (i + 1) * n_per_arm]
        ]
    if allocation == "same patients":
        chosen = select_images(candidates, n_per_arm, rng)
        return [Assignment(arm, c.image_id, c.patient) for arm in arms for c in chosen]
    if allocation == "rotated patients":
        chosen = select_images(candidates, n_per_arm * len(arms), rng)
        return [Assignment(arm, c.image_id, c.patient, i // n_per_arm) for arm in arms for i, c in enumerate(chosen)]
    raise ValueError(f"Unknown allocation “{allocation}”: use “own patients”, “same patients” or “rotated patients”.")


def reader_rng(reader_key: str, rng: np.random.Generator | int) -> np.random.Generator:
    """The reader's own generator: one seed and key give one stream, in whatever order readers come."""
    entropy = int(rng.integers(2**63)) if isinstance(rng, np.random.Generator) else int(rng)
    key = int.from_bytes(hashlib.sha256(reader_key.encode()).digest()[:16])
    return np.random.default_rng([entropy, key])


def balanced_sides(pair_ids: Sequence[Id], arms: Mapping[Id, str], rng: np.random.Generator) -> dict[Id, Side]:
    """Half A, half B in every arm; the extra pairs of odd arms alternate, which balances the whole."""
    groups: dict[str, list[Id]] = {}
    for pair in pair_ids:
        groups.setdefault(arms.get(pair, ""), []).append(pair)
    odd = [arm for arm, pairs in groups.items() if len(pairs) % 2]
    first = int(rng.integers(2))
    extra = {odd[j]: (first + i) % 2 for i, j in enumerate(rng.permutation(len(odd)))}
    sides: dict[Id, Side] = {}
    for arm, pairs in groups.items():
        n_a = len(pairs) // 2 + extra.get(arm, 0)
        for rank, i in enumerate(rng.permutation(len(pairs))):
            sides[pairs[i]] = "A" if rank < n_a else "B"
    return sides


def mixed_order(pair_ids: Sequence[Id], patients: Mapping[Id, Id], rng: np.random.Generator) -> list[Id]:
    """A random order in which a patient comes back only after every other patient has been seen once more."""
    stacks: dict[Id, list[Id]] = {}
    for i in rng.permutation(len(pair_ids)):
        pair = pair_ids[i]
        stacks.setdefault(patients.get(pair, pair), []).append(pair)
    order: list[Id] = []
    last: Id | None = None
    while stacks:
        block = list(stacks)
        block = [block[i] for i in rng.permutation(len(block))]
        if len(block) > 1 and block[0] == last:
            swap = int(rng.integers(1, len(block)))
            block[0], block[swap] = block[swap], block[0]
        order += [stacks[p].pop() for p in block]
        last = block[-1]
        stacks = {p: stack for p, stack in stacks.items() if stack}
    return order


def make_schedule(
    pair_ids: Sequence[Id],
    reader_key: str,
    rng: np.random.Generator | int,
    arms: Mapping[Id, str] | None = None,
    patients: Mapping[Id, Id] | None = None,
) -> list[Trial]:
    """One reader's trials: order random per reader, side random per trial and balanced.

    pair_ids: the pairs of the study. rng: the study's seed (the schedule is then a function of seed, key and
    pairs alone), or a generator, from which one number is drawn. arms: pair -> arm, balances the sides within
    arms (difference of at most 1 in each, and of at most 1 overall). patients: pair -> patient, keeps pairs
    of one patient apart ("same patients"). Raises ValueError for a pair that is listed twice.
    """
    if len(set(pair_ids)) != len(pair_ids):
        raise ValueError("A pair is listed twice in the schedule: list each pair once.")
    own = reader_rng(reader_key, rng)
    pairs = sorted(pair_ids, key=_by_text)
    sides = balanced_sides(pairs, arms or {}, own)
    return [Trial(i, pair, sides[pair]) for i, pair in enumerate(mixed_order(pairs, patients or {}, own))]
