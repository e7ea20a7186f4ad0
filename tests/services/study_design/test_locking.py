"""Versions of a locked study, amendments, changes behind the program's back, the document of what was fixed."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from cfcore.study.analysis_plan import AnalysisPlan, Hypothesis
from cfcore.study.design.choices import Control, Design, Gate
from cfcore.study.protocol import Finding, Rating
from db.models import Event, Pair, PlannedTrial, Reading, Study, StudyReader, StudyVersion, Trial, now
from services import accounts, invitations, reading
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.studies import (
    StudyRefused,
    amend_study,
    close_study,
    copy_study,
    create_study,
    lock_study,
    study_view,
    update_draft,
    verify_digest,
)
from services.study_design.documents import exclusions, flow_diagram, preregistration_document
from services.study_design.locking import integrity, versions
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine

LOGIN = "rita@example.org"


@pytest.fixture
def draft(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(
        workspace, finished_run(workspace), actor="ada", n_per_arm=3, directions=["v1 +"],
        findings=(Finding("ctr", "Ratio"),), ratings=(Rating("real", "Real?", "no", "yes"),),
    )  # fmt: skip
    update_draft(workspace, study_id, actor="ada", controls=(Control("identical", 1),))
    make_pairs(workspace, study_id, actor="ada")
    return study_id


def read_one(workspace: Workspace, study_id: int) -> int:
    """Invite a reader and let him or her read the first case; returns the account."""
    invitations.invite_reader(workspace, study_id, LOGIN, "Rita", "ada")
    with workspace.session() as session:
        reader = session.scalars(sa.select(StudyReader).where(StudyReader.study_id == study_id)).one()
        token = min(reader.trials, key=lambda trial: trial.position).token
        account = reader.account_id
    answers = {"findings": {"ctr": "A"}, "ratings": {"real": 3}, "comment": ""}
    reading.save_reading(workspace, account, token, 1, answers, 4.0)
    return account


def sql(workspace: Workspace, statement: sa.Executable) -> None:
    with workspace.session() as session:
        session.execute(statement)


def test_a_lock_writes_version_one_and_an_amendment_the_next(workspace: Workspace, draft: int) -> None:
    digest = lock_study(workspace, draft, actor="ada")
    assert study_view(workspace, draft).phase == "locked"
    account = read_one(workspace, draft)
    assert study_view(workspace, draft).phase == "running"
    more = (*study_view(workspace, draft).protocol.findings, Finding("older", "Older patient", "secondary"))
    assert amend_study(workspace, draft, actor="ada", reason="A reader asked for it", findings=more) == 2
    with workspace.session() as session:
        reader = session.scalars(sa.select(StudyReader)).one()
        second = sorted(reader.trials, key=lambda trial: trial.position)[1].token
    answers = {"findings": {"ctr": "A", "older": "both"}, "ratings": {"real": 3}, "comment": ""}
    reading.save_reading(workspace, account, second, 1, answers, 4.0)
    with workspace.session() as session:
        told = list(session.execute(sa.select(Reading.version, Reading.complete).order_by(Reading.id)).tuples())
    assert told == [(1, True), (2, True)]
    first, second_version = versions(workspace, draft)
    assert (first.digest, first.reason, second_version.number) == (digest, "", 2)
    assert second_version.digest != digest == first.digest and len(first.protocol.findings) == 1
    assert second_version.reason == "A reader asked for it" and study_view(workspace, draft).version == 2
    assert verify_digest(workspace, draft) and integrity(workspace, draft).changes == ()


@pytest.mark.parametrize(
    ("changes", "reason", "word"),
    [
        ({"notes": "n"}, " ", "reason"),
        ({}, "r", "Nothing"),
        ({"degree": 3.0}, "r", "Degree cannot be amended"),
        ({"gate": Gate(flipped="no")}, "r", "Gate cannot"),
        ({"findings": ()}, "r", "taken out"),
        ({"design": Design(readers=1)}, "r", "only grow"),
        ({"design": Design(readers=5, order="permuted blocks")}, "r", "only the number"),
        ({"reader_title": "Cardiomegaly"}, "r", "breaks the blinding"),
        ({"analysis": None}, "r", "primary analysis"),
    ],
)
def test_what_would_make_readings_into_others_is_no_amendment(
    workspace: Workspace, draft: int, changes: dict[str, object], reason: str, word: str
) -> None:
    with pytest.raises(StudyRefused, match="not open"):
        amend_study(workspace, draft, actor="ada", reason="r", notes="n")
    lock_study(workspace, draft, actor="ada")
    with pytest.raises(StudyRefused, match=word):
        amend_study(workspace, draft, actor="ada", reason=reason, **changes)
    assert len(versions(workspace, draft)) == 1 and verify_digest(workspace, draft)


def test_more_readers_may_be_planned_without_touching_the_schedules_there_are(workspace: Workspace, draft: int) -> None:
    lock_study(workspace, draft, actor="ada")
    query = sa.select(PlannedTrial.slot, PlannedTrial.position, PlannedTrial.pair_id, PlannedTrial.original_side)
    with workspace.session() as session:
        before = set(session.execute(query).tuples())
    amend_study(workspace, draft, actor="ada", reason="One more reader", design=Design(readers=4))
    with workspace.session() as session:
        after = set(session.execute(query).tuples())
    assert before < after and {row[0] for row in after - before} == {4} and verify_digest(workspace, draft)


TAMPERED = (
    (sa.update(Study).values(protocol={}), "protocol"),
    (sa.update(Study).values(version=7), "last version"),
    (sa.update(Study).values(flow={"patients": 1}), "counts of the gate"),
    (sa.update(Pair).where(Pair.kind == "identical").values(kind="filter"), "Pairs"),
    (sa.update(Pair).values(truth={"ctr": [True, True]}), "Pairs"),
    (sa.delete(PlannedTrial).where(PlannedTrial.slot == 3), "schedule"),
    (sa.update(PlannedTrial).where(PlannedTrial.position == 0).values(original_side="B"), "schedule"),
    (sa.update(StudyVersion).values(reason="x", digest="0" * 64), "record of version 1"),
    (sa.update(Trial).where(Trial.position == 1).values(purpose="repeat"), "cases of reader R1"),
    (sa.update(Reading).values(answers={"findings": {"ctr": "B"}}), "1 answers of reader R1"),
)


def test_a_locked_study_that_was_changed_through_sql_is_recognised(workspace: Workspace, draft: int) -> None:
    lock_study(workspace, draft, actor="ada")
    read_one(workspace, draft)
    assert integrity(workspace, draft).intact
    with workspace.session() as session:
        whole = dict(session.get_one(Study, draft).protocol)
    for statement, word in TAMPERED[1:]:
        with workspace.session() as session:
            session.execute(statement)
            session.flush()
            from services.study_design import locking

            study = session.get_one(Study, draft)
            found = [
                *locking._row_changes(session, study),
                *locking._trial_changes(session, study),
                *locking._answer_changes(session, study),
            ]
            assert any(word in change for change in found), (word, found)
            session.rollback()
    assert integrity(workspace, draft).intact
    sql(workspace, sa.update(Study).values(protocol=whole | {"degree": 3.0}))
    assert integrity(workspace, draft, files=False).changes == ("The protocol has been changed (degree).",)
    assert not verify_digest(workspace, draft)


def test_pictures_that_are_gone_or_changed_are_counted(workspace: Workspace, draft: int) -> None:
    lock_study(workspace, draft, actor="ada")
    pair = study_view(workspace, draft).pairs[0]
    workspace.delete(pair.original_key)
    assert integrity(workspace, draft).changes == ("The pictures of 1 of 4 pairs have been changed or are gone.",)
    assert integrity(workspace, draft, files=False).intact


def test_a_plan_nobody_touched_follows_the_design_and_a_written_one_stays(workspace: Workspace, draft: int) -> None:
    plan = study_view(workspace, draft).protocol.analysis
    assert plan is not None and plan.contrast == ("v1+",)
    update_draft(workspace, draft, actor="ada", findings=(Finding("older", "Older patient"),))
    followed = study_view(workspace, draft).protocol.analysis
    assert followed is not None and followed.finding == "older"
    own = AnalysisPlan("Does it show?", "older", "appears", ("v1+",), family=(Hypothesis("older", ("v1+",)),))
    update_draft(workspace, draft, actor="ada", analysis=own)
    update_draft(workspace, draft, actor="ada", findings=(Finding("ctr", "Ratio"),))
    view = study_view(workspace, draft)
    assert view.protocol.analysis == own and any("older" in problem for problem in view.problems)
    with pytest.raises(StudyRefused, match="older"):
        lock_study(workspace, draft, actor="ada")


def test_bad_designs_keep_a_study_open(workspace: Workspace, draft: int) -> None:
    for changes, word in (
        ({"findings": (Finding("ctr", "Ratio"), Finding("ctr", "Other"))}, "share the key"),
        ({"findings": (Finding("a", "Ratio"), Finding("b", "ratio "))}, "share the label"),
        ({"controls": (Control("identical", 0),)}, "without cases"),
        ({"arms": ()}, "no arm"),
    ):
        copy = copy_study(workspace, draft, actor="ada")
        update_draft(workspace, copy, actor="ada", **changes)
        with pytest.raises(StudyRefused, match=word):
            lock_study(workspace, copy, actor="ada")


def test_a_link_works_once(workspace: Workspace, draft: int) -> None:
    lock_study(workspace, draft, actor="ada")
    token = invitations.invite_reader(workspace, draft, LOGIN, "Rita", "ada").rsplit("/", 1)[1]
    invitations.accept_invitation(workspace, token, "a long enough password")
    with pytest.raises(accounts.AccountError, match="has been used"):
        invitations.accept_invitation(workspace, token, "another long password")


def test_a_clock_that_goes_back_bars_the_lock_and_is_noted_with_answers(
    workspace: Workspace, draft: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = now() + timedelta(hours=3)
    sql(workspace, sa.update(Study).values(created_at=ahead))
    with pytest.raises(StudyRefused, match="clock went back: it stands 3 hours"):
        lock_study(workspace, draft, actor="ada")
    sql(workspace, sa.update(Study).values(created_at=now()))
    lock_study(workspace, draft, actor="ada")
    account = read_one(workspace, draft)
    sql(workspace, sa.update(Reading).values(saved_at=now() + timedelta(minutes=30)))
    with workspace.session() as session:
        token = sorted(session.scalars(sa.select(Trial)), key=lambda trial: trial.position)[1].token
    answers = {"findings": {"ctr": "B"}, "ratings": {"real": 2}, "comment": ""}
    assert reading.save_reading(workspace, account, token, 1, answers, 4.0).complete
    found = integrity(workspace, draft)
    assert found.intact and "30 minutes" in found.notes[0] and "R1" in found.notes[0]
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(Event.id)).where(Event.kind == "clock went backwards")) == 1


def test_the_preregistration_says_what_was_fixed_and_no_pseudonym(workspace: Workspace, draft: int) -> None:
    with pytest.raises(StudyRefused, match="lock the study first"):
        preregistration_document(workspace, draft)
    digest = lock_study(workspace, draft, actor="ada")
    amend_study(workspace, draft, actor="ada", reason="Wording | of notes", notes="New <b>notes</b>")
    markdown, html = preregistration_document(workspace, draft)
    view = study_view(workspace, draft)
    with workspace.session() as session:
        sha256 = session.get_one(Pair, view.pairs[0].id).sha256
    for text in (markdown, html):
        assert view.digest is not None and view.digest in text and "Identical images" in text
        assert "Holm" in text and sha256 in text and "every reader meets a patient once" in text.lower()
        assert not any(f" {pair.patient} " in text or f">{pair.patient}<" in text for pair in view.pairs)
    assert "Wording \\| of notes" in markdown and "&lt;b&gt;" in html and "<svg" in html
    first, _ = preregistration_document(workspace, draft, 1)
    assert digest in first and "Version 1" in first and "Wording" not in first
    assert flow_diagram(workspace, draft).startswith("<svg") and exclusions(workspace, draft) == ()
    close_study(workspace, draft, actor="ada")
    assert study_view(workspace, draft).phase == "closed" and preregistration_document(workspace, draft)[0] == markdown
