"""Reference answers for the real images of a study.

A reference answer says whether a finding is there in a real image. It comes from a table, from the page, from the
labels of the data set, or from the phantom's own factors. Only originals have one: nobody knows what a generated image
shows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cfcore.images.pseudonyms import pseudonym
from db.events import record
from db.models import Image, Pair, ReferenceAnswer, Study
from services.permissions import require
from services.study_views import StudyRefused, StudyView, study_view
from services.workspace import Workspace

MOST_BYTES = 5_000_000
YES = frozenset({"1", "yes", "y", "true", "present", "+", "ja", "1.0"})
NO = frozenset({"0", "no", "n", "false", "absent", "-", "nein", "0.0"})
CASE_COLUMNS = ("patient", "case", "id", "patient id", "patient_id", "patientid")


class ReferenceRefused(StudyRefused):
    """The table or the answer cannot be taken; the message names the column or row and the remedy."""


@dataclass(frozen=True)
class ReferenceRow:
    """One real image of the study. `patient` is its number in the study ("P07"), `arms` those that show it; `answers`:
    finding key -> present, absent or unknown (None), with where it comes from in `sources`."""

    image_id: int
    patient: str
    arms: tuple[str, ...]
    answers: dict[str, bool | None]
    sources: dict[str, str]


@dataclass(frozen=True)
class Taken:
    """What came of a table: answers stored, images of the study without a row, rows of nobody in the study (their
    numbers), columns that are no finding."""

    stored: int
    without_row: int
    foreign_rows: tuple[int, ...]
    ignored_columns: tuple[str, ...]


def reference_rows(workspace: Workspace, study_id: int, viewer: int | str) -> list[ReferenceRow]:
    """Every real image of the study with what is held to be true of it, in the order of patients."""
    with workspace.session() as session:
        require(session, viewer, study_id, "design")
    study = study_view(workspace, study_id)
    with workspace.session() as session:
        newest = _newest(session, study_id)
    keys = [finding.key for finding in study.protocol.findings]
    rows = []
    for image_id, (patient, arms) in _images(study).items():
        own = {key: newest.get((image_id, key)) for key in keys}
        rows.append(
            ReferenceRow(
                image_id,
                patient,
                arms,
                {key: row.present if row else None for key, row in own.items()},
                {key: row.source for key, row in own.items() if row and row.present is not None},
            )
        )
    return rows


def _images(study: StudyView) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Image -> (number of its patient in the study, arms that show it), in the order of `services.results`."""
    numbers = {p: f"P{i:02d}" for i, p in enumerate(dict.fromkeys(pair.patient for pair in study.pairs), 1)}
    arms: dict[int, list[str]] = {}
    patient: dict[int, str] = {}
    for pair in study.pairs:
        arms.setdefault(pair.image_id, []).append(pair.arm)
        patient[pair.image_id] = numbers[pair.patient]
    return {image: (patient[image], tuple(dict.fromkeys(found))) for image, found in arms.items()}


def _newest(session: Session, study_id: int) -> dict[tuple[int, str], ReferenceAnswer]:
    rows = session.scalars(
        sa.select(ReferenceAnswer).where(ReferenceAnswer.study_id == study_id).order_by(ReferenceAnswer.id)
    )
    return {(row.image_id, row.finding): row for row in rows}


def reference_of(session: Session, study_id: int) -> dict[tuple[int, str], bool]:
    """(image, finding) -> present or absent, as it is held to be now; unknown ones are left out."""
    return {key: row.present for key, row in _newest(session, study_id).items() if row.present is not None}


def set_reference(
    workspace: Workspace,
    study_id: int,
    answers: Mapping[tuple[int, str], bool | None],
    *,
    actor: str,
    source: str = "page",
) -> int:
    """Store (image, finding) -> present, absent, or None to take an answer back; returns how many changed.

    Append-only, with author and time. Allowed at any time: a reference is no part of the protocol, but the log tells
    whether it came before or after the reading. Raises ReferenceRefused for an image or finding that is not in the
    study.
    """
    with workspace.session() as session:
        require(session, actor, study_id, "design")
        study = session.get(Study, study_id)
        if study is None:
            raise StudyRefused(f"There is no study {study_id}: pick one from the list.")
        images = set(session.scalars(sa.select(Pair.image_id).where(Pair.study_id == study_id)))
        keys = {finding["key"] for finding in study.protocol.get("findings", ())}
        if wrong := next((key for _, key in answers if key not in keys), None):
            raise ReferenceRefused(f"“{wrong}” is no finding of this study: use {', '.join(sorted(keys))}.")
        if any(image not in images for image, _ in answers):
            raise ReferenceRefused("An image of these answers is not shown in this study: reload the page.")
        newest = _newest(session, study_id)
        changed = 0
        for (image, finding), present in answers.items():
            before = newest.get((image, finding))
            if (before.present if before else None) == present:
                continue
            session.add(
                ReferenceAnswer(
                    study_id=study_id, image_id=image, finding=finding, present=present, source=source, author=actor
                )
            )
            changed += 1
        if changed:
            record(
                session, actor, "reference set", f"study {study_id}", answers=changed, source=source, state=study.state
            )
        return changed


def take_table(workspace: Workspace, study_id: int, data: bytes, *, actor: str) -> Taken:
    """Read reference answers from a CSV table: a column "patient" and one column a finding (its key or label).

    A patient is named by the number in the study ("P07") or by the id under which the images were imported; ids are
    turned into pseudonyms in memory and are neither stored nor logged. Cells are yes/no, 1/0, present/absent; blank
    leaves the answer open. Commas, semicolons or tabs. Raises ReferenceRefused naming row and column of what is wrong;
    then nothing is stored.
    """
    study = study_view(workspace, study_id)
    header, rows = _table(data)
    lower = [name.strip().casefold() for name in header]
    case_column = next((lower.index(name) for name in CASE_COLUMNS if name in lower), None)
    if case_column is None:
        raise ReferenceRefused("The table has no column “patient”: name the column that says whose row it is so.")
    names = {f.key.casefold(): f.key for f in study.protocol.findings}
    names |= {f.label.strip().casefold(): f.key for f in study.protocol.findings}
    columns = {i: names[name] for i, name in enumerate(lower) if name in names}
    if not columns:
        raise ReferenceRefused(f"No column is a finding of this study: name them {', '.join(sorted(set(names)))}.")
    if twice := next((key for key in columns.values() if list(columns.values()).count(key) > 1), None):
        raise ReferenceRefused(f"Two columns are the finding “{twice}”: keep one.")
    of_patient = _patients(workspace, study)
    answers: dict[tuple[int, str], bool | None] = {}
    foreign, seen = [], set()
    for number, row in enumerate(rows, 2):
        images = of_patient(row[case_column].strip()) if len(row) > case_column else ()
        if not images:
            foreign.append(number)
            continue
        seen |= set(images)
        for i, key in columns.items():
            present = _cell(row[i] if i < len(row) else "", number, header[i])
            if present is None:
                continue
            for image in images:
                if answers.setdefault((image, key), present) != present:
                    raise ReferenceRefused(f"Row {number} contradicts an earlier row on “{header[i]}”: correct one.")
    stored = set_reference(workspace, study_id, answers, actor=actor, source="table")
    ignored = tuple(header[i] for i in range(len(header)) if i != case_column and i not in columns)
    return Taken(stored, len(set(_images(study)) - seen), tuple(foreign), ignored)


def _table(data: bytes) -> tuple[list[str], list[list[str]]]:
    if len(data) > MOST_BYTES:
        raise ReferenceRefused(f"The table is larger than {MOST_BYTES // 1_000_000} MB: keep one row a patient.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReferenceRefused("The table is no UTF-8 text: save it as “CSV UTF-8”.") from error
    first = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise ReferenceRefused("The table has no rows: give a header and one row a patient.")
    return rows[0], rows[1:]


def _cell(text: str, row: int, column: str) -> bool | None:
    word = text.strip().casefold()
    if word in YES:
        return True
    if word in NO:
        return False
    if word in ("", "na", "n/a", "unknown", "?"):
        return None
    raise ReferenceRefused(f"Row {row}, column “{column}”: “{text.strip()[:40]}” is neither yes nor no.")


def _patients(workspace: Workspace, study: StudyView) -> Any:
    """From what a table calls a patient to the images of that patient in the study."""
    by_number: dict[str, list[int]] = {}
    for image, (patient, _) in _images(study).items():
        by_number.setdefault(patient, []).append(image)
    by_pseudonym: dict[str, list[int]] = {}
    for pair in study.pairs:
        if pair.image_id not in by_pseudonym.setdefault(pair.patient, []):
            by_pseudonym[pair.patient].append(pair.image_id)

    def find(name: str) -> Sequence[int]:
        if not name:
            return ()
        return by_number.get(name.upper()) or by_pseudonym.get(pseudonym(workspace.key, name)) or ()

    return find


def template_csv(workspace: Workspace, study_id: int, viewer: int | str) -> str:
    """A table to fill in: one row a patient of the study, one column a finding, with the answers that there are."""
    rows = reference_rows(workspace, study_id, viewer)
    keys = list(rows[0].answers) if rows else []
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["patient", *keys])
    words = {True: "yes", False: "no", None: ""}
    for row in rows:
        writer.writerow([row.patient, *(words[row.answers[key]] for key in keys)])
    return out.getvalue()


def labels_of(workspace: Workspace, study_id: int) -> list[str]:
    """The labels that the images of the study carry, most frequent first."""
    with workspace.session() as session:
        images = session.scalars(
            sa.select(Image).where(Image.id.in_(sa.select(Pair.image_id).where(Pair.study_id == study_id)))
        )
        counts: dict[str, int] = {}
        for image in images:
            for label in image.labels:
                counts[label] = counts.get(label, 0) + 1
    return sorted(counts, key=lambda label: (-counts[label], label))


def take_labels(workspace: Workspace, study_id: int, label_of: Mapping[str, str], *, actor: str) -> int:
    """Set findings from labels of the data set: `label_of` finding key -> label that means it is there; every other
    image of the study counts as without it. Returns how many answers changed."""
    with workspace.session() as session:
        images = session.scalars(
            sa.select(Image).where(Image.id.in_(sa.select(Pair.image_id).where(Pair.study_id == study_id)))
        ).all()
    answers = {(image.id, key): label in image.labels for image in images for key, label in label_of.items()}
    return set_reference(workspace, study_id, answers, actor=actor, source="labels")


def take_phantom(workspace: Workspace, study_id: int, *, actor: str) -> int:
    """Set findings from the factors with which the phantoms were drawn (`services.demo_truth.RULES`).

    Raises ReferenceRefused where the images are no phantoms or no finding has a rule.
    """
    from services.demo_truth import RULES, known_factors

    study = study_view(workspace, study_id)
    with workspace.session() as session:
        images = session.scalars(sa.select(Image).where(Image.id.in_(_images(study)))).all()
        factors = {image.id: known_factors(image.meta) for image in images if "phantom" in image.meta}
    keys = [finding.key for finding in study.protocol.findings if finding.key in RULES]
    if not factors or not keys:
        what = "the images are no phantoms" if not factors else "no finding of the list is known of phantoms"
        raise ReferenceRefused(f"The phantom's truth is not known here: {what}.")
    answers: dict[tuple[int, str], bool | None] = {
        (image, key): RULES[key].known(found) >= RULES[key].level for image, found in factors.items() for key in keys
    }
    return set_reference(workspace, study_id, answers, actor=actor, source="phantom")
