"""Drawing phantom patients and data sets: prevalence, overlap of the classes, planted shortcuts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .anatomy import FACTORS, stream
from .factors import RANGES, Factors, Patient

PATHOLOGIES = ("cardiomegaly", "effusion", "atelectasis")

# Factor -> probability that it is present in positives, in negatives. Age: probability of an old patient.
SHORTCUT: dict[str, tuple[float, float]] = {"pacemaker": (0.60, 0.05), "age": (0.60, 0.05)}

COUPLED = (
    "pacemaker", "age", "build", "effusion_left", "effusion_right", "atelectasis", "opacity", "lucency",
    "congestion", "barrel",
)  # fmt: skip
SPLITS = (("train", 0.7), ("val", 0.1), ("test", 0.2))


Couple = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class PhantomCase:
    """One patient of a phantom data set: label 1 if the pathology is present, split by patient."""

    patient: Patient
    label: int
    split: str
    key: str


def _pick(name: str, default: float, pathology: str | None, label: bool, couple: Couple) -> float:
    """Probability that a factor is present."""
    if name in couple:
        return couple[name][0 if label else 1]
    return 0.0 if pathology == name else default


def _check(pathology: str | None, couple: Couple) -> None:
    if pathology is not None and pathology not in PATHOLOGIES:
        raise ValueError(f"pathology must be one of {', '.join(PATHOLOGIES)}, got {pathology!r}")
    for name, pair in couple.items():
        if name not in COUPLED:
            raise ValueError(f"cannot couple {name!r}; choose from {', '.join(COUPLED)}")
        if len(pair) != 2 or not all(0.0 <= p <= 1.0 for p in pair):
            raise ValueError(f"couple[{name!r}] must be two probabilities (positives, negatives), got {pair!r}")
    if couple and pathology is None:
        raise ValueError("couple ties factors to a class: name the pathology as well")


def sample_patient(
    seed: int,
    pathology: str | None = None,
    positive: bool | None = None,
    couple: Couple | None = None,
) -> Patient:
    """A phantom patient with plausible factors.

    Args:
        seed: gives the factors and, by itself, the anatomy.
        pathology: "cardiomegaly", "effusion" or "atelectasis": this one is present or absent as `positive`
            says; the others have background prevalence. None: all have background prevalence.
        positive: class to draw; None draws it (one half each).
        couple: factor -> probability that it is present in positives and in negatives (see `SHORTCUT`).

    Raises:
        ValueError: unknown pathology or factor, or a pair that is no pair of probabilities.
    """
    couple = dict(couple or {})
    _check(pathology, couple)
    r = stream(seed, FACTORS)
    dice = r.random(16)
    draw = np.clip(r.standard_normal(24), -2.6, 2.6)
    share = r.random(24)
    label = bool(dice[0] < 0.5) if positive is None else bool(positive)

    def has(index: int, name: str, default: float) -> bool:
        return bool(dice[index] < _pick(name, default, pathology, label, couple))

    cardiomegaly = label if pathology == "cardiomegaly" else bool(dice[1] < 0.15)
    effusion = label if pathology == "effusion" else bool(dice[2] < 0.07)
    atelectasis = label if pathology == "atelectasis" else has(3, "atelectasis", 0.07)
    # 0.50 is the radiologist's limit; the classes overlap on both sides of it.
    ratio = 0.572 + 0.036 * draw[0] if cardiomegaly else 0.442 + 0.034 * draw[0]
    levels = [0.0, 0.0]  # left, right
    if effusion:
        first = int(share[0] < 0.5)
        levels[first] = 0.075 + 0.16 * share[1] ** 1.3
        if share[2] < 0.3:
            levels[1 - first] = 0.05 + 0.10 * share[3]
    elif pathology == "effusion" and share[2] < 0.12:
        levels[int(share[0] < 0.5)] = 0.015 + 0.025 * share[1]  # a trace, read as blunting only
    for index, name, k in ((4, "effusion_left", 0), (5, "effusion_right", 1)):
        if name in couple:
            levels[k] = max(levels[k], 0.06 + 0.12 * share[4 + k]) if has(index, name, 0.0) else levels[k]
    collapse = 0.45 + 0.55 * share[6] if atelectasis else 0.0
    if not atelectasis and pathology == "atelectasis" and share[7] < 0.12:
        collapse = 0.10 * share[8]
    old = has(6, "age", 0.30)
    age = 71.0 + 8.0 * draw[1] if old else 43.0 + 11.0 * draw[1]
    stout = draw[2] * 0.38 if "build" not in couple else (0.55 if has(7, "build", 0.0) else -0.1) + 0.2 * draw[2]

    def amount(index: int, name: str, default: float, low: float) -> float:
        return float(low + (1.0 - low) * share[index]) if has(index, name, default) else 0.0

    def within(name: str, value: float) -> float:
        return float(np.clip(value, *RANGES[name]))

    return Patient(
        seed,
        Factors(
            cardiothoracic_ratio=within("cardiothoracic_ratio", ratio),
            effusion_left=float(levels[0]),
            effusion_right=float(levels[1]),
            atelectasis=float(collapse),
            atelectasis_side="left" if share[16] < 0.55 else "right",
            opacity=amount(8, "opacity", 0.12, 0.35),
            opacity_side="left" if share[17] < 0.5 else "right",
            opacity_position=(float(0.1 + 0.8 * share[18]), float(0.1 + 0.85 * share[19])),
            lucency=amount(9, "lucency", 0.12, 0.2),
            congestion=amount(10, "congestion", 0.12, 0.2),
            barrel=amount(11, "barrel", 0.10, 0.3),
            pacemaker=has(12, "pacemaker", 0.05),
            build=within("build", stout),
            age=within("age", age),
        ),
    )


def deal(n: int, seed: int) -> tuple[list[int], list[str]]:
    """Labels (half 0, half 1) and splits (70/10/20) of n patients, in random order.

    Raises:
        ValueError: n below 1 or above 1,000,000; seed below 0.
    """
    if not 1 <= n <= 1_000_000:
        raise ValueError(f"n must be 1 to 1,000,000, got {n}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    rng = np.random.Generator(np.random.SFC64([seed, n]))
    labels = rng.permutation(np.arange(n) % 2)
    bounds = np.round(np.cumsum([share for _, share in SPLITS]) * n).astype(int)
    place = rng.permutation(n)
    names = np.array([name for name, _ in SPLITS])[np.searchsorted(bounds, place, side="right")]
    return labels.tolist(), names.tolist()


def build_dataset(
    n: int,
    seed: int,
    pathology: str,
    couple: Couple | None = None,
) -> list[PhantomCase]:
    """n phantom patients, half of them positive, split 70/10/20 by patient.

    Args:
        n: number of patients (one radiograph each), at least 1.
        seed: data sets of different seeds share no patient (up to 1,000,000 patients each).
        pathology: the label; see `sample_patient`.
        couple: factors tied to the class, e.g. `SHORTCUT`.

    Raises:
        ValueError: as `sample_patient`; n below 1 or above 1,000,000; seed below 0.
    """
    _check(pathology, dict(couple or {}))
    if pathology is None:
        raise ValueError("a labelled data set needs a pathology: " + ", ".join(PATHOLOGIES))
    labels, splits = deal(n, seed)
    cases = []
    for i in range(n):
        number = seed * 1_000_000 + i
        patient = sample_patient(number, pathology, bool(labels[i]), couple)
        cases.append(PhantomCase(patient, labels[i], splits[i], f"phantom-{number:09d}"))
    return cases
