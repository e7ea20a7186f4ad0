"""MRI-like slices that no training has seen, with the masks of their lesions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cfcore.images.brain import VERSION, Template, draw

if TYPE_CHECKING:
    from torch import Tensor

# Used before: 7 and below. A training set of this seed would share its people.
BRAIN_SEED = 73


@dataclass(frozen=True)
class Brains:
    """n slices: (n, 1, size, size) images in [0, 1], (n,) labels, (n, 1, size, size) bool masks of the lesions."""

    images: Tensor
    labels: Tensor
    masks: Tensor


def draw_brains(n: int, size: int, seed: int = BRAIN_SEED) -> Brains:
    """Slices of the templates that are here, every other one with a lesion."""
    import torch

    slices = [draw(seed * 1_000_000 + i, _templates(), size, i % 2 == 1) for i in range(n)]
    images = torch.from_numpy(np.stack([found.image for found in slices]))[:, None].float() / 255
    masks = torch.from_numpy(np.stack([found.mask for found in slices]))[:, None]
    return Brains(images, torch.arange(n) % 2, masks)


def missing_templates(name: str, folder: Path) -> str:
    """Why slices like those that a generator was trained on cannot be drawn here, "" where they can.

    Args:
        name: of the generator, for the reason. folder: with its card, which tells the templates of its data set.
    """
    from cfcore.training.weights import read_card

    made = (read_card(folder).get("dataset_meta") or {}).get("brain", {})
    wanted = [template["sha256"] for template in made.get("templates", [])]
    if not wanted or wanted == [template.sha256 for template in _templates()]:
        return ""
    names = " and ".join(template["name"] for template in made["templates"])
    return (
        f"{name}: its slices were drawn from {names}, here are {' and '.join(t.name for t in _templates())} (set "
        "CFREADER_DATA to the folder that holds brain_t1/)"
    )


def templates_hash() -> dict[str, str]:
    """What the slices depend on, for `services.figures.store`."""
    return {"brain": VERSION} | {f"template {t.name}": t.sha256 for t in _templates()}


@lru_cache(maxsize=1)
def _templates() -> tuple[Template, ...]:
    # Imported here: it takes the data folder from the material, which imports this module.
    from services.brain import find_templates

    return tuple(find_templates())
