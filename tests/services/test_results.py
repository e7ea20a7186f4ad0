from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.study.decode import ANSWERS
from db.models import Pair, Reading, Study, StudyReader, Trial
from services import pairs as pairs_service
from services.accounts import ensure_account
from services.pairs import make_pairs
from services.report.looks import ResultsSealed, take_look
from services.results import StudyResults, results, shown_results
from services.schedule import write_trials
from services.studies import StudyRefused, close_study, create_study, lock_study
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine

FINDINGS = ("ctr", "reduced_opacity", "effusion", "pacemaker", "older")


@pytest.fixture
def study_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A locked study of three arms x four pairs with readers R1 to R3, nothing read."""
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=4)
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 3)
    return study_id


def add_readers(workspace: Workspace, study_id: int, n: int, simulated: bool = False) -> None:
    for i in range(n):
        account_id = ensure_account(workspace, f"reader{i}@example.org", f"Reader {i}", "reader")
        with workspace.session() as session:
            write_trials(session, session.get_one(Study, study_id), account_id, simulated)


def side_of(word: str, original_side: str) -> str:
    """A/B answer for "appears" or "disappears"; others are the same on both sides."""
    other = "B" if original_side == "A" else "A"
    return {"appears": other, "disappears": original_side}.get(word, word)


def read_all(workspace: Workspace, study_id: int, say: Any, sequence: int = 1, complete: bool = True) -> None:
    """Save a reading for every trial; `say(reader, arm, finding)` gives the decoded word."""
    with workspace.session() as session:
        query = (
            sa.select(Trial, StudyReader.label, Pair.arm)
            .join(StudyReader, StudyReader.id == Trial.study_reader_id)
            .join(Pair, Pair.id == Trial.pair_id)
            .where(StudyReader.study_id == study_id)
        )
        for trial, reader, arm in session.execute(query).all():
            answers = {key: side_of(say(reader, arm, key), trial.original_side) for key in FINDINGS}
            session.add(
                Reading(
                    trial_id=trial.id,
                    sequence=sequence,
                    answers={"findings": answers, "ratings": {"realism": 4, "identity": 2}, "comment": "seen"},
                    complete=complete,
                    seconds=20.0 + trial.position,
                )
            )


def cell(found: Any, finding: str, arm: str) -> Any:
    table = found.findings
    return table[(table["finding"] == finding) & (table["arm"] == arm)].iloc[0]


def peek(workspace: Workspace, study_id: int) -> StudyResults:
    """The results of an open study after a look that was not planned."""
    take_look(workspace, study_id, actor="ada", reason="the test wants to see")
    return shown_results(workspace, study_id)


def test_an_open_study_keeps_its_results_sealed(workspace: Workspace, study_id: int) -> None:
    with pytest.raises(ResultsSealed, match="still being read"):
        results(workspace, study_id)
    read_all(workspace, study_id, lambda *_: "neither")
    with pytest.raises(ResultsSealed):
        shown_results(workspace, study_id)


def test_a_closed_study_without_readings_has_numbers_that_say_so(workspace: Workspace, study_id: int) -> None:
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    assert (found.headline.readings_done, found.headline.readings_planned) == (0, 36)
    assert found.headline.ac1.value is None and found.headline.ac1.note
    assert not found.interim and found.simulated == ()
    assert cell(found, "ctr", "v1+")["share"] is None


def test_answers_are_decoded_before_anything_is_counted(workspace: Workspace, study_id: int) -> None:
    def say(reader: str, arm: str, finding: str) -> str:
        if finding == "ctr":
            return "appears" if arm == "v1+" else "disappears" if arm == "v2+" else "both"
        return "cannot" if finding == "older" else "neither"

    read_all(workspace, study_id, say)
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    assert found.headline.readings_done == 36 and not found.interim
    shares = [cell(found, "ctr", arm)["share"] for arm in ("v1+", "v2+", "v7-")]
    assert shares == [1.0, 0.0, 0.0]
    assert bool(cell(found, "ctr", "v1+")["majority"]) and not cell(found, "ctr", "v2+")["majority"]
    assert cell(found, "ctr", "v2+")["prevalence_original"] == 1.0
    assert cell(found, "ctr", "v7-")["difference"] == 0.0
    assert cell(found, "older", "v1+")["cannot"] == 12
    assert found.headline.ac1.value == pytest.approx(1.0)
    assert found.headline.cannot_share == pytest.approx(0.2)
    case = next(case for case in found.cases if case.arm == "v1+")
    assert [reading.seen["ctr"] for reading in case.readings] == ["appears"] * 3
    assert [reading.seen["older"] for reading in case.readings] == ["cannot assess"] * 3
    assert case.readings[0].ratings == {"realism": 4, "identity": 2} and case.readings[0].comment == "seen"


def test_the_latest_complete_reading_of_a_trial_counts(workspace: Workspace, study_id: int) -> None:
    read_all(workspace, study_id, lambda *_: "neither", sequence=1)
    assert cell(peek(workspace, study_id), "ctr", "v1+")["share"] == 0.0
    read_all(workspace, study_id, lambda *_: "appears", sequence=2)
    assert cell(shown_results(workspace, study_id), "ctr", "v1+")["share"] == 0.0, "a look shows what it found"
    assert cell(peek(workspace, study_id), "ctr", "v1+")["share"] == 1.0
    read_all(workspace, study_id, lambda *_: "neither", sequence=3, complete=False)
    close_study(workspace, study_id, actor="ada")
    assert cell(results(workspace, study_id), "ctr", "v1+")["share"] == 1.0


def test_half_of_the_readers_give_half_the_share_and_no_majority(workspace: Workspace, study_id: int) -> None:
    read_all(workspace, study_id, lambda reader, arm, key: "appears" if reader == "R1" else "neither")
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    one = cell(found, "ctr", "v1+")
    assert one["share"] == pytest.approx(1 / 3) and not one["majority"]
    assert one["raw_agreement"] == pytest.approx(1 / 3)
    table = found.per_reader
    own = table[(table["reader"] == "R1") & (table["finding"] == "ctr") & (table["arm"] == "v1+")].iloc[0]
    assert own["share"] == 1.0 and 0.3 < own["share_low"] < 1.0


def test_patients_and_pairs_carry_numbers_of_the_study_only(workspace: Workspace, study_id: int) -> None:
    read_all(workspace, study_id, lambda *_: "neither")
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    pseudonyms = {pair.patient for pair in found.study.pairs}
    assert set(found.decoded["patient"]) == {f"P{i:02d}" for i in range(1, 13)}
    assert not pseudonyms & set(found.decoded["patient"])
    assert [case.label for case in found.cases] == [f"C{i:02d}" for i in range(1, 13)]


def test_simulated_readers_are_told_apart(workspace: Workspace, study_id: int) -> None:
    account_id = ensure_account(workspace, "simulated-1", "Simulated 1", "reader")
    with workspace.session() as session:
        write_trials(session, session.get_one(Study, study_id), account_id, simulated=True)
    close_study(workspace, study_id, actor="ada")
    assert results(workspace, study_id).simulated == ("R4",)


def test_same_readings_give_same_numbers_and_the_second_call_is_free(workspace: Workspace, study_id: int) -> None:
    rng = np.random.default_rng(1)
    read_all(workspace, study_id, lambda *_: ANSWERS[int(rng.integers(4))])
    close_study(workspace, study_id, actor="ada")
    first = results(workspace, study_id)
    started = time.process_time()
    assert results(workspace, study_id) is first
    assert time.process_time() - started < 0.1
    from services import results as module

    module._cache.clear()
    again = results(workspace, study_id)
    assert again is not first and again.findings.equals(first.findings)


def test_an_unknown_study_is_named(workspace: Workspace) -> None:
    with pytest.raises(StudyRefused, match="no study 5"):
        results(workspace, 5)


def test_a_study_of_the_usual_size_takes_less_than_two_seconds(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=10)
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 3)
    rng = np.random.default_rng(0)
    read_all(workspace, study_id, lambda *_: ("appears", "neither", "both")[int(rng.integers(3))])
    close_study(workspace, study_id, actor="ada")
    started = time.process_time()
    found = results(workspace, study_id)
    # Processor time: other work on the machine must not fail this.
    assert time.process_time() - started < 4.0
    assert found.headline.readings_done == 90
