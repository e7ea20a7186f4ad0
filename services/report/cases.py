"""The cases of a report: what every pair is, its previews, and who saw what."""

from __future__ import annotations

from collections.abc import Mapping

from cfcore.reports.content import CaseReading, Picture, ReportCase
from cfcore.study.design.choices import CONTROL_NAMES
from services.pairs import pair_units
from services.pictures import thumbnail_png
from services.results import Case, StudyResults
from services.study_views import PairView
from services.workspace import Workspace

PREVIEW_SIDE = 112
# What stands on the two sides of a control.
SIDES: Mapping[str, tuple[str, str]] = {
    "identical": ("One image", "The same image"),
    "reconstruction": ("Original", "Reconstruction"),
    "filter": ("Original", "Filtered"),
    "patients": ("One patient", "Another patient"),
}


def report_case(workspace: Workspace, found: StudyResults, case: Case, with_pictures: bool) -> ReportCase:
    """One pair as the report shows it. with_pictures: with previews of both sides."""
    pair = case.pair
    captions = SIDES.get(pair.kind, (found.study.protocol.reference.capitalize(), "Counterfactual"))
    units = zip(captions, pair_units(workspace, pair), strict=True) if with_pictures else ()
    return ReportCase(
        label=case.label,
        patient=case.patient,
        arm=CONTROL_NAMES.get(pair.kind, case.arm),  # type: ignore[call-overload]
        readings=[
            CaseReading(
                reader=_named(reading.reader, reading.simulated, reading.purpose),
                seen=reading.seen,
                ratings=reading.ratings,
                comment=reading.comment,
                seconds=reading.seconds,
                first=reading.purpose != "repeat",
            )
            for reading in case.readings
        ],
        facts=_facts(pair),
        pictures=[Picture(f"{caption} (preview)", thumbnail_png(unit, PREVIEW_SIDE)) for caption, unit in units],
    )


def _facts(pair: PairView) -> dict[str, str]:
    """What the classifier says; of a control nothing, since nobody moved its class."""
    if pair.kind != "counterfactual":
        return {}
    return {
        "p of the target, original": f"{pair.p_source:.2f}",
        "reconstruction": f"{pair.p_reconstruction:.2f}",
        "counterfactual": f"{pair.p_counterfactual:.2f}",
        "class": "flipped" if pair.flipped else "did not flip",
    }


def _named(reader: str, simulated: bool, purpose: str) -> str:
    marks = [word for word, here in (("simulated", simulated), ("repeat", purpose == "repeat")) if here]
    return f"{reader} ({', '.join(marks)})" if marks else reader
