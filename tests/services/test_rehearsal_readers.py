"""Simulated readers read a copy of a study; what was put into them comes out; nothing of it touches the study."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.study.design.choices import Training
from cfcore.study.protocol import canonical_json
from cfcore.study.questions import Confidence, ForcedChoice, FreeText, Likert
from cfcore.study.simulated import SimulatedReader
from db.events import first_broken
from db.models import Account, Base, Entry, Event, Pair, Reading, Rehearsal, Study, StudyReader
from services import pairs as pairs_service
from services.accounts import ensure_account
from services.pairs import make_pairs
from services.permissions import NotAllowed
from services.reference_answers import set_reference
from services.rehearsal_readers import Assumed, recovered, rehearsals, rehearse, remove_rehearsal
from services.rehearsal_removal import remove_copies
from services.results import results
from services.studies import create_study, list_studies, update_draft
from services.study_design.training import practice, set_truth
from services.study_views import StudyRefused, study_view
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs, protocol
from tests.services.toy_study import finished_run, toy_engine

ARMS = ("v17 +", "v3 -")
READERS = (
    SimulatedReader("", 0.9, 0.95),
    SimulatedReader("", 0.8, 0.9, side_bias=0.3, cannot=0.04),
    SimulatedReader("", 0.9, 0.9, fatigue=0.5, favourite="both", answer_bias=0.08, stops_after=20),
)
ASSUMED = Assumed(prevalence=0.25, appears={"v17 +": 0.6, "v3 -": 0.1})
BEGUN = {"findings": {"line": "A"}, "ratings": {}, "comment": ""}


@pytest.fixture
def study(workspace: Workspace) -> int:
    """A draft with 32 small pairs, 16 an arm."""
    tiny = [(picture[:8, :8], other[:8, :8]) for picture, other in noise_pairs(32)]
    study_id = make_study(workspace, tiny, ARMS)
    with workspace.session() as session:
        session.get_one(Study, study_id).state = "draft"
    return study_id


def counts(workspace: Workspace) -> dict[str, int]:
    """Rows of every table but the log and the accounts."""
    with workspace.session() as session:
        return {
            name: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
            if name not in ("event", "account")
        }


def test_a_draft_is_rehearsed_and_the_results_recover_what_was_put_in(workspace: Workspace, study: int) -> None:
    shares: list[float] = []
    copy = rehearse(
        workspace, study, READERS, ASSUMED, seed=4, actor="test", progress=lambda share, _: shares.append(share)
    )
    assert shares == sorted(shares) and shares[-1] == 1.0
    found = results(workspace, copy)
    assert found.study.title.endswith("(rehearsal)") and not found.interim
    assert found.simulated == ("R1", "R2", "R3") and found.headline.readings_done == 32 + 32 + 20
    table = recovered(workspace, copy)
    skill = table[table.what != "appears"].set_index(["what", "reader"])
    # Without bias or fatigue what was put in is the number that was set.
    assert skill.loc[("sensitivity", "R1"), "put_in"] == pytest.approx(0.9)
    assert skill.loc[("specificity", "R1"), "put_in"] == pytest.approx(0.95)
    assert skill.loc[("sensitivity", "R3"), "put_in"] < 0.87
    inside = [value for value in table["inside"] if value is not None]
    assert len(inside) == 12 and np.mean(inside) >= 11 / 12
    view = rehearsals(workspace, study)[0]
    assert view.study_id == copy and view.assumed == ASSUMED
    assert [reader.sensitivity for reader in view.readers] == [0.9, 0.8, 0.9]


def test_the_same_seed_gives_the_same_readings(workspace: Workspace, study: int) -> None:
    tables = []
    for seed in (1, 1, 2):
        reader = SimulatedReader("", 0.8, 0.8, stops_after=8)
        copy = rehearse(workspace, study, [reader], ASSUMED, seed=seed, actor="test")
        tables.append(results(workspace, copy).decoded[["finding", "in_original", "in_counterfactual"]])
    assert tables[0].equals(tables[1]) and not tables[0].equals(tables[2])


def test_reference_answers_say_what_is_in_the_originals(workspace: Workspace, study: int) -> None:
    images = {pair.id: pair.image_id for pair in study_view(workspace, study).pairs}
    given = {(image, "line"): i % 2 == 0 for i, image in enumerate(images.values())}
    set_reference(workspace, study, given, actor="test")
    assumed = Assumed(prevalence=0.0, appears={"v17 +": 1.0}, known=True)
    copy = rehearse(workspace, study, [SimulatedReader("", stops_after=1)], assumed, actor="test")
    with workspace.session() as session:
        for pair in session.scalars(sa.select(Pair).where(Pair.study_id == copy)):
            there = given[pair.image_id, "line"]
            assert pair.truth and pair.truth["line"] == [there, there or pair.arm == "v17 +"]
            assert pair.truth["rib"] == [False, pair.arm == "v17 +"]


def test_rehearsals_stay_apart_from_people_and_go_as_a_whole(workspace: Workspace, study: int) -> None:
    with workspace.session() as session:
        session.get_one(Study, study).state = "locked"
    add_reader(workspace, study)
    before = counts(workspace)
    copy = rehearse(workspace, study, [SimulatedReader("", stops_after=3)] * 2, ASSUMED, actor="test")
    with workspace.session() as session:
        session.add(
            Entry(position=1.0, title="kept", note="", view="results", settings={}, study_id=copy, author="test")
        )
    people = study_view(workspace, study).readers
    assert [reader.simulated for reader in people] == [False] and people[0].done == 0
    assert [summary.id for summary in list_studies(workspace)] == [study]
    assert {s.id for s in list_studies(workspace, copy)} == {study, copy}
    remove_rehearsal(workspace, copy, "test")
    with workspace.session() as session:
        assert session.scalars(sa.select(Entry.study_id)).one() is None
        session.execute(sa.delete(Entry))
        assert first_broken(session) is None
        kinds = set(session.scalars(sa.select(Event.kind)))
        assert {"study rehearsed", "rehearsal removed"} <= kinds
    assert counts(workspace) == before and rehearsals(workspace, study) == []
    # The pictures were the study's own and are still there.
    pair = study_view(workspace, study).pairs[0]
    assert workspace.get(pair.original_key) and workspace.get(pair.counterfactual_key)
    with pytest.raises(StudyRefused, match="not there any more"):
        remove_rehearsal(workspace, copy, "test")


def test_a_study_of_people_is_never_removed_with_its_rehearsals(workspace: Workspace, study: int) -> None:
    for seed in range(2):
        rehearse(workspace, study, [SimulatedReader("", stops_after=1)], ASSUMED, seed=seed, actor="test")
    with workspace.session() as session:
        assert remove_copies(session, study, "test") == 2
    with workspace.session() as session:
        assert session.scalars(sa.select(Study.id)).all() == [study]
        for table in (Rehearsal, StudyReader, Reading):
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_every_kind_of_question_is_answered_to_the_end(workspace: Workspace, study: int) -> None:
    asked = (
        ForcedChoice(key="real", text="Which image is the real one?", right="original"),
        Likert(key="sharp", text="How sharp are they?"),
        FreeText(key="why", text="Why?"),
        Confidence(key="sure", text="How sure are you?"),
    )
    plan = dataclasses.replace(protocol(ARMS), questions=asked)
    with workspace.session() as session:
        session.get_one(Study, study).protocol = json.loads(canonical_json(plan))
    reader = SimulatedReader("", choice=0.9, stops_after=20)
    copy = rehearse(workspace, study, [reader], ASSUMED, actor="test")
    with workspace.session() as session:
        rows = session.scalars(sa.select(Reading)).all()
        assert len(rows) == 20 and all(row.complete for row in rows)
        right = [row.answers["questions"]["real"] == row.trial.original_side for row in rows]
        assert sum(right) >= 14
    assert results(workspace, copy).headline.readings_done == 20


def test_simulated_readers_practise_until_they_pass(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    sure = Confidence(key="sure", text="How sure are you?")
    draft = create_study(workspace, finished_run(workspace), actor="test", n_per_arm=2, directions=["v1 +"])
    update_draft(workspace, draft, actor="test", training=Training(2, 1.0), questions=(sure,))
    make_pairs(workspace, draft, actor="test")
    for pair in study_view(workspace, draft).pairs:
        if pair.kind == "training":
            set_truth(workspace, pair.id, {"ctr": "counterfactual"}, actor="test")
    careless = SimulatedReader("", 0.55, 0.55, cannot=0.3, lapse=0.3)
    copy = rehearse(workspace, draft, [careless] * 3, ASSUMED, actor="test")
    with workspace.session() as session:
        readers = session.scalars(sa.select(StudyReader).where(StudyReader.study_id == copy)).all()
        stands = [practice(session, reader, reader.study) for reader in readers]
        assert all(stand.passed and stand.right == stand.asked for stand in stands)
        assert any(stand.first < stand.asked for stand in stands), "the first attempt is kept"
    decoded = results(workspace, copy).decoded
    assert set(decoded["purpose"]) == {"reading"} and decoded["status"].isin(["missing", "cannot"]).any()


def test_what_cannot_be_rehearsed_is_refused(workspace: Workspace, study: int) -> None:
    empty = make_study(workspace, [], seed=3)
    for call, named in (
        (lambda: rehearse(workspace, study, [], ASSUMED, actor="test"), "0 simulated readers"),
        (lambda: rehearse(workspace, study, READERS * 7, ASSUMED, actor="test"), "21 simulated readers"),
        (lambda: rehearse(workspace, 99, READERS, ASSUMED, actor="test"), "no study 99"),
        (lambda: rehearse(workspace, empty, READERS, ASSUMED, actor="test"), "No pairs"),
        (lambda: rehearse(workspace, study, READERS, Assumed(prevalence=2.0), actor="test"), "prevalence"),
        (lambda: recovered(workspace, study), "not there any more"),
    ):
        with pytest.raises(StudyRefused, match=named):
            call()
    assert rehearsals(workspace, study) == []
    reader = ensure_account(workspace, "rob", "Rob", "reader", PASSWORD)
    with pytest.raises(NotAllowed):
        rehearse(workspace, study, READERS, ASSUMED, actor=f"account {reader}")
    with workspace.session() as session:
        simulated = session.scalars(sa.select(Account).where(Account.login.like("simulated-%"))).all()
        assert all(account.password_hash is None for account in simulated)
