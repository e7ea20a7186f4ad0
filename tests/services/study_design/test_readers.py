"""Readers of a designed study: practice first, second readings after the washout, drop-outs and replacements."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from cfcore.study.design.choices import Control, Design, Repeats, Training
from cfcore.study.protocol import Finding, Rating
from db.models import PlannedTrial, Reading, StudyReader, Trial, now
from services import accounts, invitations, reading
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.reading import ReadingRefused
from services.rehearsal import rehearsal, rehearsal_case
from services.studies import StudyRefused, create_study, lock_study, study_view, update_draft
from services.study_design.replacement import replace_reader
from services.study_design.training import practice, set_truth
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def run_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    return finished_run(workspace)


def locked(workspace: Workspace, run_id: int, **changes: object) -> int:
    study_id = create_study(
        workspace, run_id, actor="ada", n_per_arm=4, directions=["v1 +", "v2 +"],
        findings=(Finding("ctr", "Ratio"),), ratings=(Rating("real", "Real?", "no", "yes"),),
    )  # fmt: skip
    update_draft(workspace, study_id, actor="ada", **changes)
    make_pairs(workspace, study_id, actor="ada")
    for pair in study_view(workspace, study_id).pairs:
        if pair.kind == "training":
            set_truth(workspace, pair.id, {"ctr": "counterfactual"}, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    return study_id


def invited(workspace: Workspace, study_id: int, login: str = "rita@example.org") -> tuple[int, list[Trial]]:
    invitations.invite_reader(workspace, study_id, login, "Rita", "ada")
    return trials_of(workspace, study_id, login)


def trials_of(workspace: Workspace, study_id: int, login: str) -> tuple[int, list[Trial]]:
    with workspace.session() as session:
        reader = next(
            r for r in session.scalars(sa.select(StudyReader).where(StudyReader.study_id == study_id))
            if r.account.login == login
        )  # fmt: skip
        return reader.account_id, sorted(reader.trials, key=lambda trial: trial.position)


def save(workspace: Workspace, account: int, trial: Trial, answer: str = "A", sequence: int = 1) -> reading.Saved:
    answers: dict[str, object] = {"findings": {"ctr": answer}, "ratings": {"real": 3}, "comment": ""}
    if trial.purpose == "guess":
        answers = {"questions": {"guess": answer}, "comment": ""}
    return reading.save_reading(workspace, account, trial.token, sequence, answers, 5.0)


def other(side: str) -> str:
    return "B" if side == "A" else "A"


def test_practice_comes_first_tells_what_was_right_and_must_be_passed(workspace: Workspace, run_id: int) -> None:
    study_id = locked(workspace, run_id, training=Training(2, 1.0))
    account, trials = invited(workspace, study_id)
    assert [t.purpose for t in trials[:3]] == ["training", "training", "counted"]
    with pytest.raises(ReadingRefused, match="Practice cases come first") as refused:
        reading.case(workspace, account, 1, trials[2].token)
    assert refused.value.status == 425
    assert reading.case(workspace, account, 1, trials[0].token)["feedback"] == []
    right = save(workspace, account, trials[0], other(trials[0].original_side))
    assert [told["correct"] for told in right.feedback] == [True]
    wrong = save(workspace, account, trials[1], trials[1].original_side)
    assert wrong.feedback == (
        {"key": "ctr", "label": "Ratio", "given": trials[1].original_side,
         "right": other(trials[1].original_side), "correct": False, "known": False},
    )  # fmt: skip
    assert reading.case(workspace, account, 1, trials[1].token)["feedback"][0]["correct"] is False
    with pytest.raises(ReadingRefused, match="1 of 2 practice answers are right, 100 % are needed"):
        save(workspace, account, trials[2])
    save(workspace, account, trials[1], other(trials[1].original_side), sequence=2)
    case = reading.case(workspace, account, 1, trials[2].token)
    assert "feedback" not in case and not save(workspace, account, trials[2]).feedback
    with workspace.session() as session:
        reader = session.scalars(sa.select(StudyReader)).one()
        stand = practice(session, reader, reader.study)
    assert (stand.right, stand.first, stand.asked, stand.share, stand.passed) == (2, 1, 2, 1.0, True)


def test_nothing_that_a_reader_receives_tells_what_a_case_is_for(workspace: Workspace, run_id: int) -> None:
    study_id = locked(
        workspace, run_id, controls=(Control("identical", 2), Control("patients", 1)), repeats=Repeats(2, 2)
    )
    account, trials = invited(workspace, study_id)
    assert Counter(t.purpose for t in trials) == {"counted": 8, "control": 3, "repeat": 2}
    seen = []
    for trial in trials:
        case = reading.case(workspace, account, 1, trial.token)
        text = str({key: value for key, value in case.items() if key not in ("token", "pixels")})
        assert not any(
            word in text.casefold() for word in ("purpose", "repeat", "control", "identical", "counted", "arm")
        )
        seen.append((sorted(case), str(case["questions"]), case["pixels"]["width"]))
    assert len(set(map(str, seen))) == 1


def test_second_readings_open_after_the_washout(workspace: Workspace, run_id: int) -> None:
    study_id = locked(workspace, run_id, repeats=Repeats(1, 2, washout_days=14), guess_share=0.1)
    account, trials = invited(workspace, study_id)
    assert [t.purpose for t in trials[-2:]] == ["repeat", "guess"]
    again = trials[-2]
    with pytest.raises(ReadingRefused, match="The next cases open on"):
        reading.case(workspace, account, 1, again.token)
    for trial in trials[:-2]:
        save(workspace, account, trial)
    with pytest.raises(ReadingRefused, match="The next cases open on"):
        save(workspace, account, again)
    with workspace.session() as session:
        session.execute(sa.update(Reading).values(saved_at=now() - timedelta(days=15)))
    assert save(workspace, account, again).complete
    assert save(workspace, account, trials[-1], "A").complete


def test_a_replacement_reads_what_a_drop_out_has_left(workspace: Workspace, run_id: int) -> None:
    study_id = locked(workspace, run_id, training=Training(1, 0.0), repeats=Repeats(3, 2), guess_share=0.2)
    account, trials = invited(workspace, study_id)
    for trial in trials[:5]:
        save(workspace, account, trial)
    read_once = {t.pair_id for t in trials[1:5] if t.purpose == "counted"}
    with workspace.session() as session:
        dropout = session.scalars(sa.select(StudyReader)).one().id
    with pytest.raises(StudyRefused, match="reads the study already"):
        replace_reader(workspace, dropout, "rita@example.org", "Rita", "ada")
    path = replace_reader(workspace, dropout, "otto@example.org", "Otto", "ada")
    assert path.startswith("/invite/")
    new_account, new = trials_of(workspace, study_id, "otto@example.org")
    left = [t for t in trials[5:] if not (t.purpose == "repeat" and t.pair_id in read_once)]
    told = [(t.purpose, t.pair_id, t.original_side) for t in new]
    assert told == [(t.purpose, t.pair_id, t.original_side) for t in (trials[0], *left)]
    assert [t.position for t in new] == list(range(len(new))) and not {t.token for t in new} & {t.token for t in trials}
    with pytest.raises(ReadingRefused, match="withdrawn"):
        save(workspace, account, trials[5])
    assert save(workspace, new_account, new[0]).complete
    first, second = study_view(workspace, study_id).readers
    assert (first.done, first.total, second.label) == (5, 5, "R2") and second.total == len(new)
    with pytest.raises(StudyRefused, match="already"):
        replace_reader(workspace, dropout, "mia@example.org", "Mia", "ada")
    with pytest.raises(accounts.AccountError, match="taken over"):
        invitations.invite_reader(workspace, study_id, "rita@example.org", "Rita", "ada")
    invitations.invite_reader(workspace, study_id, "mia@example.org", "Mia", "ada")
    _, third = trials_of(workspace, study_id, "mia@example.org")
    with workspace.session() as session:
        planned = list(
            session.scalars(sa.select(PlannedTrial).where(PlannedTrial.slot == 2).order_by(PlannedTrial.position))
        )
    assert [t.pair_id for t in third] == [t.pair_id for t in planned]


def test_nothing_is_left_of_a_reader_who_has_read_all(workspace: Workspace, run_id: int) -> None:
    study_id = locked(workspace, run_id)
    account, trials = invited(workspace, study_id)
    for trial in trials:
        save(workspace, account, trial)
    with workspace.session() as session:
        reader = session.scalars(sa.select(StudyReader)).one().id
    with pytest.raises(StudyRefused, match="nothing is left"):
        replace_reader(workspace, reader, "otto@example.org", "Otto", "ada")


def test_incomplete_blocks_have_no_cases_for_one_more_reader(workspace: Workspace, run_id: int) -> None:
    study_id = locked(workspace, run_id, design=Design(readers=2, cases="blocks", readers_per_case=1))
    for login in ("a@example.org", "b@example.org"):
        _, trials = invited(workspace, study_id, login)
        assert len(trials) == 4
    with pytest.raises(accounts.AccountError, match="has no cases"):
        invited(workspace, study_id, "c@example.org")


def test_a_rehearsal_shows_every_kind_of_case_that_readers_will_meet(workspace: Workspace, run_id: int) -> None:
    study_id = locked(
        workspace, run_id, training=Training(1), controls=(Control("identical", 1),), repeats=Repeats(1, 2),
        guess_share=0.1,
    )  # fmt: skip
    _, trials = invited(workspace, study_id)
    plan = rehearsal(workspace, study_id)
    assert plan["total"] == len(trials) == 1 + 8 + 1 + 1 + 1
    cases = [rehearsal_case(workspace, study_id, i) for i in range(plan["total"])]
    assert [len(case["questions"]["findings"]) for case in cases] == [1] * 11 + [0]
    assert cases[-1]["questions"]["questions"][0]["key"] == "guess" and cases[-1]["pixels"] is not None
