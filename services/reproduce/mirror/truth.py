"""On the phantom the truth is known: how much of a change lies where the finding is, and how much inside the lungs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cfcore.images.phantom import changed_region, counterfactual
from cfcore.images.phantom.masks import masks
from cfcore.metrics.means import t_mean
from services.reproduce.medxgan.material import HEALTHY, POSITIVE
from services.reproduce.result import spread

from .columns import Column, Led
from .methods import Outcome


def regions(column: Column, led: Sequence[Led]) -> tuple[Tensor, Tensor] | None:
    """(n, 1, size, size) bool each, for all images in their order: the truly changed region, and the lungs. None where
    the images are no phantoms.

    Changed: pixels that differ by more than 0.02 between a patient with the finding and the same patient without;
    nowhere for patients without it, since the finding could come in many places. Lungs: both aerated fields of the
    patient without the finding, so that an effusion lies in them.
    """
    if not column.finding or not all(one.cases for one in led):
        return None
    size, changed, lungs = led[0].images.shape[2], [], []
    for one in led:
        for case in one.cases:
            healthy = counterfactual(case.patient, **HEALTHY[column.finding])
            positive = one.source == POSITIVE
            changed.append(changed_region(case.patient, healthy, size) if positive else np.zeros((size, size), bool))
            fields = masks(healthy, size)
            lungs.append(fields["left lung"] | fields["right lung"])
    return torch.from_numpy(np.stack(changed))[:, None], torch.from_numpy(np.stack(lungs))[:, None]


def inside(outcome: Outcome, region: Tensor) -> Tensor:
    """(m,) share of the sum of |x' - x| inside the region, of the images that have a counterfactual, a region, and
    any change."""
    change = (outcome.pictures - outcome.images).abs().sum(dim=1, keepdim=True)
    whole, part = (values.flatten(1).sum(dim=1) for values in (change, change * region))
    usable = outcome.found & region.flatten(1).any(dim=1) & (whole > 0)
    return part[usable] / whole[usable]


def truth_figures(name: str, ending: str, outcome: Outcome, found: tuple[Tensor, Tensor]) -> dict[str, float]:
    """`<name>_inside_changed<ending>` and `<name>_inside_lungs<ending>` with t intervals over images."""
    figures: dict[str, float] = {}
    for what, region in zip(("changed", "lungs"), found, strict=True):
        figures |= spread(f"{name}_inside_{what}{ending}", t_mean(inside(outcome, region).numpy()))
    return figures


def areas(name: str, found: tuple[Tensor, Tensor]) -> dict[str, float]:
    """`<name>_area_changed`, `<name>_area_lungs`: what an even change would have inside, by their share of pixels."""
    changed, lungs = found
    some = changed[changed.flatten(1).any(dim=1)]
    return {
        f"{name}_area_{what}": region.float().mean().item()
        for what, region in (("changed", some), ("lungs", lungs))
        if len(region)
    }
