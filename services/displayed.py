"""The size at which the reading room displays a pair, and what is told of arms whose pictures differ in size."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session, object_session

from cfcore.study.displayed import Size, Sizes, displayed_size, in_words, is_mixed
from cfcore.wording import direction_name
from db.models import Image, Pair
from services.study_views import StudyView
from services.workspace import Workspace

_COLUMNS = (Pair.width, Pair.height, Image.width, Image.height)


def size_of(pair: Pair) -> Size:
    """Width and height that count as 1:1 for a pair (`cfcore.study.displayed`)."""
    session = object_session(pair)
    if session is None:
        return pair.width, pair.height
    image = session.get_one(Image, pair.image_id)
    own = Sizes((pair.width, pair.height), (image.width, image.height))
    return displayed_size(own, _mixed(session, pair.study_id))


def _mixed(session: Session, study_id: int) -> bool:
    rows = session.execute(_asked(study_id).with_only_columns(*_COLUMNS).distinct()).tuples()
    return is_mixed(Sizes((w, h), (sw, sh)) for w, h, sw, sh in rows)


def _asked(study_id: int) -> sa.Select[int]:
    # Controls and training cases take the size of the others, so they say nothing of their own.
    where = (Pair.study_id == study_id, Pair.kind == "counterfactual")
    return sa.select(Pair.id).join(Image, Image.id == Pair.image_id).where(*where)


def size_warning(workspace: Workspace, view: StudyView) -> str:
    """What is to be known before the lock of arms whose pictures differ in size; "" where they do not."""
    with workspace.session() as session:
        rows = session.execute(_asked(view.id).with_only_columns(Pair.arm, *_COLUMNS)).tuples().all()
    of_arm: dict[str, list[Sizes]] = {direction_name(arm.name): [] for arm in view.protocol.arms}
    names = {arm.key: direction_name(arm.name) for arm in view.protocol.arms}
    for arm, width, height, source_width, source_height in rows:
        of_arm[names[arm]].append(Sizes((width, height), (source_width, source_height)))
    return in_words(of_arm)
