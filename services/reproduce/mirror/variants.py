"""Tables of Mirror-CFE alone: ways to the mirror image (2), against C3LT (3), skips (5), triangulation (6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from cfcore.engines.base import Progress
from cfcore.engines.mirror import MirrorCFEConfig
from cfcore.generators.mirror.model import VARIANTS
from services.reproduce.result import Row

from .array_sets import as_many
from .columns import Column, column_of
from .command import LATENT_RIVALS, Block, Wish, carry_out, chosen_entries, with_images
from .material import Entry, Model
from .methods import METHODS, Choice, Method
from .rows import measured, real_of
from .table1 import MODULES as COMPARING
from .table1 import QUICK as QUICK_COMPARISON
from .table1 import Extent as Comparison
from .table1 import choices
from .table1 import work as compared

MODULES = ("variants.py", "rows.py", "tuning.py")
# L1, FID, denoised validity and validity, by the ending of the row's method.
Paper = Mapping[str, tuple[float, float, float, float]]
PAPER_NAMES = ("paper_l1", "paper_fid", "paper_denoised_validity", "paper_validity")
# Table 2: MNIST, at k = 1. Table 3: CelebA-HQ. Table 5: CelebA-HQ, at k = 1.
# Table 6: Fashion-MNIST; the values of lam were lost, so only the row without triangulation can be told.
PAPER2: Paper = {"pairwise_k1": (0.26, 3.20, 0.99, 1.0), "multiclass_k1": (0.27, 6.94, 0.99, 1.0)}
PAPER3: Paper = {
    "c3lt": (0.21, 35.28, 0.81, 1.0), "mirror": (0.08, 8.78, 0.87, 0.94), "mirror_k1": (0.08, 8.97, 0.89, 0.94),
}  # fmt: skip
PAPER5: Paper = {
    "skip_k1": (0.07, 4.20, 0.03, 0.03), "spe_k1": (0.14, 40.12, 0.78, 0.78), "full_k1": (0.08, 8.97, 0.89, 0.94),
}  # fmt: skip
PAPER6: Paper = {"lam_none": (0.115, 2.469, 0.996, 0.994), "lam_none_k1": (0.248, 4.227, 0.921, 0.971)}
TITLES = {"skip": "skips as they are", "spe": "SPE, no prior mask", "full": "full"}

# Key, title, column and settings of a row.
Kind = tuple[str, str, Column, Choice]


@dataclass(frozen=True)
class Extent:
    """Images a column by source, over all directions; real images a class for FID and ceilings."""

    images: Mapping[str, int] = field(default_factory=lambda: {"mnist": 192, "phantom": 60, "ucsd": 60})
    real: int = 100
    brief: bool = False


QUICK = Extent({"mnist": 12, "phantom": 4, "ucsd": 4}, real=16, brief=True)


def table2(wish: Wish) -> dict[str, Any]:
    """The mirror image of two classes against that which keeps all other classes, on ten digits.

    Both are drawn by the same decoder, which reads a point whatever way it was found; one that was trained with
    multi-class points has a row of its own, and before it one that was trained alike with pairwise ones. Figures:
    `pairwise_mnist_l1_k1`, `multiclass_mnist_...`, `pairwise_own_mnist_...`, `multiclass_own_mnist_...`, and without
    `_k1` of the first counterfactual.

    Raises:
        ValueError, FileNotFoundError: as `chosen_entries` and `carry_out`.
    """
    here = chosen_entries(wish, ("mnist",))
    return _table(wish, "reproduce-mirror-table2", here, ways, PAPER2)


def table3(wish: Wish) -> dict[str, Any]:
    """C3LT against Mirror-CFE on UCSD pneumonia, as in table 1.

    Raises:
        ValueError: no C3LT or no decoder of UCSD is there. FileNotFoundError: as `carry_out`.
    """
    missing = (
        "table 3 needs a Mirror-CFE decoder and a C3LT of UCSD pneumonia: train them (cfreader train mirror, c3lt)"
    )
    here = chosen_entries(wish, ("ucsd",), lambda entry: "c3lt" in entry.rivals, missing)
    extent = with_images(QUICK_COMPARISON if wish.quick else Comparison(), wish)
    extent = extent if wish.tune else replace(extent, validation=0)

    def work(entry: Entry, progress: Progress) -> Block:
        block = compared(extent, ("mirror", "c3lt"), entry, progress)
        return Block(block.figures, with_paper(block.rows, PAPER3), block.pictures)

    told = {"choices": choices()}
    name, modules = "reproduce-mirror-table3", ("variants.py", *COMPARING)
    return carry_out(name, modules, extent, here, work, wish, kinds=("c3lt",), sources=LATENT_RIVALS, told=told)


def table5(wish: Wish) -> dict[str, Any]:
    """Skips as they are, edited (SPE), and edited under the prior mask (full), on UCSD pneumonia; each a decoder of its
    own. Figures: `skip_ucsd_...`, `spe_ucsd_...`, `full_ucsd_...`.

    Raises:
        ValueError: fewer than two variants are there. FileNotFoundError: as `carry_out`.
    """
    missing = _train("table 5", "--variant skip, --variant spe")
    here = chosen_entries(wish, ("ucsd",), lambda entry: len(by_variant(entry)) > 1, missing)
    return _table(wish, "reproduce-mirror-table5", here, partial(decoders, by_variant), PAPER5, every=True)


def table6(wish: Wish) -> dict[str, Any]:
    """The bound lam of the triangulation loss, and training without that loss; each a decoder of its own, of any column
    that has several. Figures: `lam_1_mnist_...`, `lam_1.5_mnist_...`, `lam_none_mnist_...`.

    Raises:
        ValueError: fewer than two values are there. FileNotFoundError: as `carry_out`.
    """
    missing = _train("table 6", "--loss lam=2, --loss triangulation_weight=0")
    here = chosen_entries(wish, (), lambda entry: len(by_lam(entry)) > 1, missing)
    return _table(wish, "reproduce-mirror-table6", here, partial(decoders, by_lam), PAPER6, every=True)


def _train(table: str, options: str) -> str:
    return (
        f"{table} needs two decoders of a classifier that differ: train them (cfreader train mirror with {options}), "
        "ship them under weights/ablations/, or name their folder with --models"
    )


def _table(
    wish: Wish,
    name: str,
    here: Sequence[Entry],
    kinds: Callable[[Entry], list[Kind]],
    paper: Paper,
    *,
    every: bool = False,
) -> dict[str, Any]:
    extent = with_images(QUICK if wish.quick else Extent(), wish)

    def work(entry: Entry, progress: Progress) -> Block:
        return rows_of(kinds(entry), as_many(extent.images, entry.source), extent, paper, progress)

    # Which decoders are there is part of the answer of some tables, so that all make it stale.
    return carry_out(name, MODULES, extent, here, work, wish, kinds=(), every=every or name.endswith("table2"))


def rows_of(kinds: Sequence[Kind], images: int, extent: Extent, paper: Paper, progress: Progress) -> Block:
    """The rows of several decoders, or several settings of one, on the same images."""
    figures: dict[str, float] = {}
    rows: list[Row] = []
    for i, (key, title, column, choice) in enumerate(kinds):

        def tell(share: float, message: str, begun: int = i) -> None:
            progress((begun + share) / len(kinds), message)

        method: Method = replace(METHODS[0], key=key, title=title, choices=(choice,))
        led, real = column.led("test", images), real_of(column, extent.real, images)
        found, _ = measured(column, [method], led, None, real, brief=extent.brief, progress=tell)
        for one in found:
            figures |= one.figures(column.name)
            rows.append(one.row(column.name))
    return Block(figures, with_paper(rows, paper))


def with_paper(rows: Sequence[Row], paper: Paper) -> list[Row]:
    """The rows with the paper's figures of the same method beside, None where it has none."""
    blank = (None,) * len(PAPER_NAMES)
    return [row | dict(zip(PAPER_NAMES, paper.get(row.get("method", ""), blank), strict=True)) for row in rows]


def ways(entry: Entry) -> list[Kind]:
    """Pairwise and multi-class points by the first decoder, the latter also by the one that was trained with them."""
    column = column_of(entry)
    pairwise, closed = (
        Choice(MirrorCFEConfig(points=points), points)  # type: ignore[arg-type]
        for points in ("pairwise", "closed form")
    )
    found: list[Kind] = [("pairwise", "pairwise", column, pairwise), ("multiclass", "multi-class", column, closed)]
    own = next((d for d in _alike(entry) if d.card["config"].get("points", "pairwise") != "pairwise"), None)
    sibling = next((d for d in entry.ablations if _usual(d) and _whole(d)), None)
    if own is not None and sibling is not None:
        found.append(("pairwise_own", "pairwise, trained alike", column_of(entry, sibling), pairwise))
    if own is not None:
        found.append(("multiclass_own", "multi-class, trained so", column_of(entry, own), closed))
    return found


def decoders(by: Callable[[Entry], dict[str, tuple[str, Model]]], entry: Entry) -> list[Kind]:
    """One a decoder, with its mask as trained."""
    choice = METHODS[0].choices[0]
    return [(key, title, column_of(entry, model), choice) for key, (title, model) in by(entry).items()]


def by_variant(entry: Entry) -> dict[str, tuple[str, Model]]:
    """Variant -> title and the first decoder of it that differs from the usual one in nothing else."""
    found: dict[str, tuple[str, Model]] = {}
    for variant in reversed(VARIANTS):
        model = next(
            (d for d in _alike(entry) if d.card["config"].get("variant", "full") == variant and _usual(d)), None
        )
        if model is not None:
            found[variant] = (TITLES[variant], model)
    return found


def _alike(entry: Entry) -> tuple[Model, ...]:
    """Ablations come first: the usual decoder has seen more images than they."""
    return (*entry.ablations, *entry.decoders)


def _whole(decoder: Model) -> bool:
    return bool(decoder.card["config"].get("variant", "full") == "full")


def _usual(decoder: Model) -> bool:
    recipe = decoder.card.get("recipe", {})
    pairwise = decoder.card["config"].get("points", "pairwise") == "pairwise"
    return pairwise and recipe.get("lam", 1.5) == 1.5 and bool(recipe.get("triangulation_weight", 1.0))


def by_lam(entry: Entry) -> dict[str, tuple[str, Model]]:
    """ "lam_<value>" or "lam_none" -> title and the first whole, pairwise decoder that was trained so, lam rising."""
    found: dict[float, Model] = {}
    for decoder in _alike(entry):
        config, recipe = decoder.card["config"], decoder.card.get("recipe", {})
        if _whole(decoder) and config.get("points", "pairwise") == "pairwise":
            lam = float(recipe.get("lam", 1.5)) if recipe.get("triangulation_weight", 1.0) else float("inf")
            found.setdefault(lam, decoder)
    return {
        f"lam_{lam:g}" if lam < float("inf") else "lam_none": (
            f"lam {lam:g}" if lam < float("inf") else "no triangulation",
            model,
        )
        for lam, model in sorted(found.items(), key=lambda item: item[0])
    }
