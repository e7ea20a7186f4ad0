"""The questions step: other questions, templates, the elicitation round."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cfcore.study.questions import Choice, public
from services.accounts import ensure_account
from services.elicitation import invite_to_round, merge, open_round, round_view
from services.elicitation_reading import confirm, propose, rounds_for
from services.studies import Finding, create_study, study_view
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.toy_study import finished_run


@pytest.fixture
def draft(workspace: Workspace) -> int:
    ensure_account(workspace, "me", "Dr. Example", "researcher")
    return create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy study")


def press(page, label: str):  # type: ignore[no-untyped-def]
    found = next(button for button in page.button if button.label == label).click().run()
    assert not found.exception
    return found


def test_a_template_adds_its_questions_which_move_and_go(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    page = app(monkeypatch, "studies", study=str(draft))
    assert not page.exception
    chosen = next(box for box in page.selectbox if box.label == "Template")
    chosen.set_value(next(option for option in chosen.options if option.startswith("visual Turing"))).run()
    page = press(page, "Use")
    keys = [q.key for q in study_view(workspace, draft).protocol.questions]
    assert keys == ["real_one", "how_sure", "what_tells"]
    assert "Which one is a real image?" in text_of(page) and "only if “How sure are you?”" in text_of(page)
    page.button(key="down-real_one").click().run()
    assert study_view(workspace, draft).protocol.questions[0].key == "how_sure"
    page.button(key="remove-real_one").click().run()
    assert "real_one" not in [q.key for q in study_view(workspace, draft).protocol.questions]


def test_a_question_is_added_in_its_dialog(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int) -> None:
    monkeypatch.setattr("pages.parts.question_form.actor", lambda: "ada")
    page = AppTest.from_function(open_dialog, default_timeout=60).run()
    next(box for box in page.selectbox if box.label == "Kind").set_value("number").run()
    next(field for field in page.text_input if field.label.startswith("Question")).set_value("Heart width")
    next(field for field in page.text_input if field.label == "Unit").set_value("mm")
    page = press(page, "Save")
    (question,) = study_view(workspace, draft).protocol.questions
    assert (question.kind, question.key, question.text) == ("number", "heart_width", "Heart width")
    # What is wrong with a question is told, and does not keep a draft from holding it until it is put right.
    next(box for box in page.selectbox if box.label == "Kind").set_value("choice").run()
    next(field for field in page.text_input if field.label.startswith("Question")).set_value("Question")
    press(page, "Save")
    problems = page.session_state["question-problems-1"]
    assert any("“question” has 0 options: give 2 to 9" in problem for problem in problems)


def test_the_right_option_is_chosen_in_the_dialog(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    monkeypatch.setattr("pages.parts.question_form.actor", lambda: "ada")
    page = AppTest.from_function(open_dialog, default_timeout=60).run()
    next(box for box in page.selectbox if box.label == "Kind").set_value("choice").run()
    next(field for field in page.text_input if field.label.startswith("Question")).set_value("Real?")
    page.text_area[0].set_value("real\ngenerated").run()
    next(box for box in page.selectbox if box.label.startswith("Right for an original")).set_value("real").run()
    of_generated = next(box for box in page.selectbox if box.label.startswith("Right for a counterfactual"))
    of_generated.set_value("generated").run()
    press(page, "Save")
    (question,) = study_view(workspace, draft).protocol.questions
    assert isinstance(question, Choice)
    assert (question.right_for_original, question.right_for_counterfactual) == ("real", "generated")
    assert "right" not in str(public(question))
    # Changed later: a side that is right is moved, an option that is reworded is right no more.
    again = AppTest.from_function(open_first, default_timeout=60).run()
    again.text_area[0].set_value("genuine\ngenerated").run()
    press(again, "Save")
    (question,) = study_view(workspace, draft).protocol.questions
    assert isinstance(question, Choice) and question.options == ("genuine", "generated")
    assert (question.right_for_original, question.right_for_counterfactual) == ("", "generated")


def open_first() -> None:
    from pages.parts.question_form import question_dialog
    from pages.parts.who import workspace
    from services.studies import study_view

    view = study_view(workspace(), 1)
    question_dialog(view, view.protocol.questions[0])


def open_dialog() -> None:
    from pages.parts.question_form import question_dialog
    from pages.parts.who import workspace
    from services.studies import study_view

    question_dialog(study_view(workspace(), 1), None)


def test_a_duplicate_finding_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int) -> None:
    from services.studies import update_draft

    twice = (Finding("a", "Line", "main"), Finding("b", "line"))
    update_draft(workspace, draft, actor="ada", findings=twice)
    page = app(monkeypatch, "studies", study=str(draft))
    page = press(page, "Save questions")
    assert "Two findings share the label “line”" in text_of(page)


def test_a_round_goes_from_its_opening_to_the_checklist_on_the_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    open_round(workspace, draft, actor="ada")
    invite_to_round(workspace, draft, "eva@example.org", "Eva", actor="ada")
    page = app(monkeypatch, "studies", study=str(draft))
    assert "Eva" in text_of(page) and "not yet" in text_of(page)
    account = _account(workspace)
    token = rounds_for(workspace, account)[0]["round"]
    propose(workspace, account, token, [{"label": "Line", "kind": "main"}, {"label": "Lines", "kind": "secondary"}])
    page = press(app(monkeypatch, "studies", study=str(draft)), "Put the list before the readers")
    found = round_view(workspace, draft)
    assert found is not None and [f.label for f in found.checklist] == ["Line"]
    assert [p.merged_into for p in found.proposals] == ["line", "line"]
    take = next(button for button in page.button if button.label == "Take the list as the checklist")
    assert take.disabled
    _confirm(workspace, account, token)
    press(app(monkeypatch, "studies", study=str(draft)), "Take the list as the checklist")
    assert [f.label for f in study_view(workspace, draft).protocol.findings] == ["Line"]
    assert "Confirmed by 1 reader" in text_of(app(monkeypatch, "studies", study=str(draft)))


def _account(workspace: Workspace) -> int:
    import sqlalchemy as sa

    from db.models import Account

    with workspace.session() as session:
        return session.scalars(sa.select(Account.id).where(Account.login == "eva@example.org")).one()


def _confirm(workspace: Workspace, account: int, token: str) -> None:
    from services.elicitation_reading import round_for

    confirm(workspace, account, token, round_for(workspace, account, 1, token)["digest"])


def test_merging_is_the_researchers_own_choice(workspace: Workspace, draft: int) -> None:
    open_round(workspace, draft, actor="ada")
    invite_to_round(workspace, draft, "eva@example.org", "Eva", actor="ada")
    account = _account(workspace)
    propose(workspace, account, rounds_for(workspace, account)[0]["round"], [{"label": "Rib", "kind": "main"}])
    found = round_view(workspace, draft)
    assert found is not None
    merge(workspace, draft, (Finding("bone", "Bone"),), {found.proposals[0].id: "bone"}, actor="ada")
    again = round_view(workspace, draft)
    assert again is not None and again.proposers("bone") == ("E1",)
