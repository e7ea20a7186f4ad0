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
from services.report.cases import SIDES
from services.results import Case, StudyResults
from services.workspace import Workspace

SCHEME = "99CFREADER"
MAKER = "cfreader"
REMEDY = "DICOM structured reports are left out: install highdicom (pip install 'cfreader[sr]')."
STATES = ("appears", "disappears", "both", "neither", "cannot assess")


def can_write() -> bool:
    """Whether highdicom is installed."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        return False
    return True


def case_files(workspace: Workspace, found: StudyResults, case: Case) -> dict[str, bytes]:
    """File name -> DICOM file of one case: original.dcm, counterfactual.dcm, report.dcm (the last with readings only).
    Of a control the two images are called what they are, e.g. one_patient.dcm and another_patient.dcm.

    Patients carry their number within the study ("P07"), readers their label; names, sexes and dates of birth are
    empty.
    """
    import highdicom as hd
    from pydicom.dataset import Dataset

    root = f"{found.study.digest or found.study.id}/{case.label}"
    images: list[Dataset] = []
    for number, (name, key) in enumerate(_sides(case), 1):
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
        images[-1].SeriesDescription = _joined(case, "and").capitalize()
        images[-1].ImageComments = name
    stems = (name.replace(" ", "_") for name, _ in _sides(case))
    files = {f"{stem}.dcm": _bytes(image) for stem, image in zip(stems, images, strict=True)}
    groups = _groups(found.study.protocol, case, images)
    if groups:
        files["report.dcm"] = _bytes(_report(root, images, groups, f"Reading of {_joined(case, 'beside')}"))
    return files


def _sides(case: Case) -> tuple[tuple[str, str], ...]:
    """What each image is, and its key."""
    first, second = SIDES.get(case.pair.kind, ("Original", "Counterfactual"))
    return ((first.lower(), case.pair.original_key), (second.lower(), case.pair.counterfactual_key))


def _joined(case: Case, word: str) -> str:
    (first, _), (second, _) = _sides(case)
    return f"{first} {word} {second}"


def _meanings(case: Case) -> dict[str, str]:
    """State of a finding -> how a report says it."""
    (first, _), (second, _) = _sides(case)
    said = (
        f"Seen in {second} only",
        f"Seen in {first} only",
        "Seen in both images",
        "Seen in neither image",
        "Cannot be assessed",
    )
    return dict(zip(STATES, said, strict=True))


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

    meanings = _meanings(case)
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
                    reading.seen[finding.key].replace(" ", "_")[:16], SCHEME, meanings[reading.seen[finding.key]]
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


def _report(root: str, images: Sequence[Any], groups: Sequence[Any], procedure: str) -> Any:
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
        procedure_reported=CodedConcept("reader_study", SCHEME, procedure),
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
