"""A draft's questions: adding, moving, removing, and templates to use again."""

from __future__ import annotations

import pytest

from cfcore.study.questions import Choice, Condition, FreeText, Likert
from services import study_questions as asked
from services.studies import StudyRefused, create_study, study_view
from services.workspace import Workspace
from tests.services.toy_study import finished_run


@pytest.fixture
def draft(workspace: Workspace) -> int:
    return create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2)


def keys(workspace: Workspace, draft: int) -> list[str]:
    return [question.key for question in study_view(workspace, draft).protocol.questions]


def test_questions_are_added_moved_replaced_and_removed(workspace: Workspace, draft: int) -> None:
    asked.add_question(workspace, draft, Choice(key="", text="Which lobe?", options=("upper", "lower")), actor="ada")
    why = FreeText(key="", text="Why?", only_if=Condition("which_lobe", ("upper",)))
    problems = asked.add_question(workspace, draft, why, actor="ada")
    asked.add_question(workspace, draft, Likert(key="", text="Why?!"), actor="ada")
    assert keys(workspace, draft) == ["which_lobe", "why", "why_2"]
    assert not [problem for problem in problems if "uestion" in problem]

    with pytest.raises(StudyRefused, match="must stay behind"):
        asked.move_question(workspace, draft, "why", -1, actor="ada")
    with pytest.raises(StudyRefused, match="depends on this question"):
        asked.remove_question(workspace, draft, "which_lobe", actor="ada")
    asked.move_question(workspace, draft, "why_2", -1, actor="ada")
    asked.move_question(workspace, draft, "why_2", -1, actor="ada")
    assert keys(workspace, draft) == ["why_2", "which_lobe", "why"]
    asked.replace_question(workspace, draft, "why_2", Likert(key="", text="Better?", points=7), actor="ada")
    assert study_view(workspace, draft).protocol.questions[0] == Likert(key="why_2", text="Better?", points=7)
    asked.remove_question(workspace, draft, "why", actor="ada")
    asked.remove_question(workspace, draft, "which_lobe", actor="ada")
    assert keys(workspace, draft) == ["why_2"]
    with pytest.raises(StudyRefused, match="reload"):
        asked.remove_question(workspace, draft, "which_lobe", actor="ada")


def test_a_condition_may_rest_on_what_stands_before(workspace: Workspace, draft: int) -> None:
    asked.add_question(workspace, draft, Choice(key="a", text="A?", options=("x", "y")), actor="ada")
    asked.add_question(workspace, draft, FreeText(key="b", text="B?"), actor="ada")
    view = study_view(workspace, draft)
    found = asked.conditions_of(view)
    assert found["a"] == ("A?", ("x", "y")) and "b" not in found and "ctr" in found and "realism" in found
    assert "a" not in asked.conditions_of(view, before="a")


def test_a_template_is_saved_used_elsewhere_replaced_and_deleted(workspace: Workspace, draft: int) -> None:
    asked.add_question(workspace, draft, Likert(key="", text="How sure?"), actor="ada")
    kept = asked.save_template(workspace, draft, " Ours ", actor="ada")
    assert asked.save_template(workspace, draft, "Ours", actor="bob") == kept
    view = asked.list_templates(workspace)[-1]
    assert (view.template.name, view.author, view.id) == ("Ours", "bob", kept)

    other = create_study(workspace, study_view(workspace, draft).run_id or 0, actor="ada", findings="atelectasis")
    asked.use_template(workspace, other, view.template, actor="ada")
    found = study_view(workspace, other).protocol
    assert found.findings == study_view(workspace, draft).protocol.findings
    assert [q.text for q in found.questions] == ["How sure?"]
    asked.delete_template(workspace, kept, actor="ada")
    assert all(view.id is None for view in asked.list_templates(workspace))
    with pytest.raises(StudyRefused, match="already"):
        asked.delete_template(workspace, kept, actor="ada")


@pytest.mark.parametrize(("name", "told"), [("  ", "1 to 80"), ("x" * 81, "1 to 80"), ("Effusion", "shipped")])
def test_a_name_that_cannot_be_kept_is_refused(workspace: Workspace, draft: int, name: str, told: str) -> None:
    with pytest.raises(StudyRefused, match=told):
        asked.save_template(workspace, draft, name, actor="ada")
