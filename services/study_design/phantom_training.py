"""Right answers of practice cases from the phantom's own truth, so that feedback says what is truly in the images."""

from __future__ import annotations

import sqlalchemy as sa

from db.events import record
from db.models import Image, Pair
from services.demo_truth import RULES, judged, known_factors, measured_sides
from services.permissions import require
from services.study_design.drafts import draft_of
from services.study_design.training import FROM, PHANTOM
from services.study_views import pair_view, protocol_of
from services.workspace import Workspace


def has_phantoms(workspace: Workspace, study_id: int) -> bool:
    """Whether a practice case of the study is made from a phantom."""
    with workspace.session() as session:
        query = sa.select(Image).join(Pair, Pair.image_id == Image.id)
        images = session.scalars(query.where(Pair.study_id == study_id, Pair.kind == "training"))
        return any("phantom" in image.meta for image in images)


def take_phantom_answers(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """Set the right answers of a draft's practice cases whose images are phantoms; returns how many were set.

    The original's truth is that of the factors it was drawn with; the counterfactual's is measured from its pixels
    (`services.demo_truth.RULES`), since no factors made it. Not scored are findings without a rule, and those of a
    pair that cannot be measured or whose original measures otherwise than it was drawn, which lies at the threshold.
    Other answers of these cases go. Raises StudyRefused for a study that is locked.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = draft_of(session, study_id)
        keys = [finding.key for finding in protocol_of(study).findings if finding.key in RULES]
        rows = session.execute(
            sa.select(Pair, Image)
            .join(Image, Image.id == Pair.image_id)
            .where(Pair.study_id == study_id, Pair.kind == "training")
            .order_by(Pair.id)
        ).tuples()
        cases = [(pair_view(pair), known_factors(image.meta)) for pair, image in rows if "phantom" in image.meta]
    told: dict[int, dict[str, list[bool]]] = {}
    for view, factors in cases if keys else ():
        ((original, moved),) = measured_sides(workspace, [view])
        if not (original.measurable and moved.measurable):
            continue
        own = {key: judged(RULES[key], original, moved) for key in keys}
        drawn = {key: RULES[key].known(factors) >= RULES[key].level for key in keys}
        agreed = {key: sides for key, sides in own.items() if sides[0] == drawn[key]}
        told[view.id] = {key: [bool(before), bool(after)] for key, (before, after) in agreed.items()}
    with workspace.session() as session:
        draft_of(session, study_id)
        scored = {pair: truth for pair, truth in told.items() if truth}
        for pair_id, truth in scored.items():
            pair = session.get_one(Pair, pair_id)
            pair.truth, pair.meta = dict(truth), {**pair.meta, FROM: PHANTOM}
        if scored:
            record(session, actor, "training answers measured", f"study {study_id}", pairs=len(scored))
    return len(scored)
