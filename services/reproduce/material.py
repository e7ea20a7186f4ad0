"""What a reproduction works on: the shipped generators, found by their cards, and images that none of them has seen."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from cfcore.images.phantom import PATHOLOGIES, SHORTCUT, VERSION, PhantomCase, render, sample_patient
from services.figures import ROOT
from services.images import pad_to_square
from services.models import SHIPPED_FOLDER

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from cfcore.classifiers.base import Classifier
    from cfcore.generators.stylex import StylEx

Source = Literal["phantom", "ucsd", "nih", "mri"]

FOLDERS: dict[str, tuple[str, ...]] = {"ucsd": ("ucsd224/",), "nih": ("nih64/", "nih256/")}
# Used before: 1000 (training), 910,000 (demo), 7 (`bench phantom`), 55 (the cards). The measuring network's patients
# start at 900,000,000, which no seed below reaches.
RANKING_SEED, TEST_SEED = 71, 72
CHUNK = 64
SOURCE_CLASS, TARGET_CLASS = 0, 1


@dataclass(frozen=True)
class Shipped:
    """A generator under weights/ with the classifier that it was trained against.

    Attributes:
        key: what its figures are called: "cardiomegaly" (a phantom's pathology), "cardiomegaly_shortcut" (the coupled
            phantom), "ucsd", "nih_effusion"; with the side in pixels where that is not 64.
        source: whose images it draws ("mri": computed brain slices). finding: its positive class in small letters.
        shortcut: the coupled phantom. classes: (negative, positive), as in the data's labels.
    """

    key: str
    name: str
    source: Source
    finding: str
    shortcut: bool
    size: int
    classes: tuple[str, str]
    folder: Path
    classifier_folder: Path

    @property
    def inputs(self) -> dict[str, str]:
        """Hashes of what figures depend on."""
        from cfcore.training.weights import read_card

        return {
            f"{self.key} generator": str(read_card(self.folder)["sha256"]),
            f"{self.key} classifier": str(read_card(self.classifier_folder)["sha256"]),
        }

    def load(self) -> tuple[Classifier, StylEx]:
        """The frozen pair, of one size. Raises ValueError where a folder or the pair is not sound."""
        from cfcore.classifiers.store import load_classifier
        from cfcore.generators.stylex.model import load_stylex

        return load_classifier(self.classifier_folder), load_stylex(self.folder)


def shipped_generators(folder: Path = SHIPPED_FOLDER, kind: str = "stylex") -> list[Shipped]:
    """Every generator of a kind under `folder`, phantoms first, in the order of the phantom's pathologies, then by key.

    Raises:
        ValueError: a card names a classifier that is not there, or does not say whose images it draws.
    """
    from cfcore.training.weights import read_card

    cards = {path.parent: read_card(path.parent) for path in sorted(folder.glob("*/card.json"))}
    classifiers = {card["name"]: path for path, card in cards.items() if card["kind"] == "classifier"}
    found = []
    for path, card in cards.items():
        if card["kind"] != kind:
            continue
        name = card.get("classifier", "")
        if name not in classifiers:
            raise ValueError(f"{path.name}/card.json names the classifier {name!r}, which is not under {folder.name}/")
        found.append(_shipped(path, card, classifiers[name], cards[classifiers[name]]))
    order = {p: i for i, p in enumerate(PATHOLOGIES)}
    return sorted(found, key=lambda g: (g.source != "phantom", order.get(g.finding, 9), g.shortcut, g.size, g.key))


def _shipped(folder: Path, card: dict[str, Any], classifier_folder: Path, classifier: dict[str, Any]) -> Shipped:
    words = f"{card['name']} {card.get('dataset', '')} {classifier['name']}".casefold()
    source = next((s for s in get_args(Source) if re.search(rf"\b{s}", words)), None)
    negative, positive = classifier["class_names"]
    finding = re.sub(r"[^a-z0-9]+", "_", positive.casefold()).strip("_")
    if source is None or (source == "phantom" and finding not in PATHOLOGIES):
        raise ValueError(
            f"{folder.name}/card.json does not say whose images it draws: name phantom and its pathology, ucsd, nih or "
            'mri in "name" or "dataset"'
        )
    couple = (card.get("dataset_meta") or {}).get("phantom", {}).get("couple")
    shortcut = source == "phantom" and ("shortcut" in words or bool(couple))
    key = {"phantom": finding, "ucsd": "ucsd"}.get(source, f"{source}_{finding}")
    size = int(card["config"]["size"])
    key += ("_shortcut" if shortcut else "") + (f"_{size}px" if size != 64 else "")
    return Shipped(
        key,
        card["name"],
        source,  # type: ignore[arg-type]
        finding,
        shortcut,
        size,
        (negative, positive),
        folder,
        classifier_folder,
    )


def data_folder() -> Path:
    """Where real radiographs are looked for: $CFREADER_DATA, else shared/data beside the project."""
    return Path(os.environ.get("CFREADER_DATA") or ROOT.parent / "shared" / "data")


def missing_data(shipped: Shipped) -> str:
    """Why a generator's images cannot be had here, "" where they can."""
    if shipped.source == "mri":
        from services.reproduce.brains import missing_templates

        return missing_templates(shipped.name, shipped.folder)
    table = data_folder() / "cxr" / "labels.csv"
    if shipped.source == "phantom" or table.exists():
        return ""
    return (
        f"{shipped.name}: no radiographs at {table.parent} (set CFREADER_DATA to the folder that holds cxr/labels.csv)"
    )


def data_hash(shipped: Shipped) -> dict[str, str]:
    """What its images depend on, for `services.figures.store`."""
    if shipped.source == "phantom":
        return {"phantom": VERSION}
    if shipped.source == "mri":
        from services.reproduce.brains import templates_hash

        return templates_hash()
    table = data_folder() / "cxr" / "labels.csv"
    return {"labels.csv": hashlib.sha256(table.read_bytes()).hexdigest()} if table.exists() else {}


def phantom_cases(shipped: Shipped, seed: int) -> Iterator[PhantomCase]:
    """Phantom patients of the generator's pathology (and shortcut) one after another, half of them positive."""
    couple = SHORTCUT if shipped.shortcut else None
    for i in range(1_000_000):
        number = seed * 1_000_000 + i
        label = bool(np.random.Generator(np.random.SFC64(number)).random() < 0.5)
        patient = sample_patient(number, shipped.finding, label, couple)
        yield PhantomCase(patient, int(label), "test", f"phantom-{number:09d}")


def radiographs(shipped: Shipped, split: str, size: int | None = None) -> tuple[Tensor, Tensor]:
    """All images of a split with one of the generator's two labels: (n, 1, size, size) in [0, 1] and (n,) labels.

    `size`: other side in pixels than the generator's.

    Raises:
        FileNotFoundError: the data are not here; says where they were looked for.
        ValueError: the split has no such image.
    """
    import torch

    from cfcore.classifiers.base import resize
    from cfcore.images.reading import read_image

    if reason := missing_data(shipped):
        raise FileNotFoundError(reason)
    folder = data_folder() / "cxr"
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            (row["path"], labels)
            for row in csv.DictReader(file)
            if row["split"] == split
            and row["path"].startswith(FOLDERS[shipped.source])
            and (labels := set(row["finding_labels"].split("|"))) & set(shipped.classes)
        ]
    if not rows:
        raise ValueError(f"no image of the {split} split is labelled {' or '.join(shipped.classes)} for {shipped.name}")
    images = []
    for path, _ in rows:
        image = read_image(folder / path)
        unit = pad_to_square(image.pixels.astype(np.float32) / np.float32(image.max_value))
        images.append(resize(torch.from_numpy(unit)[None, None], (size or shipped.size,) * 2))
    return torch.cat(images), torch.tensor([int(shipped.classes[1] in labels) for _, labels in rows])


@dataclass(frozen=True)
class Images:
    """Images that C gives the source class, (n, 1, size, size) in [0, 1]; `cases` where they are phantoms."""

    images: Tensor
    cases: tuple[PhantomCase, ...] = ()

    def __len__(self) -> int:
        return len(self.images)


def source_images(
    shipped: Shipped, classifier: Classifier, part: Literal["rank", "test"], most: int, size: int | None = None
) -> Images:
    """Up to `most` images that C calls healthy (the source class), none of them seen in training.

    `size`: other side in pixels than the generator's.

    Phantoms: of the seed of that part. Real radiographs: of the val split for "rank", of the test split for "test",
    thinned evenly where there are more.

    Raises:
        FileNotFoundError, ValueError: as `radiographs`; C calls no image healthy.
    """
    if shipped.source == "phantom":
        seed = {"rank": RANKING_SEED, "test": TEST_SEED}[part]
        return _phantoms(shipped, classifier, seed, most, size or shipped.size)
    images, _ = radiographs(shipped, {"rank": "val", "test": "test"}[part], size)
    images = images[classes(classifier, images) == SOURCE_CLASS]
    if len(images) == 0:
        raise ValueError(f"{shipped.name}: the classifier calls no image of this split {shipped.classes[0]!r}")
    return Images(evenly(images, most))


def _phantoms(shipped: Shipped, classifier: Classifier, seed: int, most: int, size: int) -> Images:
    import torch

    kept: list[Tensor] = []
    cases: list[PhantomCase] = []
    walk = phantom_cases(shipped, seed)
    # A classifier that calls almost nothing healthy must end in an error, not in a million phantoms.
    at_once = min(CHUNK, 2 * most)
    for _ in range(0, 20 * most + CHUNK, at_once):
        chunk = [next(walk) for _ in range(at_once)]
        images = torch.from_numpy(np.stack([render(case.patient, size) for case in chunk]))[:, None]
        healthy = (classes(classifier, images) == SOURCE_CLASS).nonzero()[:, 0].tolist()
        kept += [images[i] for i in healthy]
        cases += [chunk[i] for i in healthy]
        if len(kept) >= most:
            return Images(torch.stack(kept[:most]), tuple(cases[:most]))
    raise ValueError(f"{shipped.name}: the classifier calls hardly any phantom {shipped.classes[0]!r}")


def classes(classifier: Classifier, images: Tensor) -> torch.Tensor:
    """(n,) class that C gives to images of any resolution."""
    from cfcore.metrics.validity import classes_of

    return classes_of(classifier, images)


def training_images(shipped: Shipped, most: int = 256) -> Tensor:
    """(n, 1, size, size) images of both classes: phantoms of the ranking seed, or the val split. The ends of AttFind's
    coordinates are taken over them."""
    import torch

    if shipped.source == "phantom":
        cases = list(islice(phantom_cases(shipped, RANKING_SEED), most))
        return torch.from_numpy(np.stack([render(case.patient, shipped.size) for case in cases]))[:, None]
    images, _ = radiographs(shipped, "val")
    return evenly(images, most)


def evenly(items: Tensor, most: int) -> Tensor:
    """At most `most` of (n, ...) items, every so many, both ends among them."""
    import torch

    if len(items) <= most:
        return items
    return items[torch.linspace(0, len(items) - 1, most).round().long()]
