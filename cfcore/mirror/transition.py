"""One image on its way to its mirror image, as numbers and pictures, and what its file is called. No torch here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Pictures = npt.NDArray[np.float32]

LONGEST = 60  # bytes of a label in a file name: three of them and the rest stay below 255


@dataclass(frozen=True, eq=False)
class Transition:
    """An image and its KFEs at m points of the way.

    Attributes:
        image: (h, w) or (h, w, 3) in [0, 1], at the classifier's size. pictures: (m, h, w) or (m, h, w, 3), G(z_k).
        k: (m,) from 0 to 1, rising. intended, predicted: (m, 2) probability of source and target, of z_k and for C of
            the picture.
        change: (m,) mean |xs - xk| over pixels, in [0, 1]; at k = 0 it is the reconstruction's error.
        first: k of the 1st CFE, one of `k`; None where the way has none.
        source, target, truth: names of classes: what C says, where it goes, what the image is.
    """

    image: Pictures
    pictures: Pictures
    k: Array
    intended: Array
    predicted: Array
    change: Array
    first: float | None
    source: str
    target: str
    truth: str

    @property
    def case(self) -> Literal["correct", "error"]:
        """ "error" where C is wrong on the image (section 10.2)."""
        return "correct" if self.source == self.truth else "error"


def file_path(way: Transition, data_set: str, number: int, classes: Sequence[str], ending: str) -> PurePosixPath:
    """`<set>/<pair>/noN_A_(GT_B)_to_C_{correct|error}.<ending>`: A is C's class, B the truth, C the target (section
    10.2 and METHODS 5).

    The pair is that of the classes led to each other, as in the paper: their names where each is one letter or digit
    (38), else their numbers (02; with a hyphen above nine). Characters that file systems and the pattern itself keep
    for themselves become hyphens.

    Args:
        number: N, which tells the files of one folder apart. classes: the classifier's.
    """
    ends = sorted((classes.index(way.source), classes.index(way.target)))
    names = [classes[i] if len(classes[i]) == 1 and classes[i].isalnum() else None for i in ends]
    told = [str(i) for i in ends] if None in names else [str(name) for name in names]
    pair = ("" if all(len(part) == 1 for part in told) else "-").join(told)
    a, b, c = (plain_name(name) for name in (way.source, way.truth, way.target))
    return PurePosixPath(plain_name(data_set), pair, f"no{number}_{a}_(GT_{b})_to_{c}_{way.case}.{ending}")


def plain_name(text: str) -> str:
    """A label or a data set's name as part of a file's name: letters, digits, dots, plus signs and hyphens."""
    plain = re.sub(r"[^\w.+-]|_", "-", text)
    plain = re.sub(r"-{2,}", "-", plain).encode()[:LONGEST].decode(errors="ignore")
    return plain.strip("-.") or "unnamed"
