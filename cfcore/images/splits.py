"""Training, validation and test sets that never share a patient."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

SPLITS = ("train", "val", "test")

_ORDER = ("train", "test", "train", "val", "train", "train", "test", "train", "train", "train")
"""Which split each of ten neighbours gets: 70 / 10 / 20 %, and every split early for few patients."""

_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "tune": "val",
    "test": "test",
    "testing": "test",
    "holdout": "test",
}


def known_split(text: str | None) -> str | None:
    """'train', 'val' or 'test' for the usual words (training, validation, dev, testing, ...), else None."""
    return _WORDS.get((text or "").strip().lower())


def split_patients(strata: Mapping[str, str], seed: int = 0) -> dict[str, str]:
    """A split for each patient: 70 % train, 10 % val, 20 % test, alike in every stratum.

    Patients are ordered by stratum, then by a hash of seed and patient, and dealt out in turn (systematic
    sampling, Cochran, Sampling Techniques, 1977, ch. 8), so each stratum, and the whole, is within one
    patient per split and stratum of the shares. The result depends on nothing but the arguments.

    Args:
        strata: patient -> stratum (for example the patient's labels).
        seed: another seed, another division.
    """
    order = sorted(strata, key=lambda patient: (strata[patient], _hash(seed, patient)))
    return {patient: _ORDER[i % len(_ORDER)] for i, patient in enumerate(order)}


def take_validation(train: Mapping[str, str], seed: int = 0) -> set[str]:
    """Every eighth of the training patients (patient -> stratum), to stand in for a missing validation set.

    Of 80 % training patients that leaves 70 and 10. None are taken of fewer than eight.
    """
    order = sorted(train, key=lambda patient: (train[patient], _hash(seed, patient)))
    return set(order[3::8]) if len(order) >= 8 else set()


def strata_of(patients: Sequence[str], labels: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Patient -> the union of the labels of the patient's images, as one text.

    Sets of labels that fewer than ten patients have are thrown together, or each would go to train.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    for patient, names in zip(patients, labels, strict=True):
        found[patient].update(names)
    joined = {patient: "|".join(sorted(names)) for patient, names in found.items()}
    counts = Counter(joined.values())
    return {patient: text if counts[text] >= 10 else "\uffff" for patient, text in joined.items()}


def patients_in_two_splits(patients: Sequence[str], splits: Sequence[str | None]) -> int:
    """How many patients have images in more than one split."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for patient, split in zip(patients, splits, strict=True):
        if split is not None:
            found[patient].add(split)
    return sum(len(names) > 1 for names in found.values())


def _hash(seed: int, patient: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{patient}".encode("utf-8", "surrogateescape")).digest()
