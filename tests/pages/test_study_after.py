"""The study's desk, rehearsal, reference answers and adjudication on their pages, and the desk of colleagues."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from cfcore.study.simulated import SimulatedReader
from db.models import Account, Pair, Study
from services import accounts, invitations, study_members
from services.accounts import AccountView
from services.reader_profiles import desk_settings, save_profile
from services.reference_answers import reference_rows
from services.rehearsal_readers import Assumed, rehearsals, rehearse
from services.study_members import members
from services.study_views import study_view
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs
from tests.pages.shift_app import ROOT, SECONDS, app, text_of
from tests.services.test_adjudication import answer_all

PROFILE = {"specialty": "Radiology", "years": "7", "ethics_number": "EK 7", "consent": True}


@pytest.fixture
def study(workspace: Workspace) -> int:
    return make_study(workspace, noise_pairs(4))


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception, page.exception
    return page


def step(page: AppTest, name: str) -> AppTest:
    page.segmented_control[0].set_value(name).run()
    assert not page.exception, page.exception
    return page


def work_off(workspace: Workspace) -> None:
    """What the worker does with the next run."""
    assert lease.take(workspace, "test")
    run = queue.next_run(workspace, "test")
    assert run is not None
    do(workspace, run, "test", threading.Event())
    lease.release(workspace, "test")


def close(workspace: Workspace, study: int) -> None:
    with workspace.session() as session:
        session.get_one(Study, study).state = "closed"


def as_colleague(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, study: int, part: str, page: str) -> AppTest:
    link = study_members.invite_member(workspace, study, f"the.{part}", "Dr. Mate", part, "test")
    if link.startswith("/invite/"):
        invitations.accept_invitation(workspace, link.removeprefix("/invite/"), PASSWORD)
    with workspace.session() as session:
        account = session.scalars(sa.select(Account).where(Account.login == f"the.{part}")).one()
    me = AccountView(account.id, account.login, "Dr. Mate", "colleague", False, 1)
    monkeypatch.setattr(accounts, "current", lambda *_: me)
    opened = AppTest.from_file(ROOT / "studio.py", default_timeout=SECONDS).run()
    return opened.switch_page(f"pages/{page}.py").run()


def test_the_desk_shows_progress_profile_and_links(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    add_reader(workspace, study)
    invitations.invite_reader(workspace, study, "second", "Dr. Two", "test")
    save_profile(workspace, study_view(workspace, study).readers[0].id, PROFILE)
    page = app(monkeypatch, "studies", study=str(study))
    assert not page.exception
    shown = text_of(page)
    for text in ("0 of 4", "link open until", "signed up", "Radiology", "EK 7"):
        assert text in shown, text
    action = next(box for box in page.selectbox if box.label == "What to do")
    action.set_value("New link").run()
    press(page, "Apply")
    assert "has a password already" in text_of(page)  # R1 is chosen first and needs no link
    reader = next(box for box in page.selectbox if box.label == "A reader")
    reader.set_value(reader.options[1] if isinstance(reader.value, str) else reader.value)
    toggle = next(t for t in page.toggle if t.label.startswith("Ask for specialty"))
    toggle.set_value(True)
    press(page, "Save")
    assert desk_settings(workspace, study).ask_profile


def test_a_part_is_given_and_taken_on_the_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    page = app(monkeypatch, "studies", study=str(study))
    assert not page.exception, page.exception
    next(t for t in page.text_input if t.label == "Login of the person").set_value("mate@example.org")
    next(s for s in page.selectbox if s.label == "Part").set_value("monitor")
    press(page, "Give this part")
    assert [m.part for m in members(workspace, study)] == ["monitor"]
    assert any("/invite/" in code.value for code in page.code)
    press(page, "Take it away")
    assert members(workspace, study) == []


def test_a_rehearsal_runs_is_shown_and_removed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    page = step(app(monkeypatch, "studies", study=str(study)), "Rehearsal")
    press(page, "Rehearse")
    assert "you may leave this page" in text_of(page) and rehearsals(workspace, study) == []
    press(page, "Cancel")
    assert [warning.value for warning in page.warning] == ["Cancelled before it started."]
    press(page, "Rehearse")
    press(page, "Rehearse")
    assert any("is under way" in error.value for error in page.error)
    work_off(workspace)
    page.run()
    assert len(rehearsals(workspace, study)) == 1
    assert "claims lie in the 95 % interval" in text_of(page) and "sensitivity" in text_of(page)
    assert study_view(workspace, study).readers == ()
    press(page, "Remove this rehearsal")
    assert rehearsals(workspace, study) == []


def test_the_sample_size_is_simulated_and_plotted(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    page = step(app(monkeypatch, "studies", study=str(study)), "Rehearsal")
    next(n for n in page.number_input if n.label == "Readers, at most").set_value(3)
    press(page, "Simulate")
    shown = text_of(page)
    assert "fewest cases for a width of 0.3" in shown and "Gwet's AC1" in shown
    assert len(page.get("plotly_chart")) == 1


def test_reference_answers_and_scores_are_shown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    page = step(app(monkeypatch, "studies", study=str(study)), "Reference")
    assert "0 of 12 given" in text_of(page) and "Begins when the study is closed" in text_of(page)
    next(s for s in page.selectbox if s.label == "Finding").set_value("line")
    press(page, "Take the labels")
    assert "4 of 12 given" in text_of(page)
    assert all(row.answers["line"] for row in reference_rows(workspace, study, "test"))
    press(page, "Take the phantom's truth")
    assert "no phantoms" in text_of(page)
    answer_all(workspace, add_reader(workspace, study), {(1, "line"): "both"})
    close(workspace, study)
    page = step(app(monkeypatch, "studies", study=str(study)), "Reference")
    assert "Sensitivity" in text_of(page) and "the readers agree" in text_of(page).casefold()


def test_disagreements_are_set_out_for_the_chair(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    for i in range(2):
        answer_all(workspace, add_reader(workspace, study, f"r{i}", f"Dr. {i}"), {(1, "line"): "both"} if i else {})
    close(workspace, study)
    page = step(app(monkeypatch, "studies", study=str(study)), "Reference")
    assert "1 disagreement in 1 case" in text_of(page)
    press(page, "Set out the disputed cases")
    assert "Set out the disputed cases" not in [button.label for button in page.button]


def test_a_monitor_sees_progress_and_no_name_arm_or_answer(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    answer_all(workspace, add_reader(workspace, study), {})
    page = as_colleague(monkeypatch, workspace, study, "monitor", "desk")
    assert not page.exception
    shown = text_of(page)
    assert "4 of 4" in shown and "R1" in shown
    for hidden in ("v17", "v3", "Dr. One", "reader.one", "Eigenvectors", "Line or tube"):
        assert hidden not in shown, hidden


def test_a_monitor_has_no_other_page_and_nothing_is_shown_where_one_is_forced(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    with pytest.raises(ValueError, match="Could not find a navigation page") as none:
        as_colleague(monkeypatch, workspace, study, "monitor", "studies")
    assert "desk.py" in str(none.value) and "results.py" not in str(none.value)
    for other in ("studies", "results"):
        forced = AppTest.from_file(ROOT / "pages" / f"{other}.py", default_timeout=SECONDS)
        forced.query_params["study"] = str(study)
        forced.run()
        assert "Eigenvectors" not in text_of(forced) and "v17" not in text_of(forced), other


def test_a_co_editor_sees_the_own_study_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    make_study(workspace, noise_pairs(2), arms=("v99 +",), seed=7)
    page = as_colleague(monkeypatch, workspace, study, "co-editor", "studies")
    assert not page.exception
    assert "New study" not in [button.label for button in page.button]
    assert sum(button.label == "Open" for button in page.button) == 1 and "v99" not in text_of(page)
    page.query_params["study"] = "2"
    page.run()
    assert "not open to you" in text_of(page)


def test_a_statistician_gets_masked_arms_until_unblinding(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, study: int
) -> None:
    copy = rehearse(workspace, study, [SimulatedReader("")], Assumed(), actor="test")
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(Pair.id)).where(Pair.study_id == copy)) == 4
    answer_all(workspace, add_reader(workspace, study), {})
    page = as_colleague(monkeypatch, workspace, study, "statistician", "desk")
    assert "handed over when the reading has ended" in text_of(page)
    close(workspace, study)
    page.run()
    table = page.dataframe[0].value
    assert set(table["arm"]) == {"arm 1", "arm 2"}
    assert not {"source_class", "flipped"} & set(table.columns)
    assert "v17" not in text_of(page) and "masked until" in text_of(page)
