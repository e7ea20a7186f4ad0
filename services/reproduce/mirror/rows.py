"""A method's rows and figures out of its counterfactuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cfcore.engines.base import Progress, silent
from cfcore.metrics.comparison import Comparison, denoised_sweep, measure
from cfcore.metrics.frechet import features_of, frechet_distance
from cfcore.metrics.lpips import LPIPS
from cfcore.study.estimate import Estimate, undefined
from services.reproduce.result import Row

from .columns import Column, Led
from .methods import AT_MIRROR, Choice, Method, Outcome, outcomes
from .tuning import chosen

# The paper's MNIST row: L1, LPIPS, FID, denoised validity, validity, % fail.
PAPER: Mapping[str, tuple[float, float, float, float, float, float]] = {
    "mirror": (0.16, 0.17, 3.25, 0.99, 1.0, 0.0), "mirror_k1": (0.26, 0.33, 3.20, 0.99, 1.0, 0.0),
    "pgd": (0.42, 0.31, 15.6, 0.74, 1.0, 0.0), "cem": (0.32, 0.06, 2.71, 0.16, 0.03, 0.1672),
    "revise": (0.08, 0.15, 1.96, 0.15, 0.02, 0.0977), "expgan": (0.25, 0.31, 26.22, 0.61, 1.0, 0.0),
    "c3lt": (0.17, 0.25, 8.95, 0.79, 1.0, 0.0),
}  # fmt: skip
PAPER_NAMES = ("paper_l1", "paper_lpips", "paper_fid", "paper_denoised_validity", "paper_validity", "paper_fail")


@dataclass(frozen=True)
class Real:
    """Held-out images of the target classes that no method is given, with classes and features."""

    images: Tensor
    classes: Tensor
    features: Tensor


def real_of(column: Column, most: int, led: int) -> Real:
    """`most` a class; `led`: the number of images that the methods are given."""
    images, classes = column.real("test", most, led)
    return Real(images, classes, features_of(column.classifier, images))


@dataclass(frozen=True)
class Measured:
    """A method, or one of the two columns of Mirror-CFE, on all images.

    Attributes:
        key: of the method; with `AT_MIRROR` behind it for k = 1. title: what people see.
    """

    key: str
    title: str
    outcome: Outcome
    comparison: Comparison
    sweep: Mapping[float, Estimate]
    choice: Choice

    @property
    def front(self) -> str:
        """What names of its figures begin with: nothing for Mirror-CFE."""
        key = self.key.removesuffix(AT_MIRROR)
        return "" if key == "mirror" else f"{key}_"

    @property
    def ending(self) -> str:
        return AT_MIRROR if self.key.endswith(AT_MIRROR) else ""

    def figures(self, column: str) -> dict[str, float]:
        """Every measure by the name of its figure."""
        found = {}
        for name, value in self.comparison.flat().items():
            if name.startswith(("denoised_real", "spread_real")):
                continue
            bound = next((end for end in ("_low", "_high") if name.endswith(end)), "")
            bare = name.removesuffix(bound)
            if bare == "failed":
                bare = "fail"
            if bare == "confidence_error" and not self.ending:
                bare = "confidence_error_first"  # The bare name is the mean over k.
            found[f"{self.front}{column}_{bare}{self.ending}{bound}"] = value
        return found

    def row(self, column: str) -> Row:
        values = {name: one.value for name, one in self.comparison.estimates().items()}
        values["fail"] = values.pop("failed")
        theirs = PAPER.get(self.key) if column == "mnist" else None
        paper = dict(zip(PAPER_NAMES, theirs or (None,) * len(PAPER_NAMES), strict=True))
        k = self.outcome.k
        told = {"kind": "method", "column": column, "method": self.key, "title": self.title, "n": self.comparison.n}
        told |= {"choice": self.choice.told, "mean_k": None if k is None else k.mean().item()}
        sweep = {f"denoised_validity_{sigma:g}": one.value for sigma, one in self.sweep.items()}
        return told | values | sweep | paper


def measured(
    column: Column,
    methods: Sequence[Method],
    led: Sequence[Led],
    validation: Sequence[Led] | None,
    real: Real,
    *,
    brief: bool = False,
    lpips: LPIPS | None = None,
    progress: Progress = silent,
) -> tuple[list[Measured], list[Row]]:
    """Every method on all images with the settings that `validation` images choose (None: each method's first), and
    the rows of that choice. `brief`: with few steps. `lpips`: measures it."""
    found: list[Measured] = []
    rows: list[Row] = []
    for i, method in enumerate(methods):

        def tell(share: float, message: str, begun: int = i, title: str = method.title) -> None:
            progress((begun + share) / len(methods), f"{title}: {message}")

        choice = method.choices[0]
        if validation is not None:
            choice, tried = chosen(method, column, validation, tell)
            rows += tried
        choice = choice.brief() if brief else choice
        for ending, outcome in outcomes(method, column, led, choice, tell).items():
            title = f"{method.title}, {'k = 1' if ending else '1st'}" if method.kind == "mirror" else method.title
            found.append(_measured(column, method.key + ending, title, outcome, real, choice, lpips))
    return found, rows


def _measured(
    column: Column, key: str, title: str, outcome: Outcome, real: Real, choice: Choice, lpips: LPIPS | None
) -> Measured:
    comparison = measure(
        key,
        column.classifier,
        outcome.images,
        outcome.pictures,
        outcome.found,
        outcome.target,
        real=real.images,
        real_classes=real.classes,
        intended=outcome.intended,
        wanted=outcome.wanted,
        seconds=outcome.seconds,
        lpips=lpips,
    )
    sweep = denoised_sweep(column.classifier, outcome.pictures, outcome.target, outcome.found)
    comparison = replace(comparison, fid=fid_by_class(column, outcome, real))
    return Measured(key, title, outcome, comparison, sweep, choice)


def fid_by_class(column: Column, outcome: Outcome, real: Real) -> Estimate:
    """Mean over target classes of the Frechet distance between the pictures led to a class and real images of it.

    Class by class, since images led both ways have the classes' mixture unchanged, and so a small distance from real
    ones, even where nothing is moved.
    """
    features, found = features_of(column.classifier, outcome.pictures), []
    for target in column.targets:
        rows, own = outcome.found & (outcome.target == target), real.classes == target
        if min(int(rows.sum()), int(own.sum())) < 2:
            return undefined("fewer than two pictures of a class")
        found.append(frechet_distance(features[rows], real.features[own]))
    return Estimate(float(torch.tensor(found).mean()), n=int(outcome.found.sum()))
