"""What enters the results of a study with controls, repeats, training, guesses, an amendment and a replacement."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from cfcore.reports.html import study_report
from cfcore.study.design.choices import Control, Gate, Repeats, Training
from cfcore.study.protocol import Finding
from db.models import Account, Reading, Study, StudyReader, Trial
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.report.content import changes, report_content
from services.results import results
from services.schedule import write_trials
from services.studies import amend_study, close_study, create_study, lock_study, study_view, update_draft
from services.study_design.takeover import take_over
from services.study_design.training import set_truth
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine


def answer(trial: Trial, keys: list[str]) -> dict[str, object]:
    """Everybody sees every finding in the counterfactual only, and in controls and second readings on both sides."""
    if trial.purpose == "guess":
        return {"findings": {}, "ratings": {}, "questions": {"guess": "A"}, "comment": ""}
    other = "B" if trial.original_side == "A" else "A"
    said = other if trial.purpose == "counted" else "both"
    return {"findings": dict.fromkeys(keys, said), "ratings": {}, "comment": ""}


def test_only_first_readings_of_counted_pairs_make_prevalence_and_agreement(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(
        workspace, finished_run(workspace), actor="ada", n_per_arm=4, directions=["v1 +", "v2 +"],
        findings=(Finding("ctr", "Ratio"),), ratings=(),
    )  # fmt: skip
    update_draft(
        workspace, study_id, actor="ada", controls=(Control("identical", 2), Control("patients", 2)),
        repeats=Repeats(2, 2), training=Training(1, 0.0), guess_share=0.25,
    )  # fmt: skip
    make_pairs(workspace, study_id, actor="ada")
    training = study_view(workspace, study_id).pairs[-1]
    set_truth(workspace, training.id, {"ctr": "both"}, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    findings = study_view(workspace, study_id).protocol.findings
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        people = [Account(login=f"{i}@x.org", display_name="P", role="reader") for i in range(3)]
        session.add_all(people)
        session.flush()
        readers = [write_trials(session, study, person.id) for person in people[:2]]
        dropout = readers[1]
        for reader in readers:
            trials = sorted(reader.trials, key=lambda trial: trial.position)
            for trial in trials if reader is not dropout else trials[:6]:
                read = Reading(
                    trial_id=trial.id, sequence=1, answers=answer(trial, ["ctr"]), complete=True, seconds=9.0
                )
                session.add(read)
        session.flush()
        take_over(session, dropout, people[2].id, "ada")
    more = (*findings, Finding("older", "Older patient", "secondary"))
    assert amend_study(workspace, study_id, actor="ada", reason="Asked for", findings=more) == 2
    with workspace.session() as session:
        third = session.scalars(sa.select(StudyReader).where(StudyReader.replaces == "R2")).one()
        for trial in third.trials:
            told = answer(trial, ["ctr", "older"])
            session.add(Reading(trial_id=trial.id, sequence=1, answers=told, complete=True, seconds=9.0, version=2))
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    counted = found.decoded[(found.decoded["purpose"] == "reading") & (found.decoded["finding"] == "ctr")]
    assert Counter(counted["pair"]) == {f"C{i:02d}": 2 for i in range(1, 9)}
    assert counted["appears"].all() and set(counted["arm"]) == {"v1+", "v2+"}
    table = found.findings[found.findings["finding"] == "ctr"]
    assert set(table["arm"]) == {"v1+", "v2+"} and (table["share"] == 1).all()
    assert not found.decoded["arm"].eq("training").any()
    asked = found.decoded[found.decoded["finding"] == "older"]
    assert set(asked[asked["reader"] != "R3"]["status"]) == {"missing"}
    assert "assessed" in set(asked[asked["reader"] == "R3"]["status"])
    controls = found.decoded[found.decoded["purpose"] == "control"]
    assert set(controls["arm"]) == {"identical", "patients"}
    assert found.study.version == 2


def test_the_report_shows_the_flow_what_was_kept_back_and_what_was_changed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(
        workspace, finished_run(workspace), actor="ada", n_per_arm=3, directions=["v1 +"], degree=20.0,
        findings=(Finding("ctr", "Ratio"),), ratings=(),
    )  # fmt: skip
    update_draft(workspace, study_id, actor="ada", gate=Gate(flipped="yes"))
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        person = Account(login="sim", display_name="P", role="reader")
        session.add(person)
        session.flush()
        for trial in write_trials(session, study, person.id, simulated=True).trials:
            told = answer(trial, ["ctr"])
            session.add(Reading(trial_id=trial.id, sequence=1, answers=told, complete=True, seconds=9.0))
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    content = report_content(workspace, found)
    assert content.kept_back and all("The class did not flip" in one.why for one in content.kept_back)
    assert [picture.caption for picture in content.kept_back[0].pictures] == ["Original", "Reconstruction"]
    page = study_report(content)
    assert "Flow of patients and pairs</title>" in page and "Kept back by the gate" in page
    assert "is not what was locked" not in page
    with workspace.session() as session:
        session.get_one(Study, study_id).flow = {}
    assert changes(workspace, study_id) == (
        "This study is not what was locked: The counts of the gate differ from what was locked.",
    )
