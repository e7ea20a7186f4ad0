"""Table 1 of seed 001: does C give what is drawn the class that its z2 stands for; and is every patient another?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cfcore.classifiers.training import Evaluation, evaluate
from cfcore.engines.base import Progress
from cfcore.metrics.likeness import collapse
from cfcore.metrics.means import t_mean
from cfcore.study.intervals import bootstrap_mean, wilson
from cfcore.study.resampling import resample_patients
from services.reproduce.result import Row, spread

from .command import Block, Wish, carry_out
from .material import NEGATIVE, POSITIVE, Column, drawn

NAME = "reproduce-medxgan-table1"
SEED = 1
# The paper's accuracy and AUC: of what is drawn, of real images.
PAPER: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "mri": ((0.992, 0.995), (0.852, 0.975)), "x-ray": ((0.937, 0.980), (0.750, 0.763)),
}  # fmt: skip


@dataclass(frozen=True)
class Extent:
    """Anatomies z1 that are drawn, positive realisations of each, held-out images beside them."""

    anatomies: int = 1000
    positives: int = 3
    real: int = 400


QUICK = Extent(anatomies=60, real=60)


def table1(wish: Wish) -> dict[str, Any]:
    """Each of 1000 z1 ~ N(0, I) under z2 = 0 and under three z2 ~ N(0, I), judged by C.

    Figures, for each column (`_phantom`, `_ucsd`, `_mri`): generated_accuracy_* (share whose argmax is the class of
    their z2; interval by bootstrap over z1, whose four pictures go together), generated_auc_* (DeLong, as if the
    pictures were independent), negative_accuracy_*, positive_accuracy_*; real_accuracy_* (Wilson) and real_auc_* of the
    same classifier on held-out images; collapse_* (mean SSIM between generated negatives of different z1 less that
    between real negatives, disjoint random pairs, Welch), ssim_generated_*, ssim_real_*; with an encoder collapse_own_*
    and ssim_reconstructed_*, the same against drawings of those real patients, which are as smooth as the generated
    ones: smoothness alone raises SSIM. Rows: one a column and kind.

    Raises:
        ValueError, FileNotFoundError: as `carry_out`.
    """
    extent = QUICK if wish.quick else Extent()
    return carry_out(NAME, "table1.py", extent, partial(work, extent), wish)


def work(extent: Extent, column: Column, progress: Progress) -> Block:
    """One column."""
    progress(0.0, f"{column.name}: drawing {extent.anatomies} anatomies")
    pictures, stands_for = realisations(column, extent)
    score = column.score.probability(pictures.flatten(0, 1)).view(stands_for.shape)
    progress(0.7, f"{column.name}: held-out images")
    real = column.held_out(extent.real)
    true = evaluate(column.score.probability(real.images).double().numpy(), real.labels.numpy())
    fake = evaluate(score.flatten().double().numpy(), stands_for.flatten().numpy())
    right = (score > 0.5) == (stands_for == POSITIVE)
    resample = resample_patients(range(len(right)), np.random.default_rng(SEED))
    share = bootstrap_mean(right.double().sum(dim=1).numpy(), np.full(len(right), right.shape[1]), resample)
    negatives = real.images[real.labels == NEGATIVE]
    own, drawn_pairs, real_pairs = collapse(pictures[:, NEGATIVE], negatives, torch.Generator().manual_seed(SEED))
    name = column.name
    figures = (
        spread(f"generated_accuracy_{name}", share)
        | _auc(f"generated_auc_{name}", fake)
        | {
            f"negative_accuracy_{name}": right[:, 0].double().mean().item(),
            f"positive_accuracy_{name}": right[:, 1:].double().mean().item(),
        }
        | spread(f"real_accuracy_{name}", wilson(round(true.accuracy * true.n), true.n))
        | _auc(f"real_auc_{name}", true)
        | spread(f"collapse_{name}", own)
        | spread(f"ssim_generated_{name}", t_mean(drawn_pairs.numpy()))
        | spread(f"ssim_real_{name}", t_mean(real_pairs.numpy()))
    )
    if column.generator.config.encoder:
        smooth, _, again = collapse(
            pictures[:, NEGATIVE], reconstructed(column, negatives), torch.Generator().manual_seed(SEED)
        )
        figures |= spread(f"collapse_own_{name}", smooth) | spread(f"ssim_reconstructed_{name}", t_mean(again.numpy()))
    paper = PAPER["mri" if column.shipped.source == "mri" else "x-ray"]
    rows: list[Row] = [
        {"column": name, "data": data, "n": found.n, "accuracy": found.accuracy, "auc": found.auc,
         "auc_low": found.auc_low, "auc_high": found.auc_high, "paper_accuracy": theirs[0], "paper_auc": theirs[1]}
        for data, found, theirs in (("generated", fake, paper[0]), ("real", true, paper[1]))
    ]  # fmt: skip
    return Block(figures, rows)


def realisations(column: Column, extent: Extent) -> tuple[Tensor, Tensor]:
    """(n, 1 + k, 1, size, size) pictures of n anatomies, the negative realisation first, and (n, 1 + k) classes."""
    fixed, config = torch.Generator().manual_seed(SEED), column.generator.config
    z1 = torch.randn(extent.anatomies, config.anatomy, generator=fixed)
    z2 = torch.randn(extent.anatomies, extent.positives, config.pathology, generator=fixed)
    z2 = torch.cat([torch.zeros_like(z2[:, :1]), z2], dim=1)
    k = z2.shape[1]
    pictures = drawn(column, z1.repeat_interleave(k, dim=0), z2.flatten(0, 1))
    classes = torch.tensor([NEGATIVE, *[POSITIVE] * extent.positives]).expand(extent.anatomies, k)
    return pictures.unflatten(0, (extent.anatomies, k)), classes


def reconstructed(column: Column, negatives: Tensor) -> Tensor:
    """What the generator draws by the encoder's code of real negatives: as smooth as those that it makes up."""
    z1, z2 = column.generator.encode(negatives)
    return drawn(column, z1, torch.zeros_like(z2))


def _auc(name: str, found: Evaluation) -> dict[str, float]:
    return {name: found.auc, f"{name}_low": found.auc_low, f"{name}_high": found.auc_high}
