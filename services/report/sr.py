"""A case as DICOM: both images as secondary captures, and what every reader said as a structured report (TID 1500).

Written with highdicom (MIT), the optional part "sr" of this package. Findings are coded in the private scheme
99CFREADER: the checklist is the study's own, and no public code is claimed for it.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Sequence
from typing import Any

from cfcore.images.encode import decode_png
from cfcore.study.protocol import Protocol
from services.results import Case, StudyResults
from services.study_views import PairView
from services.workspace import Workspace

SCHEME = "99CFREADER"
MAKER = "cfreader"
REMEDY = "DICOM structured reports are left out: install highdicom (pip install 'cfreader[sr]')."
STATES = {
    "appears": "Seen in counterfactual only",
    "disappears": "Seen in original only",
    "both": "Seen in both images",
    "neither": "Seen in neither image",
    "cannot assess": "Cannot be assessed",
}


def can_write() -> bool:
    """Whether highdicom is installed."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        return False
    return True


def case_files(workspace: Workspace, found: StudyResults, case: Case) -> dict[str, bytes]:
    """File name -> DICOM file of one case: original.dcm, counterfactual.dcm, report.dcm (the last with readings only).

    Patients carry their number within the study ("P07"), readers their label; names, sexes and dates of birth are
    empty.
    """
    import highdicom as hd
    from pydicom.dataset import Dataset

    root = f"{found.study.digest or found.study.id}/{case.label}"
    images: list[Dataset] = []
    for number, (name, key) in enumerate(_sides(case.pair), 1):
        pixels = decode_png(workspace.get(key))
        images.append(
            hd.sc.SCImage(
                pixel_array=pixels,
                photometric_interpretation="MONOCHROME2",
                bits_allocated=8 * pixels.dtype.itemsize,
                coordinate_system="PATIENT",
                study_instance_uid=_uid(root),
                series_instance_uid=_uid(f"{root}/images"),
                series_number=1,
                sop_instance_uid=_uid(f"{root}/{name}"),
                instance_number=number,
                manufacturer=MAKER,
                patient_id=case.patient,
                patient_name="",
                patient_orientation=("L", "F"),
            )
        )
        images[-1].SeriesDescription = "Original and counterfactual"
        images[-1].ImageComments = name
    files = {f"{name}.dcm": _bytes(image) for (name, _), image in zip(_sides(case.pair), images, strict=True)}
    groups = _groups(found.study.protocol, case, images)
    if groups:
        files["report.dcm"] = _bytes(_report(root, images, groups))
    return files


def _sides(pair: PairView) -> tuple[tuple[str, str], ...]:
    return (("original", pair.original_key), ("counterfactual", pair.counterfactual_key))


def _groups(protocol: Protocol, case: Case, images: Sequence[Any]) -> list[Any]:
    """One measurement group (TID 1501) for each reader who read the case first."""
    from highdicom.sr import (
        CodedConcept,
        Measurement,
        MeasurementsAndQualitativeEvaluations,
        QualitativeEvaluation,
        SourceImageForMeasurementGroup,
        TrackingIdentifier,
    )

    score = CodedConcept("{score}", "UCUM", "score")
    sources = [SourceImageForMeasurementGroup(i.SOPClassUID, i.SOPInstanceUID) for i in images]
    groups = []
    for reading in case.readings:
        if not reading.read or reading.purpose == "repeat":
            continue
        evaluations = [
            QualitativeEvaluation(
                CodedConcept(finding.key[:16], SCHEME, finding.label[:64]),
                CodedConcept(
                    reading.seen[finding.key].replace(" ", "_")[:16], SCHEME, STATES[reading.seen[finding.key]]
                ),
            )
            for finding in protocol.findings
            if reading.seen.get(finding.key) in STATES
        ]
        measurements = [
            Measurement(CodedConcept(rating.key[:16], SCHEME, rating.question[:64]), value, score)
            for rating in protocol.ratings
            if (value := reading.ratings.get(rating.key)) is not None
        ]
        if evaluations or measurements:
            groups.append(
                MeasurementsAndQualitativeEvaluations(
                    tracking_identifier=TrackingIdentifier(
                        uid=_uid(f"{images[0].StudyInstanceUID}/{reading.reader}"),
                        identifier=f"Reader {reading.reader}",
                    ),
                    qualitative_evaluations=evaluations or None,
                    measurements=measurements or None,
                    source_images=sources,
                )
            )
    return groups


def _report(root: str, images: Sequence[Any], groups: Sequence[Any]) -> Any:
    from highdicom.sr import (
        CodedConcept,
        ComprehensiveSR,
        DeviceObserverIdentifyingAttributes,
        MeasurementReport,
        ObservationContext,
        ObserverContext,
    )
    from pydicom.sr.codedict import codes

    device = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(uid=_uid(MAKER), name=MAKER),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=device),
        procedure_reported=CodedConcept("reader_study", SCHEME, "Reading of an original beside its counterfactual"),
        imaging_measurements=groups,
        referenced_images=images,
    )
    return ComprehensiveSR(
        evidence=images,
        content=content,
        series_instance_uid=_uid(f"{root}/reports"),
        series_number=2,
        sop_instance_uid=_uid(f"{root}/report"),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=True,
    )


def _uid(text: str) -> str:
    """A UID that the same study gives the same case every time (PS3.5, B.2: under 2.25 from a UUID)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'cfreader:{text}').int}"


def _bytes(dataset: Any) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
