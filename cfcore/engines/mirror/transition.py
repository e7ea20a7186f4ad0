"""The way of one image to its mirror image, drawn at many points: what the animation of seed 004 shows."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cfcore.mirror.transition import Pictures, Transition

from .engine import BATCH, MIRROR, MirrorEngine

FEWEST_POINTS = 2


@torch.no_grad()
def transition(engine: MirrorEngine, image: Tensor, target: int, truth: int, points: int = 51) -> Transition:
    """An image at `points` even steps from k = 0 to k = 1, and at its 1st CFE, in plain rendering.

    Args:
        image: (1, channels, *size), at the network's size. target: class it is led to. truth: its own class; where C
            calls it another one, `target` is to be this class (section 10.5).

    Raises:
        ValueError: fewer than two points; C calls the image `target` already; C is wrong on the image, and `target` is
            not its true class.
    """
    names = engine.classifier.class_names
    if points < FEWEST_POINTS:
        raise ValueError(f"points is {points}: choose at least {FEWEST_POINTS}, the two ends of the way")
    k, found, _ = engine.first(image, target)
    source = int(engine.way(image, target).view.source)
    if source != truth and target != truth:
        raise ValueError(
            f"the classifier calls this image {names[source]!r}, but it is {names[truth]!r}: the way of an error "
            f"leads to the truth, so choose the target {names[truth]!r}"
        )
    first = float(k[0]) if found[0] else None
    # At the 1st CFE, too, or the frame that the plot marks would not be among those shown.
    at = sorted(
        {round(float(i), 6) for i in np.linspace(0, 1, points)} | ({round(first, 6)} if first is not None else set())
    )
    pictures, intended, predicted = [], [], []
    for part in torch.tensor(at).to(image).split(BATCH):
        rows = image.expand(len(part), *image.shape[1:])
        way = engine.way(rows, target)
        drawn = engine.draw(way.view.z, rows, {MIRROR: part}, target)
        pictures.append(drawn)
        intended.append(way.logits(part).softmax(dim=1))
        predicted.append(engine.classifier.logits(drawn).softmax(dim=1))
    shown = torch.cat(pictures)
    ends = [source, target]
    return Transition(
        image=_last(image)[0],
        pictures=_last(shown),
        k=np.array(at),
        intended=torch.cat(intended)[:, ends].double().cpu().numpy(),
        predicted=torch.cat(predicted)[:, ends].double().cpu().numpy(),
        change=(shown - image).abs().flatten(1).mean(dim=1).double().cpu().numpy(),
        first=None if first is None else round(first, 6),
        source=names[source],
        target=names[target],
        truth=names[truth],
    )


def _last(images: Tensor) -> Pictures:
    """(n, h, w) of one channel, (n, h, w, 3) of three."""
    moved: Pictures = images.movedim(1, -1).float().cpu().numpy()
    return moved[..., 0] if moved.shape[-1] == 1 else moved
