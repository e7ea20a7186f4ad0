"""Sets of small images in array files that the paper compares on: where their files lie, and which pairs are led."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cfcore.images.arrays import ArraySet, read_arrays
from services.arrays import MNIST_FILE
from services.reproduce.material import data_folder


@dataclass(frozen=True)
class ArrayPlace:
    """A set as the paper uses it (its section 4.2).

    Attributes:
        title: of the set. file: below the data folder; a folder for idx files.
        named: pattern in the names of models and data sets that are of this set.
        pairs: class numbers that are led to each other. names: what the classes are usually called, by their numbers.
        grey: the file is in colour and is read in grey.
    """

    title: str
    file: str
    named: str
    pairs: tuple[tuple[int, int], ...]
    names: Mapping[int, str]
    grey: bool = False

    @property
    def path(self) -> Path:
        return data_folder() / self.file

    def digest(self) -> dict[str, str]:
        """The file's SHA-256 under its name (of a folder: that of its files one after the other); nothing where it is
        not there."""
        if not self.path.exists():
            return {}
        parts = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        found = hashlib.sha256()
        for part in parts:
            found.update(part.read_bytes())
        return {self.file: found.hexdigest()}

    def classes(self, class_names: Sequence[str]) -> dict[int, int]:
        """Class number in the file -> index in a classifier's classes, of pairs that it has both classes of. Classes go
        by their number or by their usual name."""
        told = [name.casefold() for name in class_names]
        index = {
            number: told.index(name)
            for number in {number for pair in self.pairs for number in pair}
            for name in (str(number), self.names.get(number, "").casefold())
            if name in told
        }
        return {number: index[number] for pair in self.pairs if all(n in index for n in pair) for number in pair}

    def led(self, class_names: Sequence[str]) -> list[tuple[int, int]]:
        """The pairs, as indices of a classifier's classes."""
        index = self.classes(class_names)
        return [(index[a], index[b]) for a, b in self.pairs if a in index and b in index]

    def images(self, class_names: Sequence[str], part: str) -> tuple[Tensor, Tensor]:
        """(n, 1, h, w) images in [0, 1] of the pairs' classes in a split, and their (n,) classes: the split that
        `cfreader mnist` makes by default."""
        found, index = self._read(), self.classes(class_names)
        rows = [i for i, split in enumerate(found.splits) if split == part and int(found.labels[i]) in index]
        images = torch.from_numpy(found.images[rows])[:, None].float() / 255
        return images, torch.tensor([index[int(label)] for label in found.labels[rows]], dtype=torch.long)

    def _read(self) -> ArraySet:
        return read_arrays(self.path, 0, grey=self.grey)


SETS: Mapping[str, ArrayPlace] = {
    "mnist": ArrayPlace("MNIST", MNIST_FILE, r"(?<![\w-])mnist", ((3, 8), (4, 9), (5, 6)), {}),
    "fashion": ArrayPlace(
        "Fashion-MNIST", "fashion-mnist", r"fashion", ((4, 6), (0, 2), (7, 9)),
        {0: "T-shirt", 2: "Pullover", 4: "Coat", 6: "Shirt", 7: "Sneaker", 9: "Boot"},
    ),
    "blood": ArrayPlace(
        "Blood-MNIST", "bloodmnist.npz", r"blood", ((2, 4),), {2: "Erythroblast", 4: "Lymphocyte"}, grey=True
    ),
}  # fmt: skip
# A name that holds two of them, like "Fashion MNIST", is of the first.
ORDER = ("fashion", "blood", "mnist")


def set_named(words: str) -> str | None:
    """Which set some casefolded words name; None where they name none."""
    return next((name for name in ORDER if re.search(SETS[name].named, words)), None)


def absent_sets(sources: Sequence[str]) -> list[str]:
    """Which of the paper's sets have no column among those of `sources`, as sentences with the remedy."""
    return [
        f"{place.title}{', in grey' if place.grey else ''}: no classifier with a Mirror-CFE decoder (put the files at "
        f"{place.file} in the data folder, import them with cfreader mnist, train both, and name their folder with "
        "--models)"
        for name, place in SETS.items()
        if name not in sources
    ]


def as_many(images: Mapping[str, int], source: str) -> int:
    """How many images a source has by an experiment's numbers: other array sets as many as digits."""
    return images.get(source, images["mnist"])
