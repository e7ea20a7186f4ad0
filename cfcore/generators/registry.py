"""Every kind of generator that can be trained here: one entry a kind, plain data. No torch here: pages read it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cfcore.classifiers.architectures import FLATTENED

from .choices import MedXGANChoices, MirrorChoices, StylExChoices, TrainingChoices
from .drawn_choices import C3LTChoices, ExpGANChoices, VAEChoices

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class GeneratorKind:
    """A kind of generator.

    Attributes:
        kind: as model cards and `Engine.generator_kind` name it. title: what people see.
        loader: "module:function" that reads a frozen generator from a model folder.
        choices: what a form asks before one is trained.
        note: what to know before starting, as sentences.
        two_classes: it knows two classes, no more. averaged: it moves what the classifier's last maps average to.
    """

    kind: str
    title: str
    loader: str
    choices: type[TrainingChoices]
    note: str
    two_classes: bool = False
    averaged: bool = False

    def misfit(self, card: Mapping[str, Any]) -> str:
        """Why it cannot be trained against the classifier of a card; "" where nothing speaks against it. A network
        of one's own is not known by its card: it is tried."""
        if self.two_classes and len(card.get("class_names", "..")) != 2:
            return "has more than two classes"
        if self.averaged and card.get("architecture") in FLATTENED:
            return "does not average its last feature maps"
        return ""

    def load(self, folder: Path) -> nn.Module:
        """A frozen generator. Raises ValueError that says what is wrong with the folder."""
        module, name = self.loader.split(":")
        read: Callable[[Path], Any] = getattr(importlib.import_module(module), name)
        found: nn.Module = read(folder)
        return found


GENERATORS: dict[str, GeneratorKind] = {
    entry.kind: entry
    for entry in (
        GeneratorKind(
            "stylex",
            "StylEx",
            "cfcore.generators.stylex.model:load_stylex",
            StylExChoices,
            "On a CPU this takes hours; it can be cancelled and resumed, and sample grids appear on the run's page.",
        ),
        GeneratorKind(
            "medxgan",
            "medXGAN",
            "cfcore.generators.medxgan.model:load_medxgan",
            MedXGANChoices,
            "On a CPU this takes hours; it can be cancelled and resumed, and sample grids appear on the run's page.",
            two_classes=True,
        ),
        GeneratorKind(
            "mirror",
            "Mirror-CFE",
            "cfcore.generators.mirror.model:load_mirror",
            MirrorChoices,
            "The classifier must average its last feature maps (DenseNet, ResNet); it can be cancelled and resumed.",
            averaged=True,
        ),
        GeneratorKind(
            "vae",
            "VAE",
            "cfcore.generators.vae.model:load_vae",
            VAEChoices,
            "REVISE searches in its latent and C3LT moves in it. The classifier gives the size alone.",
        ),
        GeneratorKind(
            "expgan",
            "ExplainGAN",
            "cfcore.generators.expgan.model:load_expgan",
            ExpGANChoices,
            "It can be cancelled and resumed, and sample grids appear on the run's page.",
        ),
        GeneratorKind(
            "c3lt",
            "C3LT",
            "cfcore.generators.c3lt.model:load_c3lt",
            C3LTChoices,
            "It moves in the latent of a VAE: train one for the same classifier first. The newest is taken.",
        ),
    )
}


def generator_kind(kind: str) -> GeneratorKind:
    """The kind called `kind`. Raises ValueError that lists the known ones."""
    if kind not in GENERATORS:
        raise ValueError(f"no generator of kind {kind!r}; known are {', '.join(GENERATORS)}")
    return GENERATORS[kind]


def title_of(kind: str) -> str:
    """What people call a kind; its bare name where it is not known (any more)."""
    return GENERATORS[kind].title if kind in GENERATORS else kind
