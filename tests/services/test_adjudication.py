"""A chair decides where readers differ, blind to readers, arms and sides; raw and decided answers both stay."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Account, DisputedCase, Reading, Study, StudyReader, Trial
from services import adjudication, reading, study_members
from services.accounts import ensure_account
from services.adjudication import adjudicated_decisions, to_place, to_side
from services.invitations import accept_invitation
from services.permissions import NotAllowed
from services.reading import ReadingRefused
from services.study_views import StudyRefused
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

RATINGS = {"realism": 3, "identity": 4}


def answer_all(workspace: Workspace, account: int, seen: dict[tuple[int, str], str]) -> None:
    """Read every case: `seen` (pair, finding) -> place, "neither" where it is not named."""
    series = reading.reading_list(workspace, account)[0].series
    with workspace.session() as session:
        rows = {row.token: (row.pair_id, row.original_side) for row in session.scalars(sa.select(Trial))}
    for case in reading.progress(workspace, account, series)["cases"]:
        pair, side = rows[case["token"]]
        findings = {key: to_side(seen.get((pair, key), "neither"), side) for key in ("line", "shadow", "rib")}
        answers = {"findings": findings, "ratings": RATINGS, "comment": f"case of {pair}"}
        reading.save_reading(workspace, account, case["token"], 1, answers, 3.0)


@pytest.fixture
def study(workspace: Workspace) -> int:
    """Four pairs, three readers: they differ on "line" of pair 1, on "shadow" of pairs 1 and 2, and one cannot assess
    "rib" of pair 3, which contradicts nobody."""
    study_id = make_study(workspace, noise_pairs(4))
    seen: list[dict[tuple[int, str], str]] = [
        {(1, "line"): "counterfactual", (1, "shadow"): "both", (2, "shadow"): "original"},
        {(1, "line"): "counterfactual", (1, "shadow"): "both"},
        {(1, "shadow"): "original", (3, "rib"): "cannot"},
    ]
    for i, answers in enumerate(seen):
        answer_all(workspace, add_reader(workspace, study_id, f"reader.{i}", f"Dr. {i}"), answers)
    return study_id


@pytest.fixture
def chair(workspace: Workspace, study: int) -> int:
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
    link = study_members.invite_member(workspace, study, "the.chair", "Prof. Chair", "chair", "test")
    accept_invitation(workspace, link.removeprefix("/invite/"), PASSWORD)
    with workspace.session() as session:
        return session.scalars(sa.select(Account.id).where(Account.login == "the.chair")).one()


def cases(workspace: Workspace, chair: int, study: int) -> dict[int, dict[str, Any]]:
    """Pair -> the case as the chair's browser gets it."""
    tokens = [case["token"] for case in adjudication.chair_cases(workspace, chair, study)["cases"]]
    with workspace.session() as session:
        pairs = {row.token: row.pair_id for row in session.scalars(sa.select(DisputedCase))}
    return {pairs[token]: adjudication.chair_case(workspace, chair, 1, study, token) for token in tokens}


def test_the_chair_meets_disagreements_and_nothing_else(workspace: Workspace, study: int, chair: int) -> None:
    found = cases(workspace, chair, study)
    assert found.keys() == {1, 2}
    assert [f["key"] for f in found[1]["questions"]["findings"]] == ["line", "shadow"]
    assert [f["key"] for f in found[2]["questions"]["findings"]] == ["shadow"]
    assert found[1]["questions"]["ratings"] == [] and found[1]["questions"]["questions"][0]["key"] == "reason"
    with workspace.session() as session:
        sides = {row.pair_id: row.original_side for row in session.scalars(sa.select(DisputedCase))}
    votes = {f["key"]: f["votes"] for f in found[1]["questions"]["findings"]}
    assert votes["line"] == {to_side("counterfactual", sides[1]): 2, "neither": 1}
    assert votes["shadow"] == {"both": 2, sides[1]: 1}
    before = adjudication.state(workspace, study, "test")
    assert (before.cases, before.disputed, before.decided_cases, before.prepared) == (2, 3, 0, True)


TELLING = ("R1", "R2", "Dr.", "reader.0", "v17", "v3", "original", "counterfactual", "Pneumonia", "eigen", "case of")


def test_nothing_tells_the_chair_reader_arm_side_or_class(workspace: Workspace, study: int, chair: int) -> None:
    sent = json.dumps([adjudication.chair_cases(workspace, chair, study), *cases(workspace, chair, study).values()])
    assert [word for word in TELLING if word in sent] == []


def test_the_pixels_are_those_of_the_sides_that_were_drawn(workspace: Workspace, study: int, chair: int) -> None:
    for pair, case in cases(workspace, chair, study).items():
        with workspace.session() as session:
            row = session.scalars(sa.select(DisputedCase).where(DisputedCase.pair_id == pair)).one()
            side, key = row.original_side, row.pair.original_key
        name = case["pixels"]["urls"][side].split("/")[-2]
        sent = adjudication.chair_pixels(workspace, chair, 1, study, name, side)
        assert sent == decode_png(workspace.get(key)).astype("<u1").tobytes()
        other = adjudication.chair_pixels(workspace, chair, 1, study, name, "B" if side == "A" else "A")
        assert len(other) == len(sent) and other != sent
        with pytest.raises(ReadingRefused):
            adjudication.chair_pixels(workspace, chair, 2, study, name, side)


def test_a_decision_is_kept_beside_the_raw_answers(workspace: Workspace, study: int, chair: int) -> None:
    case = cases(workspace, chair, study)[1]
    with workspace.session() as session:
        raw = [(row.id, row.answers) for row in session.scalars(sa.select(Reading).order_by(Reading.id))]
        side = session.scalars(sa.select(DisputedCase.original_side).where(DisputedCase.token == case["token"])).one()
    decided = {"line": to_side("counterfactual", side), "shadow": "both"}
    given: dict[str, Any] = {"findings": decided, "ratings": {}, "comment": ""}
    begun = adjudication.decide(workspace, chair, study, case["token"], 1, given)
    assert not begun.complete and adjudicated_decisions(workspace, study) == []
    given["questions"] = {"reason": "  The tip is seen below the carina.  "}
    assert adjudication.decide(workspace, chair, study, case["token"], 2, given).complete
    # The same once more is an echo; another answer under a taken number is told what is stored.
    assert adjudication.decide(workspace, chair, study, case["token"], 2, given).sequence == 2
    with pytest.raises(ReadingRefused, match="elsewhere") as taken:
        adjudication.decide(workspace, chair, study, case["token"], 2, {**given, "findings": {"line": "neither"}})
    assert taken.value.status == 409 and taken.value.details["answers"]["findings"] == decided
    found = adjudicated_decisions(workspace, study)
    assert [(d.pair_id, d.finding, d.place, d.chair) for d in found] == [
        (1, "line", "counterfactual", 1), (1, "shadow", "both", 1),
    ]  # fmt: skip
    assert found[0].reason == "The tip is seen below the carina."
    assert found[0].votes == {"counterfactual": 2, "neither": 1}
    with workspace.session() as session:
        assert raw == [(row.id, row.answers) for row in session.scalars(sa.select(Reading).order_by(Reading.id))]
    given = {"findings": decided, "ratings": {}, "comment": "In the comment.", "questions": {}}
    assert adjudication.decide(workspace, chair, study, case["token"], 3, given).complete
    assert adjudicated_decisions(workspace, study)[0].reason == "In the comment."
    assert adjudication.state(workspace, study, chair).decided_cases == 1
    states = [c["state"] for c in adjudication.chair_cases(workspace, chair, study)["cases"]]
    assert sorted(states) == ["complete", "open"]


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({"findings": {"rib": "A"}}, "not a finding"),
        ({"findings": {"shadow": "maybe"}}, "no answer"),
        ({"findings": {}, "ratings": {"realism": 3}}, "not a question"),
        ({"findings": {}, "questions": {"reason": "x" * 2001}}, "longer"),
    ],
)
def test_what_was_not_asked_is_refused(
    workspace: Workspace, study: int, chair: int, answers: dict[str, Any], named: str
) -> None:
    token = cases(workspace, chair, study)[2]["token"]
    with pytest.raises(ReadingRefused, match=named) as refused:
        adjudication.decide(workspace, chair, study, token, 1, answers)
    assert refused.value.status == 422


def test_only_a_chair_who_has_not_read_decides_and_only_after_the_end(workspace: Workspace, study: int) -> None:
    boss = ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    with pytest.raises(StudyRefused, match="close the study first"):
        adjudication.prepare(workspace, study, actor="test")
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"
        reader = session.scalars(sa.select(Account.id).where(Account.login == "reader.0")).one()
    with pytest.raises(ReadingRefused, match="not open to you"):
        adjudication.chair_cases(workspace, reader, study)
    with pytest.raises(NotAllowed):
        adjudication.state(workspace, study, reader)
    assert adjudication.prepare(workspace, study, actor="test") == 2
    sides = _sides(workspace)
    assert adjudication.prepare(workspace, study, actor="test") == 2 and _sides(workspace) == sides
    assert adjudication.chair_cases(workspace, boss, study)["total"] == 2
    with workspace.session() as session:
        session.execute(sa.update(StudyReader).where(StudyReader.label == "R1").values(account_id=boss))
        token = session.scalars(sa.select(DisputedCase.token)).first() or ""
    for call in (
        lambda: adjudication.chair_cases(workspace, boss, study),
        lambda: adjudication.decide(workspace, boss, study, token, 1, {}),
    ):
        with pytest.raises(ReadingRefused, match="You have read this study"):
            call()


def _sides(workspace: Workspace) -> list[tuple[str, str]]:
    with workspace.session() as session:
        rows = session.scalars(sa.select(DisputedCase).order_by(DisputedCase.position))
        return [(row.token, row.original_side) for row in rows]


def test_places_and_sides_are_each_others_reverse() -> None:
    for side in ("A", "B"):
        for answer in ("A", "B", "both", "neither", "cannot"):
            assert to_side(to_place(answer, side), side) == answer
    assert to_place("A", "A") == "original" and to_place("A", "B") == "counterfactual"


def test_half_of_the_originals_stand_on_either_side(workspace: Workspace) -> None:
    tiny = [(a[:8, :8], b[:8, :8]) for a, b in noise_pairs(6)]
    study_id = make_study(workspace, tiny, seed=11)
    for i in range(2):
        account = add_reader(workspace, study_id, f"reader.{i}", f"Dr. {i}")
        answer_all(workspace, account, {(p, "line"): "both" for p in range(1, 7)} if i else {})
    with workspace.session() as session:
        session.get_one(Study, study_id).state = "closed"
    assert adjudication.prepare(workspace, study_id, actor="test") == 6
    assert np.bincount([side == "A" for _, side in _sides(workspace)]).tolist() == [3, 3]
