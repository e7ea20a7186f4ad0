"""The pre-registration document of a locked study, and the gate's flow diagram with the pictures it kept back."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cfcore.images.encode import decode_png
from cfcore.study.design.flow_svg import flow_svg
from cfcore.study.design.gate import FlowBox
from cfcore.study.design.preregistration import Locked, preregistration, to_html, to_markdown
from db.models import ExcludedPair, Image
from services.images import Gray, to_unit
from services.study_design.locking import versions
from services.study_design.planning import exposure_line, plan_balance
from services.study_views import StudyRefused, study_view
from services.workspace import Workspace


@dataclass(frozen=True)
class Exclusion:
    """A picture that the gate kept back. The keys are "" where its files were not kept (only the first 60 are).
    max_value: white in the pictures' own depth."""

    arm: str
    reason: str
    p_source: float
    p_reconstruction: float
    p_counterfactual: float
    ssim: float
    original_key: str
    reconstruction_key: str
    max_value: int


def study_flow(workspace: Workspace, study_id: int) -> tuple[FlowBox, ...]:
    """The boxes of the flow diagram with their counts; empty without pairs. Raises StudyRefused for no such study."""
    return study_view(workspace, study_id).flow


def flow_diagram(workspace: Workspace, study_id: int) -> str:
    """The flow diagram as self-contained SVG, "" without pairs."""
    return flow_svg(study_flow(workspace, study_id))


def exclusions(workspace: Workspace, study_id: int) -> tuple[Exclusion, ...]:
    """What the gate kept back, in the order in which it was tried: failed reconstructions are a result, too."""
    names = set(Exclusion.__dataclass_fields__) - {"max_value"}
    query = (
        sa.select(ExcludedPair, Image.max_value)
        .join(Image, Image.id == ExcludedPair.image_id)
        .where(ExcludedPair.study_id == study_id)
        .order_by(ExcludedPair.id)
    )
    with workspace.session() as session:
        return tuple(
            Exclusion(**{name: getattr(row, name) for name in names}, max_value=white)
            for row, white in session.execute(query).tuples()
        )


def exclusion_units(workspace: Workspace, gone: Exclusion) -> tuple[Gray, Gray]:
    """Original and reconstruction of an exclusion whose files were kept, (h, w) float32 in [0, 1]."""
    first, second = (decode_png(workspace.get(key)) for key in (gone.original_key, gone.reconstruction_key))
    shown = Image(max_value=gone.max_value)
    return to_unit(first, shown), to_unit(second, shown)


def preregistration_document(workspace: Workspace, study_id: int, number: int | None = None) -> tuple[str, str]:
    """(Markdown, HTML) of a locked version, default the newest.

    Raises StudyRefused for a draft, a study locked by the first release, or a version that there is not.
    """
    view = study_view(workspace, study_id)
    stored = versions(workspace, study_id)
    found = next((v for v in stored if v.number == (number or len(stored))), None)
    if found is None:
        raise StudyRefused("There is no locked version to write down: lock the study first.")
    table, _ = plan_balance(workspace, study_id)
    locked = Locked(
        version=found.number,
        digest=found.digest,
        date=f"{found.locked_at:%Y-%m-%d %H:%M} UTC",
        manifest=found.manifest,
        amendments=tuple(
            (v.number, f"{v.locked_at:%Y-%m-%d}", v.reason) for v in stored if 1 < v.number <= found.number
        ),
        flow=view.flow,
        balance=table,
        exposure=exposure_line(found.protocol, table.exposures),
    )
    sections = preregistration(found.protocol, locked)
    title = f"Pre-registration: {found.protocol.title}"
    return to_markdown(title, sections), to_html(title, sections, flow_svg(view.flow))
