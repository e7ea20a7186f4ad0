"""What a table has side by side: a classifier with its networks, and the held-out images that are led."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import load_classifier
from cfcore.images.phantom import PhantomCase
from cfcore.metrics.validity import classes_of
from services.reproduce.material import evenly

from .array_sets import SETS
from .material import Entry, Model, Part, Pool, finding_of


@dataclass(frozen=True)
class Led:
    """Images of class `source`, for C and in truth, that are led to class `target`; `cases` where they are phantoms."""

    images: Tensor
    source: int
    target: int
    cases: tuple[PhantomCase, ...] = ()


@dataclass(frozen=True, eq=False)
class Column:
    """What a table has side by side: a classifier, its images, the networks of the methods.

    Attributes:
        networks: kind ("mirror" and those of rivals) -> network. directions: (source, target) pairs of classes.
        pool: of a split. finding: the phantom's pathology, else "".
    """

    name: str
    title: str
    classifier: Classifier
    networks: Mapping[str, nn.Module]
    directions: tuple[tuple[int, int], ...]
    pool: Callable[[Part], Pool]
    finding: str = ""

    @property
    def targets(self) -> list[int]:
        return sorted({target for _, target in self.directions})

    def led(self, part: Part, most: int) -> list[Led]:
        """About `most` images, the same number in every direction, thinned evenly.

        Raises:
            ValueError: C calls no image of a direction's source class what it is.
        """
        pool, found = self.pool(part), []
        for (source, target), rows in self._rows(part, most).items():
            if not len(rows):
                name = self.classifier.class_names[source]
                raise ValueError(f"{self.title}: the classifier calls no image of {name!r} what it is")
            cases = tuple(pool.cases[i] for i in rows.tolist()) if pool.cases else ()
            found.append(Led(pool.images[rows], source, target, cases))
        return found

    def real(self, part: Part, most: int, led: int) -> tuple[Tensor, Tensor]:
        """At most `most` images of every target class, whatever C says of them, and their classes; none of those that
        `led` of this part would lead away."""
        pool = self.pool(part)
        free = torch.ones(len(pool.labels), dtype=torch.bool)
        for rows in self._rows(part, led).values():
            free[rows] = False
        parts = [evenly(((pool.labels == t) & free).nonzero()[:, 0], most) for t in self.targets]
        rows = torch.cat(parts)
        return pool.images[rows], pool.labels[rows]

    def _rows(self, part: Part, most: int) -> dict[tuple[int, int], Tensor]:
        pool = self.pool(part)
        right = _called(self, part) == pool.labels
        each = max(1, most // len(self.directions))
        return {
            (source, target): evenly((right & (pool.labels == source)).nonzero()[:, 0], each)
            for source, target in self.directions
        }


@lru_cache(maxsize=16)
def _called(column: Column, part: Part) -> Tensor:
    return classes_of(column.classifier, column.pool(part).images)


def column_of(entry: Entry, decoder: Model | None = None) -> Column:
    """The column of a classifier, with another decoder than its first where one is given."""
    return _column(entry, decoder or entry.decoder)


@lru_cache(maxsize=8)
def _column(entry: Entry, decoder: Model) -> Column:
    networks = {"mirror": decoder.load()} | {kind: model.load() for kind, model in entry.rivals.items()}
    classifier = load_classifier(entry.classifier.folder)
    names = classifier.class_names
    pairs = SETS[entry.source].led(names) if entry.source in SETS else [(1, 0)]
    directions = tuple(way for a, b in pairs for way in ((a, b), (b, a)))
    finding = finding_of(entry) if entry.source == "phantom" else ""
    pool = _pools(entry)
    return Column(entry.name, entry.classifier.name, classifier, networks, directions, pool, finding)


@lru_cache(maxsize=8)
def _pools(entry: Entry) -> Callable[[Part], Pool]:
    # Drawn or read once a process: several experiments use the same images.
    return lru_cache(maxsize=2)(entry.pool)
