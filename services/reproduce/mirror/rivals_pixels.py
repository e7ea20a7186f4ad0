"""PGD's success by budget, Wachter's trade-off by weight, CEM's pertinent negatives with and without an autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.engines.cem import CEM, CEMConfig
from cfcore.engines.pgd import PGD, PGDConfig
from cfcore.engines.wachter import Wachter, WachterConfig
from cfcore.generators.vae import VAE
from cfcore.metrics.comparison import is_valid, l1_distance, share
from cfcore.metrics.means import t_mean
from cfcore.study.estimate import Estimate
from services.reproduce.medxgan.drawing import Line, Tile, chart, gray, sheet
from services.reproduce.result import Row, spread

from .columns import Column
from .command import Block

GROWTH = 4.0  # of lambda, from one of Wachter's rounds to the next
REACH = 2.5  # PGD's steps together, in budgets: every pixel can cross its whole range


def attacks(column: Column, images: int, budgets: Sequence[float], steps: int, progress: Progress) -> Block:
    """Madry et al.: accuracy by the budget in the maximum norm. Targeted, so that success is told beside it.

    The images are those that C calls what they are: at budget 0 accuracy is 1 and success 0.
    """
    led, name = column.led("test", images), column.name
    rows: list[Row] = []
    figures: dict[str, float] = {}
    curves: dict[str, list[Estimate]] = {"success": [], "accuracy": []}
    for i, budget in enumerate(budgets):
        progress(i / len(budgets), f"budget {budget:g}")
        config = PGDConfig(budget=budget, steps=steps, step=min(1.0, REACH * budget / steps))
        hits, kept = [], []
        for one in led:
            # An engine each: it remembers the images, and a budget is looked at once.
            found = PGD(column.classifier, config).explain(one.images, one.target, rendering="plain").counterfactual
            hits.append(is_valid(column.classifier, found, one.target))
            kept.append(is_valid(column.classifier, found, one.source))
        row: Row = {"kind": "pgd", "column": name, "budget": budget}
        for what, values in (("success", hits), ("accuracy", kept)):
            estimate = share(torch.cat(values))
            curves[what].append(estimate)
            figures |= spread(f"pgd_{name}_{what}_at_{budget:g}", estimate)
            row |= _told(what, estimate)
        rows.append(row)
    start = {"success": 0.0, "accuracy": 1.0}
    lines = {what: curve([Estimate(start[what], start[what], start[what]), *curves[what]]) for what in curves}
    across = "budget, of the grey range (bars: 95 %, Wilson)"
    picture = chart(f"PGD on {column.title}: success and accuracy", across, np.array([0.0, *budgets]), lines)
    return Block(figures, rows, [picture])


def trade_offs(column: Column, images: int, rounds: int, steps: int, progress: Progress) -> Block:
    """Wachter et al.: as lambda grows from round to round, the class comes nearer and the image goes further."""
    led, name = column.led("test", images), column.name
    engine = Wachter(column.classifier, WachterConfig(rounds=rounds, steps=steps, growth=GROWTH))
    parts: list[list[Tensor]] = [[] for _ in range(rounds)]
    weights: list[float] = []
    for i, one in enumerate(led):

        def tell(done: float, message: str, begun: int = i) -> None:
            progress((begun + done) / len(led), message)

        found = engine.trade_off(one.images, one.target, tell)
        weights = [weight for weight, _ in found]
        for part, (_, pictures) in zip(parts, found, strict=True):
            valid, p = is_valid(column.classifier, pictures, one.target), confidence(column, pictures, one.target)
            part.append(torch.stack([valid.to(p), p, l1_distance(one.images, pictures)]))
    curves: dict[str, list[Estimate]] = {"validity": [], "p": [], "l1": []}
    figures: dict[str, float] = {}
    rows: list[Row] = []
    for weight, part in zip(weights, parts, strict=True):
        valid, p, far = torch.cat(part, dim=1)
        row: Row = {"kind": "wachter", "column": name, "lambda": weight}
        measured = {"validity": share(valid > 0.5), "p": t_mean(p.numpy()), "l1": t_mean(far.numpy())}
        for what, estimate in measured.items():
            curves[what].append(estimate)
            figures |= spread(f"wachter_{name}_{what}_at_{weight:g}", estimate)
            row |= _told(what, estimate)
        rows.append(row)
    most = max(value for one in curves["l1"] for value in (one.value, one.high) if value is not None) or 1.0
    lines = {
        "validity": curve(curves["validity"]),
        "p(target)": curve(curves["p"]),
        f"L1 / {most:.3f}": curve(curves["l1"], most),
    }
    title = f"Wachter on {column.title}: by the weight of the class"
    return Block(figures, rows, [chart(title, "log2 of lambda (bars: 95 %)", np.log2(weights), lines)])


@dataclass(frozen=True)
class Negatives:
    """Pertinent negatives of n images under one weight of the autoencoder, which is nan where there is none.

    Attributes:
        pictures: (n, channels, h, w). found: (n,) bool. after: (n,) classes of the pictures. error: (n,) mean squared
            difference between picture and its reconstruction.
    """

    pictures: Tensor
    found: Tensor
    after: Tensor
    error: Tensor


def negatives(
    column: Column, images: int, gammas: Sequence[float], config: CEMConfig, shown: int, progress: Progress
) -> Block:
    """Dhurandhar et al.: what must be added to an image for another class, and what an autoencoder changes in it.

    Led to the class that C finds second, the paper's "any but this" for a method that takes a target. Without a VAE
    there are only those without autoencoder.
    """
    source = torch.cat([one.images for one in column.led("test", images)])
    with torch.no_grad():
        logits = column.classifier.logits(source)
    before, target = logits.topk(2, dim=1).indices.unbind(dim=1)
    vae = column.networks.get("vae")
    usable = [gamma for gamma in gammas if not gamma or vae is not None]
    made: dict[float, Negatives] = {}
    for i, gamma in enumerate(usable):

        def tell(done: float, message: str, begun: int = i, gamma: float = gamma) -> None:
            progress((begun + done) / len(usable), f"gamma {gamma:g}, {message}")

        made[gamma] = _negatives(column, source, target, replace(config, gamma=gamma), tell)
    figures: dict[str, float] = {}
    for gamma, one in made.items():
        figures |= _negative_figures(f"cem_{column.name}", f"gamma_{gamma:g}", source, before, one)
    rows: list[Row] = [
        {"kind": "cem", "column": column.name, "gamma": gamma, "image": i, "before": int(before[i]),
         "target": int(target[i]), "after": int(one.after[i]), "found": bool(one.found[i]),
         "l1": l1_distance(source, one.pictures)[i].item(),
         "autoencoder_error": None if one.error[i].isnan() else one.error[i].item()}
        for gamma, one in made.items() for i in range(len(source))
    ]  # fmt: skip
    return Block(figures, rows, [_negative_sheet(column, source, before, made, shown)])


def _negatives(column: Column, images: Tensor, target: Tensor, config: CEMConfig, progress: Progress) -> Negatives:
    vae = column.networks.get("vae")
    engine, found, pictures = CEM(column.classifier, config, vae), torch.zeros(len(images)).bool(), images.clone()
    wanted = target.unique().tolist()
    for i, one in enumerate(wanted):

        def tell(done: float, message: str, begun: int = i) -> None:
            progress((begun + done) / len(wanted), message)

        rows = target == one
        answer = engine.explain(images[rows], one, rendering="plain", progress=tell)
        pictures[rows], found[rows] = answer.counterfactual, ~answer.strength.isnan()
    with torch.no_grad():
        after = column.classifier.logits(pictures).argmax(dim=1)
        error = torch.full((len(images),), float("nan"))
        if isinstance(vae, VAE):
            error = (pictures - vae.decode(vae.encode(pictures))).square().flatten(1).mean(dim=1)
    return Negatives(pictures, found, after, error)


def _negative_figures(front: str, ending: str, images: Tensor, before: Tensor, one: Negatives) -> dict[str, float]:
    found, change = one.found, one.pictures - images
    figures = spread(f"{front}_found_{ending}", share(found))
    figures |= spread(f"{front}_other_class_{ending}", share((one.after != before) & found))
    # A difference of floats, so that exactly 0 would ask too much.
    darker = (change < -1e-6).flatten(1).double().mean(dim=1)
    means = {"darker": darker, "l1": l1_distance(images, one.pictures), "autoencoder_error": one.error}
    for what, values in means.items():
        figures |= spread(f"{front}_{what}_{ending}", t_mean(values[found].numpy()))
    return figures


def _negative_sheet(
    column: Column, images: Tensor, before: Tensor, made: Mapping[float, Negatives], shown: int
) -> Picture:
    names, rows = column.classifier.class_names, []
    starts = [int((before == label).nonzero()[0]) for label in before.unique()]
    for i in starts[:shown]:
        tiles = [Tile(gray(images[i]), (f"{names[int(before[i])]}",))]
        for one in made.values():
            called = names[int(one.after[i])]
            tiles.append(Tile(gray(one.pictures[i]), (called if one.found[i] else f"{called}, failed",)))
            tiles.append(Tile(gray((one.pictures[i] - images[i]).clamp(0, 1))))
        rows.append(tiles)
    heads = ["source", *(head for gamma in made for head in (f"PN, gamma {gamma:g}", "what is added"))]
    return sheet(f"CEM on {column.title}: pertinent negatives, class for C", heads, rows)


@torch.no_grad()
def confidence(column: Column, pictures: Tensor, target: int) -> Tensor:
    """(n,) probability of the target for C."""
    return column.classifier.logits(pictures).softmax(dim=1)[:, target]


def curve(estimates: Sequence[Estimate], unit: float = 1.0) -> Line:
    """Values with their intervals, in `unit`; where there is no interval the value itself."""
    values = [(one.value or 0.0, one.low, one.high) for one in estimates]
    rows = [(v, v if low is None else low, v if high is None else high) for v, low, high in values]
    mean, low, high = np.array(rows, dtype=float).T / unit
    return Line(mean, np.clip(low, 0, 1), np.clip(high, 0, 1))


def _told(name: str, estimate: Estimate) -> Row:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high, "n": estimate.n}
