"""REVISE's path in the latent, C3LT's transitions, ExplainGAN's masks and composites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Image as Picture
from torch import Tensor

from cfcore.engines.base import Progress
from cfcore.engines.c3lt import C3LTConfig, C3LTEngine
from cfcore.engines.expgan import ExplainGAN, ExplainGANConfig
from cfcore.engines.revise import Revise, ReviseConfig
from cfcore.metrics.comparison import is_valid, l1_distance, share
from cfcore.metrics.means import t_mean
from cfcore.study.estimate import Estimate
from services.reproduce.medxgan.drawing import Line, Tile, chart, gray, sheet
from services.reproduce.result import Row, spread

from .columns import Column
from .command import Block
from .rivals_pixels import confidence, curve

ALONG = 7  # pictures of a path
WEIGHT = 0.05  # of REVISE's L1: with the paper's 0.5 hardly a digit leaves its class


def latent_paths(column: Column, images: int, steps: int, shown: int, progress: Progress) -> Block:
    """Joshi et al.: what the descent in the latent draws on its way, and what C says of it."""
    vae: Any = column.networks["vae"]
    engine = Revise(column.classifier, ReviseConfig(weight=WEIGHT, steps=steps), vae)
    led, name, names = column.led("test", images), column.name, column.classifier.class_names
    rows: list[Row] = []
    tiles: list[list[Tile]] = []
    first: list[float] = []
    each = [(one, image[None]) for one in led for image in one.images]
    for i, (one, image) in enumerate(each):
        progress(i / len(each), f"image {i + 1} of {len(each)}")
        path = engine.trace(image, one.target)
        with torch.no_grad():
            drawn = vae.decode(path)
        p, valid = confidence(column, drawn, one.target), is_valid(column.classifier, drawn, one.target)
        far = l1_distance(image.expand_as(drawn), drawn)
        first.append(float(valid.nonzero()[0]) if valid.any() else float("nan"))
        rows += [
            {"kind": "revise", "column": name, "image": i, "source": one.source, "target": one.target, "step": step,
             "p": p[step].item(), "valid": bool(valid[step]), "l1": far[step].item()}
            for step in range(len(path))
        ]  # fmt: skip
        at = np.unique(np.linspace(0, len(path) - 1, ALONG).round().astype(int))
        row = [Tile(gray(image[0]), (f"{names[one.source]} to {names[one.target]}",))]
        row += [Tile(gray(drawn[step]), (f"step {step}, p {p[step]:.2f}",)) for step in at.tolist()]
        tiles.append(row)
    flips = torch.tensor(first)
    figures = spread(f"revise_{name}_flipped", share(~flips.isnan()))
    figures |= spread(f"revise_{name}_steps_to_flip", t_mean(flips.numpy()))
    heads = ["source", "reconstruction", *("" for _ in range(ALONG - 1))]
    title = f"REVISE on {column.title}: along the descent in the latent, p of the target"
    return Block(figures, rows, [sheet(title, heads, tiles[:shown])])


def transitions(column: Column, images: int, degrees: Sequence[float], shown: int, progress: Progress) -> Block:
    """Khorram & Fuxin: source, the latents between it and its counterfactual; validity and proximity of each."""
    led, name = column.led("test", images), column.name
    network: Any = column.networks["c3lt"]
    engine = C3LTEngine(column.classifier, C3LTConfig(), network)
    figures: dict[str, float] = {}
    rows: list[Row] = []
    curves: dict[str, list[Estimate]] = {"validity": [], "p": [], "l1": []}
    drawn: list[list[Tensor]] = []
    for i, degree in enumerate(degrees):
        progress(i / len(degrees), f"degree {degree:g}")
        pictures = [engine.move(one.images, one.target, degree=degree, rendering="plain").counterfactual for one in led]
        drawn.append(pictures)
        pairs = list(zip(led, pictures, strict=True))
        valid = [is_valid(column.classifier, found, one.target) for one, found in pairs]
        p = [confidence(column, found, one.target) for one, found in pairs]
        far = [l1_distance(one.images, found) for one, found in pairs]
        measured = {
            "validity": share(torch.cat(valid)),
            "p": t_mean(torch.cat(p).numpy()),
            "l1": t_mean(torch.cat(far).numpy()),
        }
        for what, estimate in measured.items():
            curves[what].append(estimate)
            figures |= spread(f"c3lt_{name}_{what}_at_{degree:g}", estimate)
        rows += [
            {"kind": "c3lt", "column": name, "degree": degree, "source": one.source, "target": one.target,
             "n": len(one.images), "validity": a.float().mean().item(), "p": b.mean().item(), "l1": c.mean().item()}
            for one, a, b, c in zip(led, valid, p, far, strict=True)
        ]  # fmt: skip
    lines: dict[str, Line] = {
        "validity": curve(curves["validity"]),
        "p(target)": curve(curves["p"]),
        "L1": curve(curves["l1"]),
    }
    across = "degree: 0 reconstruction, 1 counterfactual (bars: 95 %)"
    sheets = [chart(f"C3LT on {column.title}: along the latent", across, np.array(degrees), lines)]
    return Block(figures, rows, [*sheets, _transition_sheet(column, led, drawn, degrees, shown)])


def _transition_sheet(
    column: Column, led: Sequence[Any], drawn: Sequence[Sequence[Tensor]], degrees: Sequence[float], shown: int
) -> Picture:
    """The first image of every direction."""
    names, rows = column.classifier.class_names, []
    for i, one in enumerate(led[:shown]):
        row = [Tile(gray(one.images[0]), (f"{names[one.source]} to {names[one.target]}",))]
        for pictures in drawn:
            p = confidence(column, pictures[i][:1], one.target).item()
            row.append(Tile(gray(pictures[i][0]), (f"p {p:.2f}",)))
        rows.append(row)
    heads = ["source", *(f"degree {degree:g}" for degree in degrees)]
    return sheet(f"C3LT on {column.title}: the way in the latent, p of the target", heads, rows)


def composites(column: Column, images: int, shown: int, progress: Progress) -> Block:
    """Samangouei et al.: source, what is drawn, the mask, and the composite of the two."""
    led, name, names = column.led("test", images), column.name, column.classifier.class_names
    network: Any = column.networks["expgan"]
    engine = ExplainGAN(column.classifier, ExplainGANConfig(), network)
    rows: list[Row] = []
    tiles: list[list[Tile]] = []
    measured: dict[str, list[Tensor]] = {"valid": [], "share": [], "decided": []}
    for i, one in enumerate(led):
        progress(i / len(led), f"{names[one.source]} to {names[one.target]}")
        # A code is what is drawn and the mask, flattened, and the mark of a search.
        planes = engine.encode(one.images, one.target)[:, :-1].view(len(one.images), -1, *one.images.shape[2:])
        drawn, mask = planes[:, :-1], planes[:, -1:]
        found = engine.move(one.images, one.target, degree=1.0, rendering="plain").counterfactual
        valid = is_valid(column.classifier, found, one.target)
        covered, decided = mask.flatten(1).mean(dim=1), ((mask - 0.5).abs() > 0.4).flatten(1).float().mean(dim=1)
        for what, values in zip(measured, (valid, covered, decided), strict=True):
            measured[what].append(values)
        rows.append(
            {"kind": "expgan", "column": name, "source": one.source, "target": one.target, "n": len(found),
             "validity": valid.float().mean().item(), "mask_share": covered.mean().item(),
             "mask_decided": decided.mean().item(), "l1": l1_distance(one.images, found).mean().item()}
        )  # fmt: skip
        p = confidence(column, found[:1], one.target).item()
        head = f"{names[one.source]} to {names[one.target]}"
        tiles.append([
            Tile(gray(one.images[0]), (head,)), Tile(gray(drawn[0])), Tile(gray(mask[0]), (f"mean {covered[0]:.2f}",)),
            Tile(gray(found[0]), (f"p {p:.2f}",)),
        ])  # fmt: skip
    figures = spread(f"expgan_{name}_composite_validity", share(torch.cat(measured["valid"])))
    figures |= spread(f"expgan_{name}_mask_share", t_mean(torch.cat(measured["share"]).numpy()))
    figures |= spread(f"expgan_{name}_mask_decided", t_mean(torch.cat(measured["decided"]).numpy()))
    title = f"ExplainGAN on {column.title}"
    return Block(figures, rows, [sheet(title, ["source", "drawn", "mask", "composite"], tiles[:shown])])
