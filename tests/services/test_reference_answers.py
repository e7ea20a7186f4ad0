"""Reference answers from tables, labels and phantoms, and readers scored against them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.phantom import Factors
from cfcore.images.pseudonyms import pseudonym
from cfcore.study.protocol import canonical_json
from cfcore.study.questions import Choice, Confidence, ForcedChoice
from cfcore.study.reference import d_prime
from cfcore.study.simulated import SimulatedReader
from db.models import Dataset, Event, Image, Pair, Reading, ReferenceAnswer, Study, Trial
from services.permissions import NotAllowed
from services.reader_scores import accuracy, real_or_generated, scored_readings
from services.reference_answers import (
    ReferenceRefused,
    labels_of,
    reference_rows,
    set_reference,
    take_labels,
    take_phantom,
    take_table,
    template_csv,
)
from services.rehearsal_readers import Assumed, rehearse
from services.study_views import StudyRefused
from services.workspace import Workspace
from tests.browser.studies import FINDINGS, add_reader, make_study, noise_pairs, protocol

ARMS = ("v17 +", "v3 -")


@pytest.fixture
def study(workspace: Workspace) -> int:
    """24 small pairs of 24 patients."""
    return make_study(workspace, [(a[:8, :8], b[:8, :8]) for a, b in noise_pairs(24)], ARMS)


def present(workspace: Workspace, study: int) -> dict[tuple[str, str], bool | None]:
    return {(row.patient, key): v for row in reference_rows(workspace, study, "test") for key, v in row.answers.items()}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_by_number_and_by_the_id_of_the_hospital(
    workspace: Workspace, study: int, delimiter: str
) -> None:
    with workspace.session() as session:
        pair = session.scalars(sa.select(Pair).order_by(Pair.id)).all()[1]
        pair.patient = pseudonym(workspace.key, "MRN-4711")
    lines = [
        ["Patient", "line", "Round shadow", "note"],
        ["P01", "yes", "0", "a"],
        [" MRN-4711 ", "-", "", "b"],
        ["somebody", "1", "1", "c"],
    ]
    data = "\n".join(delimiter.join(line) for line in lines).encode("utf-8-sig")
    taken = take_table(workspace, study, data, actor="test")
    assert (taken.stored, taken.without_row, taken.foreign_rows, taken.ignored_columns) == (3, 22, (4,), ("note",))
    found = present(workspace, study)
    assert (found["P01", "line"], found["P01", "shadow"], found["P02", "line"]) == (True, False, False)
    assert found["P02", "shadow"] is None and found["P01", "rib"] is None
    with workspace.session() as session:
        stored = str([row.__dict__ for row in session.scalars(sa.select(ReferenceAnswer))])
        logged = str([event.data for event in session.scalars(sa.select(Event))])
    assert "MRN" not in stored + logged and "somebody" not in stored + logged
    # What was stored is what the template gives back, and taking it again changes nothing.
    again = take_table(workspace, study, template_csv(workspace, study, "test").encode(), actor="test")
    assert again.stored == 0 and again.foreign_rows == ()


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "no rows"),
        (b"patient,line\n", "no rows"),
        (b"who,line\nP01,1\n", "no column “patient”"),
        (b"patient,other\nP01,1\n", "No column is a finding"),
        (b"patient,line,Line or tube\nP01,1,1\n", "Two columns"),
        (b"patient,line\nP01,perhaps\n", "Row 2, column “line”: “perhaps”"),
        (b"patient,line\nP01,1\nP01,0\n", "Row 3 contradicts"),
        ("patient,line\nP01,ä\n".encode("latin-1"), "UTF-8"),
        (b"x" * 5_000_001, "larger than 5 MB"),
    ],
)
def test_a_wrong_table_is_refused_by_row_and_column_and_stores_nothing(
    workspace: Workspace, study: int, data: bytes, named: str
) -> None:
    with pytest.raises(ReferenceRefused, match=named):
        take_table(workspace, study, data, actor="test")
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(ReferenceAnswer.id))) == 0


def test_an_answer_is_changed_and_taken_back_without_losing_its_history(workspace: Workspace, study: int) -> None:
    image = reference_rows(workspace, study, "test")[0].image_id
    for value in (True, True, False, None):
        set_reference(workspace, study, {(image, "line"): value}, actor="test")
    assert present(workspace, study)["P01", "line"] is None
    with workspace.session() as session:
        assert [row.present for row in session.scalars(sa.select(ReferenceAnswer))] == [True, False, None]
    for wrong, named in (({(image, "heart"): True}, "“heart” is no finding"), ({(999, "line"): True}, "not shown")):
        with pytest.raises(ReferenceRefused, match=named):
            set_reference(workspace, study, wrong, actor="test")
    reader = add_reader(workspace, study)
    with pytest.raises(NotAllowed):
        set_reference(workspace, study, {(image, "line"): True}, actor=f"account {reader}")
    with pytest.raises(NotAllowed):
        reference_rows(workspace, study, reader)


def test_labels_of_the_data_set_become_answers(workspace: Workspace, study: int) -> None:
    with workspace.session() as session:
        images = session.scalars(sa.select(Image).order_by(Image.id)).all()
        for image in images[:5]:
            image.labels = ["Pneumonia", "Tube"]
    assert labels_of(workspace, study) == ["Pneumonia", "Tube"]
    assert take_labels(workspace, study, {"line": "Tube"}, actor="test") == 24
    rows = reference_rows(workspace, study, "test")
    assert sum(row.answers["line"] is True for row in rows) == 5 and rows[0].sources == {"line": "labels"}


def test_phantoms_know_their_own_truth(workspace: Workspace, study: int) -> None:
    with pytest.raises(ReferenceRefused, match="no phantoms"):
        take_phantom(workspace, study, actor="test")
    finding = dataclasses.replace(FINDINGS[0], key="older", label="Older patient")
    with workspace.session() as session:
        session.get_one(Study, study).protocol = json.loads(canonical_json(protocol(ARMS, (finding,))))
        ages = {}
        for i, image in enumerate(session.scalars(sa.select(Image).order_by(Image.id))):
            ages[image.id] = 40.0 + 2 * i
            factors = dataclasses.asdict(dataclasses.replace(Factors(), age=ages[image.id]))
            image.meta = {"phantom": {"factors": factors}}
    assert take_phantom(workspace, study, actor="test") == 24
    for row in reference_rows(workspace, study, "test"):
        assert row.answers["older"] == (ages[row.image_id] >= 65) and row.sources["older"] == "phantom"


def test_scores_recover_the_skill_that_was_put_in(workspace: Workspace, study: int) -> None:
    asked = (
        ForcedChoice(key="real", text="Which one is the real one?", right="original"),
        Confidence(key="sure", text="How sure are you?"),
    )
    plan = dataclasses.replace(protocol(ARMS), questions=asked)
    with workspace.session() as session:
        session.get_one(Study, study).protocol = json.loads(canonical_json(plan))
    readers = [SimulatedReader("", 0.85, 0.9, choice=0.9), SimulatedReader("", 0.6, 0.6, choice=0.5)]
    copy = rehearse(workspace, study, readers, Assumed(prevalence=0.5), seed=2, actor="test")
    with workspace.session() as session:
        truth = {
            (pair.image_id, key): bool(state[0])
            for pair in session.scalars(sa.select(Pair).where(Pair.study_id == copy))
            for key, state in (pair.truth or {}).items()
        }
    set_reference(workspace, copy, truth, actor="test")
    table = accuracy(workspace, copy, "test").set_index("reader")
    for label, reader in zip(("R1", "R2"), readers, strict=True):
        for name, put_in in (("sensitivity", reader.sensitivity), ("specificity", reader.specificity)):
            assert table.loc[label, f"{name}_low"] <= put_in <= table.loc[label, f"{name}_high"], (label, name)
    # With confidence the area is more than what yes and no give, and a better reader has more of it.
    yes_no = (table.sensitivity + table.specificity) / 2
    assert table.auc["R1"] > yes_no["R1"] and table.auc["R1"] > table.auc["R2"]
    assert {"reader", "finding"} <= set(accuracy(workspace, copy, "test", ("reader", "finding")).columns)
    told = real_or_generated(workspace, copy, "test").set_index("reader")
    assert list(told.index) == ["R1", "R2", "all"] and told.n["all"] == 48
    assert told.d_prime["R1"] > 1 and told.low["R2"] < 0 < told.high["R2"]


def test_originals_that_stood_alone_are_scored_apart(workspace: Workspace, study: int) -> None:
    copy = rehearse(workspace, study, [SimulatedReader("", 0.9, 0.9)], Assumed(prevalence=0.5), actor="test")
    rows = reference_rows(workspace, copy, "test")
    set_reference(workspace, copy, {(row.image_id, "line"): True for row in rows}, actor="test")
    with workspace.session() as session:
        for i, reading in enumerate(session.scalars(sa.select(Reading).join(Trial).order_by(Trial.position))):
            reading.trial.purpose, reading.trial.original_side = "single", "A" if i < 10 else "B"
            reading.answers = {"findings": {"line": "present" if i % 5 else "absent"}, "ratings": {}, "comment": ""}
    assert scored_readings(workspace, copy, "test").empty
    table = accuracy(workspace, copy, "test", ("finding",), "single").set_index("finding")
    assert table.loc["line", "readings"] == 10 and table.loc["line", "sensitivity"] == 0.8


def test_single_images_give_d_prime_from_hits_and_false_alarms(workspace: Workspace, study: int) -> None:
    sort = Choice(
        key="sort", text="?", options=("real", "made", "unsure"), right_for_original="real",
        right_for_counterfactual="made",
    )  # fmt: skip
    plan = dataclasses.replace(protocol(ARMS), questions=(sort, dataclasses.replace(sort, key="one_right_only",
                               right_for_original="")))  # fmt: skip
    with workspace.session() as session:
        session.get_one(Study, study).protocol = json.loads(canonical_json(plan))
    copy = rehearse(workspace, study, [SimulatedReader("")], Assumed(), actor="test")
    with workspace.session() as session:
        for i, reading in enumerate(session.scalars(sa.select(Reading).join(Trial).order_by(Trial.position))):
            # Twelve generated images, nine called so; twelve real ones, three called generated, one unsure.
            generated = i < 12
            said = ("made" if i < 9 else "real") if generated else "made" if i < 15 else "unsure" if i < 16 else "real"
            reading.trial.purpose, reading.trial.original_side = "single", "B" if generated else "A"
            reading.answers = {"findings": {}, "questions": {"sort": said, "one_right_only": said}, "comment": ""}
    told = real_or_generated(workspace, copy, "test")
    assert list(told.question) == ["sort", "sort"] and list(told.reader) == ["R1", "all"]
    expected = d_prime(9, 12, 3, 12)
    assert told.d_prime.tolist() == [expected.value] * 2 and told.low[0] == expected.low
    assert (told.n[0], told.correct[0]) == (24, 9 + 8)


def test_nobody_is_scored_before_the_end_or_without_the_right(workspace: Workspace, study: int) -> None:
    for call in (scored_readings, real_or_generated):
        with pytest.raises(StudyRefused, match="close the study first"):
            call(workspace, study, "test")
        with pytest.raises(NotAllowed):
            call(workspace, study, add_reader(workspace, study))
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
    assert scored_readings(workspace, study, "test").empty and accuracy(workspace, study, "test").empty


def test_cannot_assess_and_images_without_reference_are_counted_apart(workspace: Workspace, study: int) -> None:
    readers = [SimulatedReader("", cannot=0.5)]
    copy = rehearse(workspace, study, readers, Assumed(prevalence=0.5), actor="test")
    rows = reference_rows(workspace, copy, "test")
    set_reference(workspace, copy, {(row.image_id, "line"): True for row in rows[:12]}, actor="test")
    table = accuracy(workspace, copy, "test", ("finding",)).set_index("finding")
    assert table.loc["line", "negative"] == 0 and table.loc["line", "specificity_note"]
    assert table.loc["line", "readings"] + table.loc["line", "not_assessed"] == 12
    assert table.loc["rib", "readings"] == 0 and table.loc["rib", "without_reference"] == 24
    with workspace.session() as session:
        counted = session.scalars(sa.select(Reading).join(Trial)).all()
        assert len(counted) == 24 and session.scalar(sa.select(sa.func.count(Dataset.id))) == 1
    assert np.isfinite(table.loc["line", "sensitivity"])
