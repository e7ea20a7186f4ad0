"""What the rivals' own papers show of digits, from the classifier and the networks of the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cfcore.engines.base import Progress
from cfcore.engines.cem import CEMConfig

from .array_sets import as_many
from .columns import Column, column_of
from .command import ALL_RIVALS, Block, Wish, carry_out, chosen_entries, with_images
from .material import Entry
from .rivals_networks import composites, latent_paths, transitions
from .rivals_pixels import attacks, negatives, trade_offs

NAME = "reproduce-mirror-rivals"
MODULES = ("rivals.py", "rivals_pixels.py", "rivals_networks.py")


@dataclass(frozen=True)
class Extent:
    """How much of everything. Numbers of images are over all directions.

    Attributes:
        images: by source, for the curves of PGD, C3LT and ExplainGAN. budgets: of PGD; attack_steps: for each.
        weighed: images of Wachter's rounds; rounds, with lambda four times as large from one to the next; descent:
            steps in each. negatives: images of CEM; searches, search_steps; gammas: weights of its autoencoder; kappa.
        paths: images of REVISE; path_steps, at most. degrees: of C3LT. shown: rows of every sheet.
    """

    images: Mapping[str, int] = field(default_factory=lambda: {"mnist": 96})
    budgets: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    attack_steps: int = 20
    weighed: int = 24
    rounds: int = 6
    descent: int = 40
    negatives: int = 12
    searches: int = 6
    search_steps: int = 60
    gammas: tuple[float, ...] = (0.0, 10.0)
    kappa: float = 5.0
    paths: int = 6
    path_steps: int = 100
    degrees: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    shown: int = 6


QUICK = Extent(
    {"mnist": 6}, budgets=(0.1, 0.3), attack_steps=5, weighed=6, rounds=4, descent=6, negatives=6, searches=2,
    search_steps=12, paths=6, path_steps=20, degrees=(0.0, 0.5, 1.0), shown=3,
)  # fmt: skip


def rivals(wish: Wish) -> dict[str, Any]:
    """Every rival does what its own paper shows of it, on held-out digits of the classifier of table 1.

    Figures, Wilson for shares, t over images for means: `pgd_mnist_success_at_<budget>` and `_accuracy_at_`,
    `wachter_mnist_validity_at_<lambda>`, `_p_at_` and `_l1_at_`, `cem_mnist_found_gamma_<gamma>`, `_other_class_`,
    `_darker_`, `_l1_` and `_autoencoder_error_`, `revise_mnist_flipped` and `_steps_to_flip`,
    `c3lt_mnist_validity_at_<degree>`, `_p_at_` and `_l1_at_`, `expgan_mnist_composite_validity`, `_mask_share` and
    `_mask_decided`. Rows: one a point of a curve, an image of CEM, a step of a path; `kind` tells whose.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries` and `carry_out`.
    """
    extent = with_images(QUICK if wish.quick else Extent(), wish)
    here = chosen_entries(wish, ("mnist",))
    return carry_out(NAME, MODULES, extent, here, partial(work, extent), wish, sources=ALL_RIVALS)


def work(extent: Extent, entry: Entry, progress: Progress) -> Block:
    """One column."""
    return own_figures(column_of(entry), as_many(extent.images, entry.source), extent, progress)


def own_figures(column: Column, images: int, extent: Extent, progress: Progress) -> Block:
    """All rivals whose networks the column has; `images` of the curves, over all directions."""
    added = CEMConfig(kappa=extent.kappa, searches=extent.searches, steps=extent.search_steps)
    parts = {
        "PGD": lambda tell: attacks(column, images, extent.budgets, extent.attack_steps, tell),
        "Wachter": lambda tell: trade_offs(column, extent.weighed, extent.rounds, extent.descent, tell),
        "CEM": lambda tell: negatives(column, extent.negatives, extent.gammas, added, extent.shown, tell),
    }
    if "vae" in column.networks:
        parts["REVISE"] = lambda tell: latent_paths(column, extent.paths, extent.path_steps, extent.shown, tell)
    if "c3lt" in column.networks:
        parts["C3LT"] = lambda tell: transitions(column, images, extent.degrees, extent.shown, tell)
    if "expgan" in column.networks:
        parts["ExplainGAN"] = lambda tell: composites(column, images, extent.shown, tell)
    blocks = []
    for i, (name, part) in enumerate(parts.items()):

        def tell(share: float, message: str, begun: int = i, title: str = name) -> None:
            progress((begun + share) / len(parts), f"{title}: {message}")

        blocks.append(part(tell))
    figures = {key: value for block in blocks for key, value in block.figures.items()}
    rows = [row for block in blocks for row in block.rows]
    return Block(figures, rows, [picture for block in blocks for picture in block.pictures])
