"""Simulated readers of known skill and known agreement: for the demo study and for testing the statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cfcore.study.decode import Answer
from cfcore.study.protocol import Rating
from cfcore.study.schedule import Id, Trial

# (pair, finding) -> (in the original, in the counterfactual)
Truth = Mapping[tuple[Id, str], tuple[bool, bool]]


@dataclass(frozen=True)
class SimulatedReader:
    """How a reader judges one image for one finding.

    sensitivity, specificity: chance to tick a finding that is there, not to tick one that is not, in [0, 1].
    agreement: chance that a judgement rests on what all readers see in the image rather than on the reader's
    own luck, in [0, 1]; it leaves sensitivity and specificity as they are. side_bias: chance that a one-sided
    answer is given for the favourite side whatever was seen, in [-1, 1]; positive favours A. cannot: chance
    of "cannot assess". lapse: chance of no answer. seconds: median time of a case.
    """

    key: str
    sensitivity: float = 0.9
    specificity: float = 0.9
    agreement: float = 0.5
    side_bias: float = 0.0
    cannot: float = 0.0
    lapse: float = 0.0
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("sensitivity", "specificity", "agreement", "cannot", "lapse"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} of {self.key} is {getattr(self, name)}: expected 0 to 1.")
        if not -1 <= self.side_bias <= 1:
            raise ValueError(f"side_bias of {self.key} is {self.side_bias}: expected -1 to 1.")
        if self.seconds <= 0:
            raise ValueError(f"seconds of {self.key} is {self.seconds}: expected more than 0.")


def expected_agreement(one: SimulatedReader, two: SimulatedReader, present: bool) -> float:
    """Chance that two readers judge one image alike, given whether the finding is there. In [0, 1].

    With chance a = agreement_1 agreement_2 both rest on the same impression, a uniform number below each
    reader's chance to tick: they differ with |p1 - p2|. Otherwise they are independent.
    """
    p1, p2 = ((r.sensitivity if present else 1 - r.specificity) for r in (one, two))
    shared = one.agreement * two.agreement
    return shared * (1 - abs(p1 - p2)) + (1 - shared) * (p1 * p2 + (1 - p1) * (1 - p2))


def _answer(original: bool, counterfactual: bool, trial: Trial) -> Answer:
    if original and counterfactual:
        return "both"
    if not original and not counterfactual:
        return "neither"
    other = "B" if trial.original_side == "A" else "A"
    return trial.original_side if original else other  # type: ignore[return-value]


def simulate_study(
    readers: Sequence[SimulatedReader],
    schedules: Mapping[str, Sequence[Trial]],
    truth: Truth,
    findings: Sequence[str],
    rng: np.random.Generator,
    ratings: Sequence[Rating] = (),
) -> list[dict[str, Any]]:
    """Let readers work through their schedules; answers come in the readers' A/B form.

    schedules: reader key -> trials. truth: (pair, finding) -> whether it is in the original and in the
    counterfactual; every pair and finding must be there. Returns one mapping per trial: reader, pair,
    position, original_side, answers, ratings, seconds. Add arm and patient for `decode_readings`. Raises
    ValueError naming a pair and finding without truth.
    """
    pairs = sorted({t.pair_id for trials in schedules.values() for t in trials}, key=lambda p: (str(type(p)), str(p)))
    for pair in pairs:
        for finding in findings:
            if (pair, finding) not in truth:
                raise ValueError(f"No truth for pair {pair}, finding “{finding}”: give both images' state.")
    impressions = {(p, f): rng.random(2) for p in pairs for f in findings}
    tastes = {(p, r.key): rng.normal() for p in pairs for r in ratings}
    rows = []
    for reader in readers:
        for trial in schedules[reader.key]:
            answers: dict[str, Answer | None] = {}
            for finding in findings:
                state = np.array(truth[trial.pair_id, finding])
                chance = np.where(state, reader.sensitivity, 1 - reader.specificity)
                common = rng.random(2) < reader.agreement
                luck = np.where(common, impressions[trial.pair_id, finding], rng.random(2))
                original, counterfactual = (bool(x) for x in luck < chance)
                answer = _answer(original, counterfactual, trial)
                if answer in ("A", "B") and rng.random() < abs(reader.side_bias):
                    answer = "A" if reader.side_bias > 0 else "B"
                if rng.random() < reader.cannot:
                    answer = "cannot"
                answers[finding] = None if rng.random() < reader.lapse else answer
            scores = {
                rating.key: _score(tastes[trial.pair_id, rating.key], rating, reader.agreement, rng)
                for rating in ratings
            }
            # Log-normal times, a little faster as the reader settles in.
            pace = reader.seconds * (1 + 0.5 * np.exp(-trial.position / 4))
            rows.append(
                {
                    "reader": reader.key,
                    "pair": trial.pair_id,
                    "position": trial.position,
                    "original_side": trial.original_side,
                    "answers": answers,
                    "ratings": scores,
                    "seconds": round(float(pace * np.exp(0.35 * rng.normal())), 1),
                }
            )
    return rows


def _score(taste: float, rating: Rating, agreement: float, rng: np.random.Generator) -> int:
    """A point of the scale from the pair's own quality, shared by all readers, and the reader's noise."""
    latent = agreement * taste + np.sqrt(1 - agreement**2) * rng.normal()
    middle = (rating.points + 1) / 2
    return int(np.clip(round(middle + 0.25 * rating.points * latent + 0.5), 1, rating.points))
