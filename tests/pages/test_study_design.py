"""The pages of a study's design: more arms, controls, schedule, plan, right answers, versions."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Expander

from cfcore.study.design.choices import Control, Design, Gate, Training
from db.models import Run
from services import pairs as pairs_service
from services.pairs import make_pairs
from services.studies import create_study, lock_study, study_view, update_draft
from services.study_design.locking import versions
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def draft(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    return create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, title="Toy study")


def field(elements: Any, label: str) -> Any:
    return next(element for element in elements if element.label == label)


def step(page: AppTest, name: str) -> AppTest:
    page.segmented_control[0].set_value(name).run()
    assert not page.exception
    return page


def fold(page: AppTest, label: str) -> Expander:
    return next(found for found in page.expander if found.label == label)


def test_directions_are_crossed_with_degrees_and_controls_are_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    page = step(app(monkeypatch, "studies", study=str(draft)), "2 Images and arms")
    field(page.multiselect, "Directions").set_value(["v1 +", "v9 +"])
    field(page.text_input, "Degrees, parted by commas").set_value("5; many").run()
    field(page.button, "Add these arms").click().run()
    assert "are not degrees" in text_of(page)
    field(page.text_input, "Degrees, parted by commas").set_value("5, 12").run()
    assert not fold(page, "More arms: other degrees, renderings, runs").proto.expanded
    field(page.button, "Add these arms").click().run()
    assert not page.exception
    assert fold(page, "More arms: other degrees, renderings, runs (4)").proto.expanded, "ready for the next arms"
    arms = [arm.key for arm in study_view(workspace, draft).protocol.arms]
    assert arms == ["v1+", "v2+", "v7-", "v1+@5", "v1+@12", "v9+@5", "v9+@12"]
    field(page.multiselect, "Further arms").set_value(["v1+@5"])
    field(page.number_input, "Identical images").set_value(2)
    field(page.number_input, "Training cases").set_value(1).run()
    field(page.button, "Make pairs").click().run()
    assert not page.exception
    view = study_view(workspace, draft)
    assert [arm.key for arm in view.protocol.arms] == ["v1+", "v2+", "v7-", "v1+@5"]
    assert view.protocol.controls == (Control("identical", 2),) and view.protocol.training == Training(1, 0.8)
    assert len(view.pairs) == 4 * 2 + 2 + 1 and "3 planned readers" in text_of(page)


def test_an_arm_of_another_method_takes_the_degree_of_its_own_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    with workspace.session() as session:
        own = session.get_one(Run, study_view(workspace, draft).run_id)
        for name, engine, degree in (("Same", own.engine, 4.0), ("Other", "ig", 15.0)):
            session.add(
                Run(
                    name=name, kind="explain", engine=engine, state="done", dataset_id=own.dataset_id, progress=1.0,
                    settings={"target": "Cardiomegaly", "config": {"degree": degree}},
                )
            )  # fmt: skip
    page = step(app(monkeypatch, "studies", study=str(draft)), "2 Images and arms")
    for run, told in ((2, "the study's (10)"), (3, "the run's (15)")):
        field(page.selectbox, "Run").set_value(run).run()
        assert field(page.text_input, "Degrees, parted by commas").placeholder == told
        field(page.button, "Add these arms").click().run()
        assert not page.exception
    same, other = study_view(workspace, draft).protocol.arms[-2:]
    assert (same.run, same.degree, other.run, other.degree) == (2, None, 3, 15.0)


def test_the_schedule_is_changed_and_shown_with_its_balance(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    make_pairs(workspace, draft, actor="ada")
    page = step(app(monkeypatch, "studies", study=str(draft)), "2 Images and arms")
    assert "Every reader meets a patient once" in text_of(page)
    field(page.number_input, "Planned readers").set_value(4)
    field(page.radio, "Order of cases").set_value("permuted blocks")
    field(page.number_input, "Pairs read twice").set_value(9).run()
    field(page.button, "Plan again").click().run()
    assert "do not fit" in text_of(page)
    field(page.number_input, "Pairs read twice").set_value(1)
    field(page.number_input, "at least so many cases later").set_value(2)
    field(page.number_input, "Pairs to guess at the end, %").set_value(10).run()
    field(page.button, "Plan again").click().run()
    assert not page.exception
    protocol = study_view(workspace, draft).protocol
    assert protocol.design == Design(4, order="permuted blocks") and protocol.guess_share == 0.1
    assert "4 planned readers" in text_of(page) and len(study_view(workspace, draft).pairs) == 6


def test_the_primary_analysis_is_suggested_and_can_be_changed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    make_pairs(workspace, draft, actor="ada")
    page = step(app(monkeypatch, "studies", study=str(draft)), "4 Lock")
    assert "Do readers see “Increased cardiothoracic ratio”" in text_of(page)
    field(page.selectbox, "against").set_value("v2+")
    field(page.selectbox, "Test").set_value("permutation")
    field(page.text_input, "Planned looks, % of the readings").set_value("50, 100").run()
    field(page.button, "Save the plan").click().run()
    assert not page.exception
    plan = study_view(workspace, draft).protocol.analysis
    assert plan is not None and (plan.contrast, plan.test, plan.looks) == (("v1+", "v2+"), "permutation", (0.5, 1.0))
    assert plan.family[0].arms == ("v1+", "v2+") and "Nothing is missing" in text_of(page)


def test_right_answers_of_training_cases_are_stated_on_the_preview(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    arms = study_view(workspace, draft).protocol.arms[:1]
    update_draft(workspace, draft, actor="ada", training=Training(1), arms=arms)
    make_pairs(workspace, draft, actor="ada")
    page = step(app(monkeypatch, "studies", study=str(draft)), "3 Preview")
    for _ in range(2):
        field(page.button, "Next").click().run()
    assert "Training case" in text_of(page)
    field(page.selectbox, "Increased cardiothoracic ratio").set_value("counterfactual").run()
    field(page.button, "Save the right answers").click().run()
    assert not page.exception
    view = study_view(workspace, draft)
    assert view.pairs[-1].truth == {"ctr": [False, True]} and view.problems == ()


def test_a_locked_study_is_amended_and_tells_when_it_was_changed_behind_its_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, draft: int
) -> None:
    update_draft(workspace, draft, actor="ada", gate=Gate(flipped="no"))
    make_pairs(workspace, draft, actor="ada")
    lock_study(workspace, draft, actor="ada")
    page = step(app(monkeypatch, "studies", study=str(draft)), "4 Lock")
    assert "Flow of patients" in text_of(page) or any("Flow" in e.label for e in page.expander)
    field(page.button, "Lock as a new version").click().run()
    assert "Give the reason" in text_of(page)
    field(page.text_area, "Reason, for the report").set_value("Ethics board")
    added = field(page.text_area, "Findings to add, one a line (as secondary ones)")
    added.set_value("Scoliosis\n\nRib fracture").run()
    field(page.button, "Lock as a new version").click().run()
    assert not page.exception
    first, second = versions(workspace, draft)
    assert [f.label for f in second.protocol.findings[-2:]] == ["Scoliosis", "Rib fracture"] and second.number == 2
    assert "Ethics board" in text_of(page) and len(first.protocol.findings) + 2 == len(second.protocol.findings)
    with workspace.session() as session:
        from db.models import Study

        study = session.get_one(Study, draft)
        study.protocol = {**study.protocol, "notes": "sneaked in"}
    page = step(app(monkeypatch, "studies", study=str(draft)), "4 Lock")
    assert "is not what was locked" in text_of(page) and "notes" in text_of(page)
