"""Readers' own words for findings: which of them mean the same, as a first proposal for whoever merges them."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

# Words that do not tell one finding from another.
_FILLERS = frozenset(("a", "an", "the", "of", "in", "on", "sign", "signs", "finding", "possible", "der", "die", "das"))
_ALIKE = 0.84


def normal_words(label: str) -> tuple[str, ...]:
    """The words that carry a label's meaning: lower case, without punctuation, fillers and a plural s, sorted."""
    words = re.findall(r"[^\W_]+", label.casefold())
    stems = [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith(("ss", "us", "is")) else w for w in words]
    kept = [stem for stem in stems if stem not in _FILLERS]
    return tuple(sorted(kept or stems))


def alike(one: str, other: str) -> bool:
    """Whether two labels probably mean the same: equal words in any order, or nearly equal spelling.

    Spelling: difflib's ratio of the sorted words, 0.84 or more. Synonyms ("enlarged heart", "cardiomegaly") are for
    people to see.
    """
    a, b = " ".join(normal_words(one)), " ".join(normal_words(other))
    return a == b or SequenceMatcher(None, a, b, autojunk=False).ratio() >= _ALIKE


def group_labels(labels: Sequence[str]) -> list[list[int]]:
    """Indices of labels that probably mean the same, groups and members in the order in which they came."""
    groups: list[list[int]] = []
    for i, label in enumerate(labels):
        home = next((group for group in groups if any(alike(labels[j], label) for j in group)), None)
        if home is None:
            groups.append([i])
        else:
            home.append(i)
    return groups
