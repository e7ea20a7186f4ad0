"""What the experiments work on: classifiers with a Mirror-CFE decoder, its rivals' networks, images none has seen."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import load_classifier
from cfcore.generators.registry import generator_kind
from cfcore.images.arrays import read_arrays
from cfcore.images.phantom import PATHOLOGIES, PhantomCase, render
from cfcore.metrics.validity import classes_of
from cfcore.training.weights import read_card
from services.arrays import MNIST_FILE
from services.models import SHIPPED_FOLDER
from services.reproduce.material import (
    RANKING_SEED,
    TEST_SEED,
    Shipped,
    data_folder,
    data_hash,
    evenly,
    missing_data,
    phantom_cases,
    radiographs,
)

Part = Literal["val", "test"]
RIVALS = ("vae", "expgan", "c3lt")
SOURCES = ("mnist", "phantom", "ucsd")
ABLATIONS = "ablations"  # under weights/: no models of the application
PAIRS = (("3", "8"), ("4", "9"), ("5", "6"))  # of digits, as in the paper
PHANTOMS: Mapping[Part, int] = {"val": 100, "test": 300}


@dataclass(frozen=True, eq=False)
class Model:
    """A model folder and its card."""

    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.card["name"])

    def load(self) -> nn.Module:
        """The frozen network. Raises ValueError that says what is wrong with the folder."""
        return generator_kind(self.card["kind"]).load(self.folder)


@dataclass(frozen=True, eq=False)
class Entry:
    """A classifier for which there is a decoder.

    Attributes:
        name: "mnist", "phantom", "ucsd": whose images it reads; where a source has several classifiers with decoders,
            with the positive class behind it. source: without that.
        decoders: those of Mirror-CFE, the one for the tables first. rivals: kind -> network.
        ablations: decoders that differ in one thing and were trained alike in all others, for the tables that compare
            decoders; those of `--models` before those under weights/ablations.
    """

    name: str
    source: str
    classifier: Model
    decoders: tuple[Model, ...]
    rivals: Mapping[str, Model]
    ablations: tuple[Model, ...] = ()

    @property
    def decoder(self) -> Model:
        return self.decoders[0]

    def absent_of(self, kinds: Sequence[str]) -> list[str]:
        """Which networks of rivals are not there, as sentences."""
        return [
            f"{self.classifier.name}: no {generator_kind(kind).title} (cfreader train {kind})"
            for kind in kinds
            if kind not in self.rivals
        ]

    def inputs(self, kinds: Sequence[str] = RIVALS, *, every: bool = False) -> dict[str, str]:
        """Hashes of what figures depend on: classifier, decoder (`every`: all of them and the ablations'), rivals of
        `kinds`, data."""
        decoders = (*self.decoders, *self.ablations) if every else self.decoders[:1]
        models = {"classifier": self.classifier} | {f"decoder {m.name}": m for m in decoders}
        models |= {kind: self.rivals[kind] for kind in kinds if kind in self.rivals}
        found = {f"{self.name} {key}": str(model.card["sha256"]) for key, model in models.items()}
        return found | self._data_hash()

    def missing(self) -> str:
        """Why its images cannot be had here, "" where they can."""
        if self.source != "mnist":
            return missing_data(self._as_shipped())
        path = data_folder() / MNIST_FILE
        if path.is_file():
            return ""
        return f"{self.classifier.name}: no {path} (set CFREADER_DATA to the folder that holds {MNIST_FILE})"

    def _data_hash(self) -> dict[str, str]:
        if self.source != "mnist":
            return data_hash(self._as_shipped())
        path = data_folder() / MNIST_FILE
        return {MNIST_FILE: hashlib.sha256(path.read_bytes()).hexdigest()} if path.is_file() else {}

    def _as_shipped(self) -> Shipped:
        negative, positive = self.classifier.card["class_names"]
        size = int(self.classifier.card["size"])
        source: Any = self.source
        folders = self.decoder.folder, self.classifier.folder
        return Shipped(
            self.name, self.decoder.name, source, _word(positive), False, size, (negative, positive), *folders
        )

    def pool(self, part: Part) -> Pool:
        """All images of a split; of phantoms those of a seed that no training has used.

        Raises:
            FileNotFoundError, ValueError: the data are not here; says where they were looked for.
        """
        if self.source == "mnist":
            return _digits(self.classifier.card["class_names"], part)
        shipped = self._as_shipped()
        if self.source == "ucsd":
            return Pool(*radiographs(shipped, part))
        seed = {"val": RANKING_SEED, "test": TEST_SEED}[part]
        cases = tuple(islice(phantom_cases(shipped, seed), PHANTOMS[part]))
        images = torch.from_numpy(np.stack([render(case.patient, shipped.size) for case in cases]))[:, None]
        return Pool(images, torch.tensor([case.label for case in cases]), cases)


@dataclass(frozen=True)
class Pool:
    """(n, channels, size, size) images in [0, 1] with (n,) true classes; `cases` where they are phantoms."""

    images: Tensor
    labels: Tensor
    cases: tuple[PhantomCase, ...] = ()


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


def entries(models: Path | None = None, folder: Path | None = None) -> list[Entry]:
    """Every classifier with a Mirror-CFE decoder under weights/ or `models`, digits first.

    A decoder stands first where it was trained as the tables want it: whole, pairwise, with triangulation at 1.5.

    Raises:
        ValueError: there is none; a card names a classifier that is not there, or does not say whose images it reads.
    """
    places = [folder or SHIPPED_FOLDER, *([models] if models else [])]
    if models and not any(models.glob("*/card.json")):
        raise ValueError(f"there is no model in {models}: give a folder of model folders, like models/ of a workspace")
    found = [model for place in places for model in _models_in(place)]
    classifiers = {model.name: model for model in reversed(found) if model.card["kind"] == "classifier"}
    of: dict[str, dict[str, list[Model]]] = {}
    for model in found:
        if model.card["kind"] in ("mirror", *RIVALS):
            of.setdefault(model.card.get("classifier", ""), {}).setdefault(model.card["kind"], []).append(model)
    alike = [model for place in (*places[1:], places[0] / ABLATIONS) for model in _models_in(place)]
    made = []
    for name, kinds in of.items():
        if "mirror" not in kinds:
            continue
        if name not in classifiers:
            raise ValueError(f"{kinds['mirror'][0].folder.name}/card.json names the classifier {name!r}: not found")
        decoders = tuple(sorted(kinds["mirror"], key=_order))
        rivals = {kind: kinds[kind][0] for kind in RIVALS if kind in kinds}
        source = _source(decoders[0], classifiers[name])
        ablations = tuple(m for m in alike if m.card["kind"] == "mirror" and m.card.get("classifier") == name)
        made.append(Entry(source, source, classifiers[name], decoders, rivals, ablations))
    if not made:
        raise ValueError("no Mirror-CFE decoder is shipped under weights/: train one (cfreader train mirror)")
    order = {pathology: i for i, pathology in enumerate(PATHOLOGIES)}
    made.sort(key=lambda e: (SOURCES.index(e.source), order.get(_finding(e), 9), e.classifier.name))
    return [_named(entry, made) for entry in made]


def _models_in(place: Path) -> list[Model]:
    return [Model(path.parent, read_card(path.parent)) for path in sorted(place.glob("*/card.json"))]


def _named(entry: Entry, beside: Sequence[Entry]) -> Entry:
    if sum(other.source == entry.source for other in beside) == 1:
        return entry
    return replace(entry, name=f"{entry.source}_{_finding(entry)}")


def _finding(entry: Entry) -> str:
    return _word(entry.classifier.card["class_names"][-1])


def _order(decoder: Model) -> tuple[bool, bool, bool, bool]:
    config, recipe = decoder.card["config"], decoder.card.get("recipe", {})
    return (
        config.get("variant", "full") != "full",
        config.get("points", "pairwise") != "pairwise",
        not recipe.get("triangulation_weight", 1.0),
        recipe.get("lam", 1.5) != 1.5,
    )


def _source(decoder: Model, classifier: Model) -> str:
    words = f"{decoder.name} {decoder.card.get('dataset', '')} {classifier.name}".casefold()
    found = next((source for source in SOURCES if re.search(rf"\b{source}", words)), None)
    if found is None:
        raise ValueError(
            f'{decoder.folder.name}/card.json does not say whose images it reads: name {", ".join(SOURCES)} in "name" '
            'or "dataset"'
        )
    return found


def column_of(entry: Entry, decoder: Model | None = None) -> Column:
    """The column of a classifier, with another decoder than its first where one is given."""
    return _column(entry, decoder or entry.decoder)


@lru_cache(maxsize=8)
def _column(entry: Entry, decoder: Model) -> Column:
    networks = {"mirror": decoder.load()} | {kind: model.load() for kind, model in entry.rivals.items()}
    classifier = load_classifier(entry.classifier.folder)
    names = classifier.class_names
    pairs = PAIRS if entry.source == "mnist" else ((names[1], names[0]),)
    directions = tuple(
        (classifier.class_index(a), classifier.class_index(b)) for pair in pairs for a, b in (pair, pair[::-1])
    )
    finding = _finding(entry) if entry.source == "phantom" else ""
    pool = _pools(entry)
    return Column(entry.name, entry.classifier.name, classifier, networks, directions, pool, finding)


@lru_cache(maxsize=8)
def _pools(entry: Entry) -> Callable[[Part], Pool]:
    # Drawn or read once a process: several experiments use the same images.
    return lru_cache(maxsize=2)(entry.pool)


def _digits(class_names: Sequence[str], part: Part) -> Pool:
    """Those of the pairs, in the split that `cfreader mnist` makes by default."""
    found = read_arrays(data_folder() / MNIST_FILE, 0)
    wanted = {int(digit): list(class_names).index(digit) for pair in PAIRS for digit in pair}
    rows = [i for i, split in enumerate(found.splits) if split == part and int(found.labels[i]) in wanted]
    images = torch.from_numpy(found.images[rows])[:, None].float() / 255
    return Pool(images, torch.tensor([wanted[int(label)] for label in found.labels[rows]]))


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
