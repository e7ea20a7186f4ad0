"""How many images of a study flip at higher degrees, so that a designer need not guess."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from db.models import Image
from services.explore import NothingToExplore, open_engine
from services.images import batches_of
from services.pairs import Progress, silent
from services.study_design.moving import BATCH
from services.study_views import StudyRefused, StudyView
from services.workspace import Workspace

STEPS = 4


@dataclass(frozen=True)
class Flips:
    """At one degree: of how many pairs of each arm (by key) the class flips, and how many pairs the arm has."""

    degree: float
    flipped: dict[str, int]
    pairs: dict[str, int]

    @property
    def enough(self) -> bool:
        """Whether at least half of the pairs flip in every arm."""
        return all(2 * flipped >= self.pairs[arm] for arm, flipped in self.flipped.items())

    @property
    def share(self) -> float:
        """Share of all pairs that flip, in [0, 1]."""
        return sum(self.flipped.values()) / sum(self.pairs.values())


def higher_degrees(degree: float, most: float, steps: int = STEPS) -> tuple[float, ...]:
    """At most `steps` even steps from `degree` up to `most`, in halves; none where `degree` is there already."""
    grid = (round(2 * (degree + (most - degree) * step / steps)) / 2 for step in range(1, steps + 1))
    return tuple(sorted({value for value in grid if degree < value <= most}))


def flips_by_degree(
    workspace: Workspace,
    study: StudyView,
    arms: Collection[str],
    progress: Progress = silent,
) -> list[Flips]:
    """Move the images of a study's pairs along their own arms by higher degrees than the study's, and count flips.

    Nothing is stored: the pairs stay as they are until they are made again.

    Args:
        arms: keys of the arms to try. progress: called with the share done and a message.

    Returns:
        One entry a degree, rising, up to the highest that the method is made for; empty where there is none.

    Raises:
        StudyRefused: the study's run has lost its engine.
    """
    try:
        opened = open_engine(workspace, study.run_id or 0)
    except NothingToExplore as error:
        raise StudyRefused(str(error)) from error
    degrees = higher_degrees(study.protocol.degree, float(opened.engine.degree_range[1]))
    own = {arm: [pair for pair in study.pairs if pair.arm == arm] for arm in arms}
    wanted = {pair.image_id for pairs in own.values() for pair in pairs}
    with workspace.session() as session:
        images = {image.id: image for image in session.scalars(sa.select(Image).where(Image.id.in_(wanted)))}
    counts = {degree: dict.fromkeys(own, 0) for degree in degrees}
    done, total = 0, sum(map(len, own.values())) * len(degrees)
    for arm, pairs in own.items():
        for group, tensors in batches_of(workspace, (images[pair.image_id] for pair in pairs), BATCH):
            for degree in degrees:
                moved = opened.engine.move(
                    tensors,
                    opened.target,
                    direction=pairs[0].meta.get("direction"),
                    degree=degree,
                    rendering=study.protocol.rendering,
                )
                counts[degree][arm] += int(moved.flipped.sum())
                done += len(group)
                progress(done / total, f"degree {degree:g}")
    sizes = {arm: len(pairs) for arm, pairs in own.items()}
    return [Flips(degree, counts[degree], sizes) for degree in degrees]


def suggested(tried: Sequence[Flips]) -> Flips | None:
    """The least degree at which at least half of the pairs flip in every arm, else the one that flips most; None
    where nothing was tried."""
    if not tried:
        return None
    return next((flips for flips in tried if flips.enough), max(tried, key=lambda flips: flips.share))
