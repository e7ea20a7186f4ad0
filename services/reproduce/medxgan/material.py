"""What the experiments work on: the shipped medXGAN generators, held-out images, and these images' latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier
from cfcore.classifiers.store import load_classifier
from cfcore.engines.base import Progress, silent
from cfcore.engines.medxgan import MedXGANConfig, MedXGANEngine
from cfcore.generators.medxgan import MedXGAN, load_medxgan
from cfcore.images.phantom import PhantomCase, changed_region, counterfactual, render
from cfcore.metrics.validity import classes_of
from services.models import SHIPPED_FOLDER
from services.reproduce.brains import draw_brains
from services.reproduce.material import TEST_SEED, Shipped, evenly, phantom_cases, radiographs, shipped_generators

NEGATIVE, POSITIVE = 0, 1
BATCH = 16
# The factors that are each pathology, where it is absent.
HEALTHY: dict[str, dict[str, float]] = {
    "cardiomegaly": {"cardiothoracic_ratio": 0.442},
    "effusion": {"effusion_left": 0.0, "effusion_right": 0.0},
    "atelectasis": {"atelectasis": 0.0, "mediastinal_shift": 0.0},
}


@dataclass(frozen=True)
class Column:
    """A column of the tables: a shipped medXGAN generator.

    Attributes:
        name: "phantom", "ucsd", "mri", or the generator's key where its images have several generators.
        engine: with the settings that a user finds; classifier and generator are its own.
    """

    name: str
    shipped: Shipped
    engine: MedXGANEngine

    @property
    def classifier(self) -> Classifier:
        return self.engine.classifier

    @property
    def generator(self) -> MedXGAN:
        return self.engine.generator

    @property
    def end(self) -> str:
        """What names of figures end in that the phantom's have bare, like `drop_medxgan`."""
        return "" if self.name == "phantom" else f"_{self.name}"

    @property
    def score(self) -> Score:
        """The margin of the positive class, of which every map tells its part."""
        return Score(self.classifier, POSITIVE)

    def held_out(self, most: int) -> HeldOut:
        """Up to `most` images of its kind that no training has seen."""
        return held_out(self.shipped, most)

    def latents(self, images: Tensor, progress: Progress = silent) -> tuple[Tensor, Tensor]:
        """z1 (n, anatomy) and z2 (n, pathology) of images, by the engine's inversion, remembered by it."""
        codes = []
        for i, chunk in enumerate(images.split(BATCH)):
            progress(i * BATCH / len(images), f"{self.name}: inverting image {i * BATCH + 1} of {len(images)}")
            codes.append(self.engine.encode(chunk, NEGATIVE))
        return self.engine.latents(torch.cat(codes))


def shipped_medxgan() -> list[Shipped]:
    """The shipped generators. Raises ValueError where there is none."""
    found = [g for g in shipped_generators(SHIPPED_FOLDER, MedXGAN.kind) if not g.shortcut]
    if not found:
        raise ValueError(
            "no medXGAN generator is shipped under weights/: train one (cfreader train medxgan) and put it there"
        )
    return found


def column_of(shipped: Shipped, beside: Sequence[Shipped]) -> Column:
    """The column of a generator among all that are shipped."""
    alone = sum(g.source == shipped.source for g in beside) == 1
    return Column(shipped.source if alone else shipped.key, shipped, _engine(shipped.folder, shipped.classifier_folder))


@lru_cache(maxsize=4)
def _engine(folder: Path, classifier_folder: Path) -> MedXGANEngine:
    # One a process: all experiments share the latents that it remembers.
    return MedXGANEngine(load_classifier(classifier_folder), load_medxgan(folder), MedXGANConfig())


@dataclass(frozen=True)
class HeldOut:
    """Images that no training has seen.

    Attributes:
        images: (n, 1, size, size) in [0, 1]. labels: (n,), 1 with the finding.
        masks: (n, 1, size, size) bool lesions of MRI-like slices, else None. cases: of phantoms, else empty.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor | None = None
    cases: tuple[PhantomCase, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor) -> HeldOut:
        """The images of (k,) rows."""
        masks = None if self.masks is None else self.masks[rows]
        return HeldOut(self.images[rows], self.labels[rows], masks, tuple(self.cases[i] for i in rows if self.cases))

    def changed(self, finding: str) -> Tensor | None:
        """(n, 1, size, size) bool: the region that is there because of the finding; None where nobody knows it.

        Phantoms: where the patient and the same patient without the finding differ by more than 0.02. MRI-like: the
        lesion's mask.
        """
        if not self.cases:
            return self.masks
        size = self.images.shape[2]
        regions = [changed_region(c.patient, counterfactual(c.patient, **HEALTHY[finding]), size) for c in self.cases]
        return torch.from_numpy(np.stack(regions))[:, None]


@lru_cache(maxsize=4)
def held_out(shipped: Shipped, most: int) -> HeldOut:
    """Up to `most` images of both classes: phantoms of the test seed, the test split of real radiographs, MRI-like
    slices of a seed of their own."""
    if shipped.source == "phantom":
        cases = tuple(islice(phantom_cases(shipped, TEST_SEED), most))
        images = torch.from_numpy(np.stack([render(case.patient, shipped.size) for case in cases]))[:, None]
        return HeldOut(images, torch.tensor([case.label for case in cases]), cases=cases)
    if shipped.source == "mri":
        brains = draw_brains(most, shipped.size)
        return HeldOut(brains.images, brains.labels, brains.masks)
    images, labels = radiographs(shipped, "test")
    rows = evenly(torch.arange(len(images)), most)
    return HeldOut(images[rows], labels[rows])


def positives(column: Column, pool: int, most: int) -> HeldOut:
    """Up to `most` images of the pool that have the finding, and that C calls positive.

    Raises:
        ValueError: C calls none of them positive.
    """
    found = column.held_out(pool)
    called = classes_of(column.classifier, found.images) == POSITIVE
    rows = (called & (found.labels == POSITIVE)).nonzero()[:, 0]
    if not len(rows):
        raise ValueError(f"{column.shipped.name}: the classifier calls no image with the finding positive")
    return found.take(evenly(rows, most))


def drawn(column: Column, z1: Tensor, z2: Tensor) -> Tensor:
    """(n, 1, size, size): G(z1, z2), in batches."""
    pairs = zip(z1.split(64), z2.split(64), strict=True)
    with torch.no_grad():
        return torch.cat([column.generator.decode(*pair) for pair in pairs])
