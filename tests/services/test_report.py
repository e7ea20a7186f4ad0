"""Looks at a running study, and the report with everything beside it, written by the worker's job."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from dataclasses import fields, replace

import pandas as pd
import pytest
import sqlalchemy as sa

from cfcore.reports.tables import StudyTables, study_tables
from cfcore.reports.tidy import read_long
from cfcore.study.analysis_plan import AnalysisPlan, Hypothesis
from cfcore.study.protocol import from_json
from db.models import Reading, Run, Study
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.report import pdf
from services.report.bundle import named_tables
from services.report.job import latest_report, report_file, start_report
from services.report.looks import ResultsSealed, look_state, take_look
from services.results import results, shown_results
from services.studies import StudyRefused, close_study, create_study, lock_study
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace, sha256
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def study_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A locked study of three arms x two pairs with a person and looks planned at a half and at the end."""
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy, v1 to v7")
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    plan = AnalysisPlan("?", "ctr", contrast=("v1+",), family=(Hypothesis("ctr", ("v1+",)),), looks=(0.5, 1.0))
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        family = [{"finding": "ctr", "arms": ["v1+"]}]
        stored = vars(plan) | {"family": family, "contrast": ["v1+"], "looks": [0.5, 1.0]}
        study.protocol = {**study.protocol, "analysis": stored}
    add_readers(workspace, study_id, 2)
    return study_id


def say(reader: str, arm: str, finding: str) -> str:
    return "appears" if (arm, finding) == ("v1+", "ctr") or (reader, finding) == ("R2", "older") else "neither"


def forget(workspace: Workspace, keep: int) -> None:
    """Leave the first `keep` readings."""
    with workspace.session() as session:
        ids = session.scalars(sa.select(Reading.id).order_by(Reading.id).offset(keep)).all()
        session.execute(sa.delete(Reading).where(Reading.id.in_(ids)))


def write(workspace: Workspace) -> None:
    """What the worker does with the next run."""
    assert lease.take(workspace, "test")
    run = queue.next_run(workspace, "test")
    assert run is not None
    do(workspace, run, "test", threading.Event())
    lease.release(workspace, "test")


def test_a_planned_look_opens_when_it_is_due_and_not_before(workspace: Workspace, study_id: int) -> None:
    with pytest.raises(StudyRefused, match="Nothing is read yet"):
        take_look(workspace, study_id, actor="ada", reason="impatient as ever")
    read_all(workspace, study_id, say)
    forget(workspace, 5)
    assert look_state(workspace, study_id).due is None
    with pytest.raises(StudyRefused, match="No planned look is due"):
        take_look(workspace, study_id, actor="ada")
    with pytest.raises(ResultsSealed):
        shown_results(workspace, study_id)
    read_all(workspace, study_id, say, sequence=2)
    assert look_state(workspace, study_id).due == 1
    taken = take_look(workspace, study_id, actor="ada")
    assert taken.planned == 1 and taken.share == 1.0
    found = shown_results(workspace, study_id)
    assert found.interim and not found.exploratory
    assert look_state(workspace, study_id).due is None, "the last look is the closing itself"


def test_an_unplanned_look_needs_a_reason_and_makes_p_values_exploratory(workspace: Workspace, study_id: int) -> None:
    read_all(workspace, study_id, say)
    forget(workspace, 4)
    with pytest.raises(StudyRefused, match="Say in at least"):
        take_look(workspace, study_id, actor="ada", reason="  why  ")
    take_look(workspace, study_id, actor="ada", reason="The sponsor wanted to know")
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    assert found.exploratory and found.looks.unplanned[0].readings == 4
    with pytest.raises(StudyRefused, match="closed"):
        take_look(workspace, study_id, actor="ada", reason="The sponsor wanted to know")


def test_the_export_reads_back_and_gives_every_number(
    workspace: Workspace, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all(workspace, study_id, say)
    with pytest.raises(ResultsSealed):
        start_report(workspace, study_id, actor="ada")
    close_study(workspace, study_id, actor="ada")
    monkeypatch.setattr(pdf, "_by_weasyprint", lambda html: b"%PDF-" + html.encode()[:20])
    run_id = start_report(workspace, study_id, actor="ada")
    assert start_report(workspace, study_id, actor="ada") == run_id, "one report at a time"
    write(workspace)
    report = latest_report(workspace, study_id)
    assert report is not None and report.state == "done", report and report.run.message
    assert report.notes == () and not report.stale
    packed = zipfile.ZipFile(io.BytesIO(report_file(workspace, report, "all.zip")))
    folder = f"study-{study_id}-toy-v1-to-v7/"
    files = {name.removeprefix(folder): packed.read(name) for name in packed.namelist()}
    expected = {"report.html", "report.pdf", "readings-long.csv", "codebook.csv", "readings.R", "readings.sps",
                "results.json", "tables.xlsx", "protocol.json", "manifest.json", "imrmc/ctr.imrmc",
                "figures/findings.svg",
                "tables/confirmatory.csv", "dicom/C01/report.dcm", "dicom/C01/original.dcm"}  # fmt: skip
    assert expected <= files.keys()

    assert b"Every reader meets a patient" in files["report.html"], "the exposure count of the lock page"
    # From the long table and the protocol beside it: every number of the report.
    found = results(workspace, study_id)
    back = read_long(files["readings-long.csv"].decode())
    plan = from_json(files["protocol.json"].decode()).analysis
    again = study_tables(back.decoded, back.rated, back.answers, replace(back.asked, plan=plan), back.seed)
    for field in fields(StudyTables):
        mine, theirs = getattr(found.tables, field.name), getattr(again, field.name)
        if isinstance(mine, pd.DataFrame):
            pd.testing.assert_frame_equal(mine, theirs, check_dtype=False)
        else:
            assert mine == theirs, field.name
    told = json.loads(files["results.json"])
    for name, table in named_tables(found).items():
        stored = pd.read_csv(io.BytesIO(files[f"tables/{name}.csv"]), float_precision="round_trip")
        assert list(stored.columns) == list(table.columns) and len(stored) == len(table) == len(told["tables"][name])
        for column in table.select_dtypes("number").columns:
            mine = pd.to_numeric(table[column]).astype(float).tolist()
            assert stored[column].astype(float).tolist() == pytest.approx(mine, nan_ok=True), (name, column)
    html = files["report.html"].decode()
    share = found.findings.set_index(["finding", "arm"]).loc[("ctr", "v1+"), "share"]
    assert share == 1.0 and "✓ 100 %" in html and found.study.digest in html

    manifest = json.loads(files["manifest.json"])
    assert manifest["files"]["readings-long.csv"] == sha256(files["readings-long.csv"])
    assert manifest["log"]["unbroken"] and manifest["study"]["digest"] == found.study.digest
    text = b" ".join(files[name] for name in files if not name.endswith((".dcm", ".xlsx", ".png"))).decode()
    assert not any(f"{pair.patient}," in text or f'"{pair.patient}"' in text for pair in found.study.pairs)
    assert "Reader 0" not in text and "reader0@example.org" not in text


def test_a_second_report_replaces_the_first(
    workspace: Workspace, study_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_all(workspace, study_id, say)
    close_study(workspace, study_id, actor="ada")
    monkeypatch.setattr("services.report.bundle.can_write", lambda: False)
    monkeypatch.setattr(pdf, "_by_weasyprint", lambda html: None)
    monkeypatch.setattr(pdf, "browser_path", lambda: None)
    for _ in range(2):
        start_report(workspace, study_id, actor="ada")
        write(workspace)
    report = latest_report(workspace, study_id)
    assert report is not None and set(report.files) == {"all.zip", "report.html"}
    assert "libpango" in report.notes[0] and "highdicom" in report.notes[1], "what is left out says how to get it"
    with pytest.raises(FileNotFoundError, match=r"report\.pdf is not in the workspace"):
        report_file(workspace, report, "report.pdf")
    with workspace.session() as session:
        runs = session.scalars(sa.select(Run).where(Run.kind == "report").order_by(Run.id)).all()
    assert [bool(run.result) for run in runs] == [False, True]


def test_dicom_of_a_case_reads_back(workspace: Workspace, study_id: int) -> None:
    hd = pytest.importorskip("highdicom", reason="the optional part sr is not installed")
    from services.report.sr import case_files

    read_all(workspace, study_id, say)
    close_study(workspace, study_id, actor="ada")
    found = results(workspace, study_id)
    case = next(case for case in found.cases if case.arm == "v1+")
    files = case_files(workspace, found, case)
    report = hd.sr.srread(io.BytesIO(files["report.dcm"]))
    groups = report.content.get_image_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["Reader R1", "Reader R2"]
    said = {e.name.meaning: e.value.meaning for e in groups[0].get_qualitative_evaluations()}
    assert said["Increased cardiothoracic ratio"] == "Seen in counterfactual only"
    assert [m.value for m in groups[0].get_measurements()] == [4, 2]
    assert report.PatientID == case.patient and not report.PatientName
    assert set(files) == {"original.dcm", "counterfactual.dcm", "report.dcm"}
    control = case_files(workspace, found, replace(case, pair=replace(case.pair, kind="patients")))
    assert set(control) == {"one_patient.dcm", "another_patient.dcm", "report.dcm"}
    report = hd.sr.srread(io.BytesIO(control["report.dcm"]))
    first = report.content.get_image_measurement_groups()[0]
    said = {e.name.meaning: e.value.meaning for e in first.get_qualitative_evaluations()}
    assert said["Increased cardiothoracic ratio"] == "Seen in another patient only"
    assert "counterfactual" not in str(report).casefold()


def test_a_pdf_is_made_where_something_can_print(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "<!doctype html><html lang=en><title>t</title><body><h1>Grüße − ✓</h1></body></html>"
    assert pdf.to_pdf(page).startswith(b"%PDF-")
    monkeypatch.setattr(pdf, "_by_weasyprint", lambda html: None)
    monkeypatch.setattr(pdf, "browser_path", lambda: None)
    with pytest.raises(pdf.NoPdf, match=r"libpango-1\.0-0"):
        pdf.to_pdf(page)
