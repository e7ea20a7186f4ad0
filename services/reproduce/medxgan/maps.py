"""The maps that are compared: the difference of the two realisations, Grad-CAM, IG, and LIG in both forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cfcore.attribution.gradcam import gradcam
from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.lig import lig, lig_path
from cfcore.attribution.score import Attribution
from cfcore.engines.base import Progress, silent

from .material import BATCH, Column, HeldOut, drawn

TITLES: Mapping[str, str] = {
    "medxgan": "medXGAN",
    "gradcam": "Grad-CAM",
    "ig": "IG",
    "lig": "LIG",
    "lig_path": "LIG-path",
}


@dataclass(frozen=True)
class Explained:
    """Positive images with their latents and maps.

    Attributes:
        z1, z2: of the images, as the engine inverts them. reconstruction, negative: G(z1, z2) and G(z1, 0).
        maps: key of `TITLES` -> (n, 1, size, size), what speaks for the positive class.
    """

    images: Tensor
    z1: Tensor
    z2: Tensor
    reconstruction: Tensor
    negative: Tensor
    maps: dict[str, Tensor]


def explained(column: Column, found: HeldOut, progress: Progress = silent) -> Explained:
    """Invert the images and make the maps of Table 2: |G(z1, z2) - G(z1, 0)|, Grad-CAM and IG (black baseline) of the
    images themselves."""
    z1, z2 = column.latents(found.images, progress)
    reconstruction, negative = drawn(column, z1, z2), drawn(column, z1, torch.zeros_like(z2))
    maps = {
        "medxgan": (reconstruction - negative).abs(),
        "gradcam": gradcam(column.score, found.images),
        "ig": integrated_gradients(column.score, found.images).values,
    }
    return Explained(found.images, z1, z2, reconstruction, negative, maps)


def latent_maps(column: Column, found: Explained, steps: int) -> dict[str, Attribution]:
    """LIG as published and along the path, of the reconstructions."""
    made = {}
    for key, method in (("lig", lig), ("lig_path", lig_path)):
        pairs = zip(found.z1.split(BATCH), found.z2.split(BATCH), strict=True)
        parts = [method(column.score, column.generator.decode, z1, z2, steps) for z1, z2 in pairs]
        made[key] = Attribution(torch.cat([p.values for p in parts]), torch.cat([p.change for p in parts]))
    return made
