"""What the experiments work on: classifiers with a Mirror-CFE decoder, its rivals' networks, images none has seen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from cfcore.generators.registry import generator_kind
from cfcore.images.phantom import PATHOLOGIES, PhantomCase, render
from cfcore.training.weights import read_card
from services.models import SHIPPED_FOLDER
from services.reproduce.material import (
    RANKING_SEED,
    TEST_SEED,
    Shipped,
    data_hash,
    missing_data,
    phantom_cases,
    radiographs,
)

from .array_sets import SETS, set_named

Part = Literal["val", "test"]
RIVALS = ("vae", "expgan", "c3lt")
SOURCES = (*SETS, "phantom", "ucsd")
ABLATIONS = "ablations"  # under weights/: no models of the application
UNKNOWN = (
    f'does not say whose images it reads: name {", ".join(SOURCES)} in "name" or "dataset", and have both classes of a '
    "pair of theirs (docs/methods/mirror-experiments.md)"
)
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
        name: one of SOURCES: whose images it reads; where a source has several classifiers with decoders,
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
        if self.source not in SETS:
            return missing_data(self._as_shipped())
        place = SETS[self.source]
        if place.path.exists():
            return ""
        return f"{self.classifier.name}: no {place.path} (set CFREADER_DATA to the folder that holds {place.file})"

    def _data_hash(self) -> dict[str, str]:
        return SETS[self.source].digest() if self.source in SETS else data_hash(self._as_shipped())

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
        if self.source in SETS:
            return Pool(*SETS[self.source].images(self.classifier.card["class_names"], part))
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


def entries(models: Path | None = None, folder: Path | None = None) -> list[Entry]:
    """Every classifier with a Mirror-CFE decoder under weights/ or `models` that can be a column, digits first.

    A decoder stands first where it was trained as the tables want it: whole, pairwise, with triangulation at 1.5.

    Raises:
        ValueError: there is none; a card names a classifier that is not there, or, under weights/, does not say whose
            images it reads.
    """
    places = _places(models, folder)
    alike = [model for place in (*places[1:], places[0] / ABLATIONS) for model in _models_in(place)]
    made = []
    for classifier, kinds, source in _trained(places):
        decoders = tuple(sorted(kinds["mirror"], key=_order))
        if source is None:
            if any(model.folder.parent == places[0] for model in decoders):
                raise ValueError(f"{decoders[0].folder.name}/card.json {UNKNOWN}")
            continue
        rivals = {kind: kinds[kind][0] for kind in RIVALS if kind in kinds}
        own = [model for model in alike if model.card["kind"] == "mirror"]
        ablations = tuple(model for model in own if model.card.get("classifier") == classifier.name)
        made.append(Entry(source, source, classifier, decoders, rivals, ablations))
    if not made:
        raise ValueError("no Mirror-CFE decoder is shipped under weights/: train one (cfreader train mirror)")
    order = {pathology: i for i, pathology in enumerate(PATHOLOGIES)}
    made.sort(key=lambda e: (SOURCES.index(e.source), order.get(finding_of(e), 9), e.classifier.name))
    return [_named(entry, made) for entry in made]


def strangers(models: Path) -> list[str]:
    """Decoders in `models` that cannot be a column, as sentences. Raises ValueError as `entries`."""
    return [
        f"{decoder.name}: {decoder.folder.name}/card.json {UNKNOWN}"
        for _, kinds, source in _trained(_places(models))
        for decoder in kinds["mirror"]
        if source is None
    ]


def _places(models: Path | None, folder: Path | None = None) -> list[Path]:
    if models and not any(models.glob("*/card.json")):
        raise ValueError(f"there is no model in {models}: give a folder of model folders, like models/ of a workspace")
    return [folder or SHIPPED_FOLDER, *([models] if models else [])]


def _trained(places: Sequence[Path]) -> list[tuple[Model, dict[str, list[Model]], str | None]]:
    """Classifiers with a decoder, the networks trained for each by their kind, and whose images they read."""
    found = [model for place in places for model in _models_in(place)]
    classifiers = {model.name: model for model in reversed(found) if model.card["kind"] == "classifier"}
    of: dict[str, dict[str, list[Model]]] = {}
    for model in found:
        if model.card["kind"] in ("mirror", *RIVALS):
            of.setdefault(model.card.get("classifier", ""), {}).setdefault(model.card["kind"], []).append(model)
    of = {name: kinds for name, kinds in of.items() if "mirror" in kinds}
    for name, kinds in of.items():
        if name not in classifiers:
            raise ValueError(f"{kinds['mirror'][0].folder.name}/card.json names the classifier {name!r}: not found")
    return [(classifiers[name], kinds, _source(kinds["mirror"][0], classifiers[name])) for name, kinds in of.items()]


def _models_in(place: Path) -> list[Model]:
    return [Model(path.parent, read_card(path.parent)) for path in sorted(place.glob("*/card.json"))]


def _named(entry: Entry, beside: Sequence[Entry]) -> Entry:
    if sum(other.source == entry.source for other in beside) == 1:
        return entry
    return replace(entry, name=f"{entry.source}_{finding_of(entry)}")


def finding_of(entry: Entry) -> str:
    return _word(entry.classifier.card["class_names"][-1])


def _order(decoder: Model) -> tuple[bool, bool, bool, bool]:
    config, recipe = decoder.card["config"], decoder.card.get("recipe", {})
    return (
        config.get("variant", "full") != "full",
        config.get("points", "pairwise") != "pairwise",
        not recipe.get("triangulation_weight", 1.0),
        recipe.get("lam", 1.5) != 1.5,
    )


def _source(decoder: Model, classifier: Model) -> str | None:
    """Whose images a classifier reads, by the names of models and data; None where they say none of SOURCES, or where
    an array set has no pair among the classes."""
    words = f"{decoder.name} {decoder.card.get('dataset', '')} {classifier.name}".casefold()
    told = set_named(words)
    if told is not None:
        return told if SETS[told].led(classifier.card["class_names"]) else None
    return next((source for source in ("phantom", "ucsd") if re.search(rf"\b{source}", words)), None)


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
