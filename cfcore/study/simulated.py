"""Simulated readers of known skill and known agreement: for the demo study and for testing the statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfcore.study.decode import ANSWERS, Answer
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
    answer is given for the favourite side whatever was seen, in [-1, 1]; positive favours A. answer_bias: chance that
    `favourite` is answered whatever was seen, in [0, 1]. cannot: chance of "cannot assess". lapse: chance of no
    answer. choice: chance to take the right one of two where a question has a right answer, in [0, 1].
    fatigue: share of the skill that is lost on the way from the first to the last case, in [0, 1]: every chance to be
    right moves in a straight line towards 1/2 and has gone that share of the way at the last case. stops_after: number
    of cases after which the reader gives up, None for never. seconds: median time of a case.
    """

    key: str
    sensitivity: float = 0.9
    specificity: float = 0.9
    agreement: float = 0.5
    side_bias: float = 0.0
    cannot: float = 0.0
    lapse: float = 0.0
    seconds: float = 30.0
    favourite: Answer = "neither"
    answer_bias: float = 0.0
    choice: float = 0.5
    fatigue: float = 0.0
    stops_after: int | None = None

    def __post_init__(self) -> None:
        for name in ("sensitivity", "specificity", "agreement", "cannot", "lapse", "answer_bias", "choice", "fatigue"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} of {self.key} is {getattr(self, name)}: expected 0 to 1.")
        if not -1 <= self.side_bias <= 1:
            raise ValueError(f"side_bias of {self.key} is {self.side_bias}: expected -1 to 1.")
        if self.seconds <= 0:
            raise ValueError(f"seconds of {self.key} is {self.seconds}: expected more than 0.")
        if self.favourite not in ANSWERS:
            raise ValueError(f"favourite of {self.key} is “{self.favourite}”: expected one of {', '.join(ANSWERS)}.")
        if self.stops_after is not None and self.stops_after < 0:
            raise ValueError(f"stops_after of {self.key} is {self.stops_after}: expected 0 cases or more, or none.")

    def tired(self, chance: float, progress: float) -> float:
        """What is left of a `chance` to be right after the share `progress` (0 to 1) of the cases."""
        return chance + self.fatigue * progress * (0.5 - chance)

    def reads(self, position: int) -> bool:
        """Whether the reader is still there at this place (from 0)."""
        return self.stops_after is None or position < self.stops_after


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
    position, purpose, original_side, answers, ratings, seconds. Add arm and patient for `decode_readings`. Raises
    ValueError naming a pair and finding without truth.
    """
    pairs = sorted({t.pair_id for trials in schedules.values() for t in trials}, key=lambda p: (str(type(p)), str(p)))
    for pair in pairs:
        for finding in findings:
            if (pair, finding) not in truth:
                raise ValueError(f"No truth for pair {pair}, finding “{finding}”: give both images' state.")
    impressions = draw_impressions(pairs, findings, rng)
    tastes = {(p, r.key): rng.normal() for p in pairs for r in ratings}
    rows = []
    for reader in readers:
        trials = schedules[reader.key]
        for trial in trials:
            if not reader.reads(trial.position):
                continue
            progress = trial.position / max(len(trials) - 1, 1)
            answers = checklist(reader, trial, truth, impressions, findings, progress, rng)
            scores = {
                rating.key: _score(tastes[trial.pair_id, rating.key], rating, reader.agreement, rng)
                for rating in ratings
            }
            rows.append(
                {
                    "reader": reader.key,
                    "pair": trial.pair_id,
                    "position": trial.position,
                    "purpose": trial.purpose,
                    "original_side": trial.original_side,
                    "answers": answers,
                    "ratings": scores,
                    "seconds": reading_seconds(reader, trial.position, rng),
                }
            )
    return rows


def draw_impressions(
    pairs: Sequence[Id], findings: Sequence[str], rng: np.random.Generator
) -> dict[tuple[Id, str], NDArray[np.float64]]:
    """What all readers see alike: (pair, finding) -> two uniform numbers, for the original and the counterfactual."""
    return {(p, f): rng.random(2) for p in pairs for f in findings}


def checklist(
    reader: SimulatedReader,
    trial: Trial,
    truth: Truth,
    impressions: Mapping[tuple[Id, str], NDArray[np.float64]],
    findings: Sequence[str],
    progress: float,
    rng: np.random.Generator,
) -> dict[str, Answer | None]:
    """One reader's checklist for one pair in A/B form; None for a finding that was left out.

    progress: share of the cases that the reader has behind him or her, 0 to 1 (for fatigue).
    """
    answers: dict[str, Answer | None] = {}
    for finding in findings:
        state = np.array(truth[trial.pair_id, finding])
        there = reader.tired(reader.sensitivity, progress)
        absent = 1 - reader.tired(reader.specificity, progress)
        common = rng.random(2) < reader.agreement
        luck = np.where(common, impressions[trial.pair_id, finding], rng.random(2))
        original, counterfactual = (bool(x) for x in luck < np.where(state, there, absent))
        answer = _answer(original, counterfactual, trial)
        if answer in ("A", "B") and rng.random() < abs(reader.side_bias):
            answer = "A" if reader.side_bias > 0 else "B"
        if reader.answer_bias and rng.random() < reader.answer_bias:
            answer = reader.favourite
        if rng.random() < reader.cannot:
            answer = "cannot"
        answers[finding] = None if rng.random() < reader.lapse else answer
    return answers


def reading_seconds(reader: SimulatedReader, position: int, rng: np.random.Generator) -> float:
    """Log-normal time of a case, a little shorter as the reader settles in."""
    pace = reader.seconds * (1 + 0.5 * np.exp(-position / 4))
    return round(float(pace * np.exp(0.35 * rng.normal())), 1)


def draw_truth(
    pairs: Mapping[Id, tuple[str, Id]],
    findings: Sequence[str],
    prevalence: Mapping[str, float],
    appears: Mapping[tuple[str, str], float],
    rng: np.random.Generator,
    same: frozenset[Id] = frozenset(),
    others: Mapping[Id, Id] | None = None,
) -> dict[tuple[Id, str], tuple[bool, bool]]:
    """Draw what is there to be seen, independently over patients and findings.

    pairs: pair -> (arm, patient). prevalence: finding -> chance that it is in an original, one draw a patient.
    appears: (arm, finding) -> chance that a finding which is not in the original is in the counterfactual (default
    0); what is in the original stays. same: pairs whose two pictures show the same, others: pair -> the
    patient whose image stands in the counterfactual's place (controls). So the expected paired
    difference of prevalence in an arm is (1 - prevalence) * appears. Raises ValueError for a chance outside [0, 1].
    """
    for name, chances in (("prevalence", prevalence), ("appears", appears)):
        if wrong := {key: chance for key, chance in chances.items() if not 0 <= chance <= 1}:  # type: ignore[attr-defined]
            key, chance = next(iter(wrong.items()))
            raise ValueError(f"{name} of {key} is {chance}: expected 0 to 1.")
    second = others or {}
    patients = sorted({patient for _, patient in pairs.values()} | set(second.values()), key=str)
    there = {(p, f): bool(rng.random() < prevalence.get(f, 0.0)) for p in patients for f in findings}
    truth = {}
    for pair, (arm, patient) in pairs.items():
        for finding in findings:
            original = there[patient, finding]
            new = bool(rng.random() < appears.get((arm, finding), 0.0)) and pair not in same
            moved = there[second[pair], finding] if pair in second else original or new
            truth[pair, finding] = (original, moved)
    return truth


def _score(taste: float, rating: Rating, agreement: float, rng: np.random.Generator) -> int:
    """A point of the scale from the pair's own quality, shared by all readers, and the reader's noise."""
    latent = agreement * taste + np.sqrt(1 - agreement**2) * rng.normal()
    middle = (rating.points + 1) / 2
    return int(np.clip(round(middle + 0.25 * rating.points * latent + 0.5), 1, rating.points))
