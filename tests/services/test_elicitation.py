"""The elicitation round: proposals, merging, confirmation, and that no study is locked before it is done."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Account, Event, Pair, Proposal, Study
from services import elicitation as rounds
from services import elicitation_reading as reading
from services.elicitation_state import round_of, round_problems
from services.reading import ReadingRefused
from services.studies import Finding, StudyRefused, create_study, delete_draft, study_view
from services.study_views import protocol_of
from services.workspace import Workspace
from tests.browser.studies import make_study, noise_pairs
from tests.services.toy_study import finished_run


@pytest.fixture
def draft(workspace: Workspace) -> int:
    """A draft with four pairs."""
    study = make_study(workspace, noise_pairs(4))
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
    return study


def invited(workspace: Workspace, draft: int, name: str) -> tuple[int, str]:
    """Account and token of a reader who is asked."""
    rounds.invite_to_round(workspace, draft, f"{name}@example.org", name, actor="ada")
    with workspace.session() as session:
        account = session.scalars(sa.select(Account.id).where(Account.login == f"{name}@example.org")).one()
    return account, reading.rounds_for(workspace, account)[0]["round"]


def items(*labels: str) -> list[dict[str, str]]:
    return [{"label": label, "kind": "main" if i == 0 else "secondary"} for i, label in enumerate(labels)]


def view(workspace: Workspace, draft: int) -> rounds.RoundView:
    found = rounds.round_view(workspace, draft)
    assert found is not None
    return found


def test_from_proposals_to_the_checklist(workspace: Workspace, draft: int) -> None:
    rounds.open_round(workspace, draft, actor="ada", n_pairs=2)
    eva, ben = invited(workspace, draft, "eva"), invited(workspace, draft, "ben")
    with workspace.session() as session:
        study = session.get_one(Study, draft)
        assert "not done" in round_problems(study, protocol_of(study))[0]
    reading.propose(workspace, *eva, items("Pleural effusion", "Pacemaker"))
    reading.propose(workspace, *ben, items("pleural effusions", "Older patient"))

    merged = rounds.suggested_merge(view(workspace, draft))
    assert [(f.label, f.kind, len(ids)) for f, ids in merged] == [
        ("Pleural effusion", "main", 2), ("Pacemaker", "secondary", 1), ("Older patient", "secondary", 1)
    ]  # fmt: skip
    into: dict[int, str | None] = {i: f.key for f, ids in merged for i in ids}
    last = merged[2][1][0]
    rounds.merge(workspace, draft, [f for f, _ in merged[:2]], into | {last: None}, actor="ada")
    found = view(workspace, draft)
    assert found.state == "confirming" and found.proposers("pleural_effusion") == ("E1", "E2")
    with pytest.raises(StudyRefused, match="E1, E2 has not confirmed"):
        rounds.finish_round(workspace, draft, actor="ada")

    digest = reading.round_for(workspace, *eva[:1], 1, eva[1])["digest"]
    assert reading.confirm(workspace, *eva, digest)["state"] == "confirmed"
    assert reading.confirm(workspace, *ben, digest, "Keep the older patient")["state"] == "confirm"
    assert [p.objection for p in view(workspace, draft).people] == ["", "Keep the older patient"]

    rounds.merge(workspace, draft, [f for f, _ in merged], into, actor="ada")
    assert [p.confirmed for p in view(workspace, draft).people] == [False, False]
    with pytest.raises(ReadingRefused) as stale:
        reading.confirm(workspace, *eva, digest)
    assert stale.value.status == 409
    for account, token in (eva, ben):
        now = reading.round_for(workspace, account, 1, token)["digest"]
        reading.confirm(workspace, account, token, now)
    rounds.finish_round(workspace, draft, actor="ada")
    assert [f.label for f in study_view(workspace, draft).protocol.findings] == [f.label for f, _ in merged]
    with workspace.session() as session:
        study = session.get_one(Study, draft)
        assert round_problems(study, protocol_of(study)) == []
        study.protocol = {**study.protocol, "findings": study.protocol["findings"][:1]}
        assert "differ from the list" in round_problems(study, protocol_of(study))[0]
        kinds = set(session.scalars(sa.select(Event.kind)))
    assert {
        "elicitation opened",
        "findings proposed",
        "elicitation merged",
        "list objected to",
        "elicitation done",
    } <= kinds
    assert reading.rounds_for(workspace, eva[0]) == []


def test_a_reader_is_told_neither_arm_nor_side_nor_who_proposed(workspace: Workspace, draft: int) -> None:
    rounds.open_round(workspace, draft, actor="ada", n_pairs=4)
    eva, ben = invited(workspace, draft, "eva"), invited(workspace, draft, "ben")
    reading.propose(workspace, *ben, items("A finding of Ben's"))
    told = reading.round_for(workspace, eva[0], 1, eva[1])
    text = json.dumps(told)
    for word in ("v17", "v3", "original", "counterfactual", "pseudonym", "eigenfind", "ben", "Pneumonia"):
        assert word not in text
    assert len(told["pairs"]) == 4

    shown = {}
    for number, pair in enumerate(told["pairs"]):
        for side in "AB":
            _, _, _, _, name, letter = pair["urls"][side].split("/")
            shown[number, side] = reading.round_pixels(workspace, eva[0], 1, name, letter)
            with pytest.raises(ReadingRefused):
                reading.round_pixels(workspace, eva[0], 2, name, letter)
            with pytest.raises(ReadingRefused):
                reading.round_pixels(workspace, ben[0], 1, name, letter)
    with workspace.session() as session:
        found = round_of(session, draft)
        assert found is not None
        pairs = [session.get_one(Pair, i) for i in found.pair_ids]
        files = [
            {decode_png(workspace.get(key)).astype("<u1").tobytes() for key in (p.original_key, p.counterfactual_key)}
            for p in pairs
        ]
    assert [{shown[i, "A"], shown[i, "B"]} for i in range(4)] == files


def test_a_list_may_be_changed_until_it_is_merged_and_nothing_is_deleted(workspace: Workspace, draft: int) -> None:
    rounds.open_round(workspace, draft, actor="ada")
    eva = invited(workspace, draft, "eva")
    reading.propose(workspace, *eva, items("Line", "Rib"))
    assert reading.propose(workspace, *eva, items("  Line ", "Shadow"))["state"] == "sent"
    assert [p.label for p in view(workspace, draft).proposals] == ["Line", "Shadow"]
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(Proposal.id))) == 3
    found = view(workspace, draft)
    rounds.merge(workspace, draft, [Finding("line", "Line")], {p.id: "line" for p in found.proposals}, actor="ada")
    with pytest.raises(ReadingRefused) as late:
        reading.propose(workspace, *eva, items("Other"))
    assert late.value.status == 423


@pytest.mark.parametrize(
    "sent",
    ["text", 3, [3], [{}], [{"label": " ", "kind": "main"}], [{"label": "a", "kind": "big"}],
     [{"label": "x" * 121, "kind": "main"}], items("a", "A"), items(*(str(i) for i in range(41)))],
)  # fmt: skip
def test_a_list_that_cannot_be_taken_is_refused_and_the_earlier_stands(
    workspace: Workspace, draft: int, sent: object
) -> None:
    rounds.open_round(workspace, draft, actor="ada")
    eva = invited(workspace, draft, "eva")
    reading.propose(workspace, *eva, items("Line"))
    with pytest.raises(ReadingRefused) as refused:
        reading.propose(workspace, *eva, sent)
    assert refused.value.status == 422
    assert [p.label for p in view(workspace, draft).proposals] == ["Line"]


def test_merging_asks_for_a_clear_list(workspace: Workspace, draft: int) -> None:
    rounds.open_round(workspace, draft, actor="ada")
    eva = invited(workspace, draft, "eva")
    reading.propose(workspace, *eva, items("Line", "Rib"))
    one, two = (p.id for p in view(workspace, draft).proposals)
    line, rib = Finding("line", "Line"), Finding("rib", "Rib", "secondary")
    wrong: list[tuple[list[Finding], dict[int, str | None], str]] = [
        ([], {one: None, two: None}, "empty"),
        ([line, Finding("other", " line ")], {one: "line", two: None}, "share the label"),
        ([line, Finding("line", "Tube")], {one: "line", two: None}, "share a key"),
        ([rib], {one: "rib", two: "rib"}, "main one"),
        ([line], {one: "line"}, "neither mapped"),
        ([line], {one: "line", two: "rib"}, "not on the list"),
        ([line], {one: "line", two: None, 99: None}, "taken back"),
        ([Finding("line", "As in v17 +")], {one: "line", two: None}, "breaks the blinding"),
    ]
    for findings, into, told in wrong:
        with pytest.raises(StudyRefused, match=told):
            rounds.merge(workspace, draft, findings, into, actor="ada")
    assert view(workspace, draft).state == "proposing"


def test_a_round_is_opened_once_in_a_draft_and_without_unblinding_words(workspace: Workspace, draft: int) -> None:
    with pytest.raises(StudyRefused, match="no elicitation round"):
        rounds.invite_to_round(workspace, draft, "eva@example.org", "Eva", actor="ada")
    with pytest.raises(StudyRefused, match="breaks the blinding"):
        rounds.open_round(workspace, draft, actor="ada", asked="What does v17 + change?")
    with pytest.raises(StudyRefused, match="9 pairs to show"):
        rounds.open_round(workspace, draft, actor="ada", n_pairs=9)
    with pytest.raises(StudyRefused, match="Say what"):
        rounds.open_round(workspace, draft, actor="ada", asked="  ")
    rounds.open_round(workspace, draft, actor="ada")
    with pytest.raises(StudyRefused, match="already"):
        rounds.open_round(workspace, draft, actor="ada")


def test_a_silent_reader_is_removed_and_a_round_or_draft_ends_with_all_of_it(workspace: Workspace) -> None:
    study = create_study(workspace, finished_run(workspace), actor="ada")
    rounds.open_round(workspace, study, actor="ada")
    eva = invited(workspace, study, "eva")
    reading.propose(workspace, *eva, items("Line"))
    rounds.remove_from_round(workspace, study, view(workspace, study).people[0].id, actor="ada")
    assert view(workspace, study).proposals == () and reading.rounds_for(workspace, eva[0]) == []
    invited(workspace, study, "ben")
    rounds.drop_round(workspace, study, actor="ada")
    assert rounds.round_view(workspace, study) is None
    rounds.open_round(workspace, study, actor="ada")
    invited(workspace, study, "ben")
    delete_draft(workspace, study, actor="ada")
    assert rounds.round_view(workspace, study) is None
