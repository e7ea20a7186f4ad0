"""Many images moved by the same degrees, to see at once where a direction works and where it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cfcore.rendering import Rendering, keeps_source
from services.explore import open_engine, source_of, stamp_of
from services.images import crop_back
from services.intended import refuse_mix
from services.paths import BATCH, Moves, block_means, encoded
from services.pictures import difference_limit, difference_rgb, gray8, png_url
from services.workspace import Workspace

SHOWN_SIDE = 256
MOST_IMAGES = 48


@dataclass(frozen=True)
class MovedImage:
    """An image of the gallery: PNG data URLs of what was, what is and their signed difference; the target's probability
    before and after, and whether the classifier calls the moved one the target (and called the source so already)."""

    id: int
    before: str
    after: str
    change: str
    limit: float
    p_source: float
    probability: float
    flipped: bool
    target_already: bool


def moved_images(
    workspace: Workspace, run_id: int, image_ids: Sequence[int], moves: Moves, rendering: Rendering
) -> list[MovedImage]:
    """Each image moved by `moves`, drawn and judged in full batches at its own resolution, shown at 256 px or less.

    Raises:
        NothingToExplore: the run has no engine, or an image is gone. ValueError: more than 48 images, an unknown
        direction or rendering, or several directions of an engine that goes one way.
    """
    import torch

    from cfcore.classifiers.base import is_class, resize, target_margin

    if len(image_ids) > MOST_IMAGES:
        raise ValueError(f"{len(image_ids)} images at once are too many: ask for {MOST_IMAGES} or fewer")
    opened = open_engine(workspace, run_id)
    engine, target, stamp = opened.engine, opened.target, stamp_of(workspace, run_id)
    refuse_mix(engine, (name for name, _ in moves))
    found: list[MovedImage] = []
    for start in range(0, len(image_ids), BATCH):
        ids = image_ids[start : start + BATCH]
        known = [encoded(workspace, run_id, stamp, image_id) for image_id in ids]
        pictures, small = [], []
        with torch.no_grad():
            degrees = {name: torch.full((len(ids),), degree) for name, degree in moves}
            codes, sources = (torch.cat([getattr(one, name) for one in known]) for name in ("codes", "small"))
            plain = engine.draw(codes, sources, degrees, target)
            for i, image_id in enumerate(ids):
                source, shape = source_of(workspace, image_id)
                after = engine.transfer(source, known[i].base, plain[i : i + 1], rendering)
                before = source if keeps_source(rendering) else known[i].base
                small.append(resize(after, engine.classifier.size))
                views = [part[0, 0].numpy() for part in (before, after)]
                if keeps_source(rendering):
                    views = [block_means(crop_back(v, shape), -(-max(shape) // SHOWN_SIDE)) for v in views]
                pictures.append(views)
            logits = engine.judge(torch.cat(small))
        shares, flips = target_margin(logits, target).sigmoid().tolist(), is_class(logits, target).tolist()
        for image_id, one, (was, now), share, flip in zip(ids, known, pictures, shares, flips, strict=True):
            limit = difference_limit(now - was)
            was_url, now_url, change_url = (
                png_url(x) for x in (gray8(was), gray8(now), difference_rgb(now - was, limit))
            )
            found.append(
                MovedImage(image_id, was_url, now_url, change_url, limit, one.p_source, share, flip, one.p_source > 0.5)
            )
    return found
