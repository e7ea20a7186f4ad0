"""Which images a run is on, as the form asks: right, wrong, and those that a method needs beside them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from db.models import Image
from services.runs import list_runs
from services.workspace import Workspace
from tests.pages.shift_app import app, work
from tests.pages.test_runs import in_form, press
from tests.services import shift_engine


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def test_a_run_on_the_classifiers_errors(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.scene(workspace)
    with workspace.session() as session:
        wrong = session.scalars(sa.select(Image).order_by(Image.id)).all()[2]
        wrong.labels = ["Bright"]
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Method", "shift")
    box = next(element for element in page.selectbox if element.label == "The classifier is")
    assert (box.value, box.options[-1]) == ("all", "Wrong: by their labels they are Bright")
    in_form(page, "selectbox", "The classifier is", "error")
    in_form(page, "button", "Start")
    assert not page.exception and list_runs(workspace)[0].settings["images"]["case"] == "error"
    work(workspace)
    run = list_runs(workspace)[0]
    assert run.state == "done" and list(run.inputs["images"]) == [str(wrong.id)]


def test_right_or_wrong_is_asked_only_where_the_labels_tell(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift_engine.scene(workspace)
    with workspace.session() as session:
        session.scalars(sa.select(Image).order_by(Image.id)).all()[0].labels = ["Dark"]
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Method", "shift")
    assert not any(element.label == "The classifier is" for element in page.selectbox)
    in_form(page, "button", "Start")
    assert not page.exception and list_runs(workspace)[0].settings["images"]["case"] == "all"


def test_a_method_that_ranks_nothing_asks_for_no_other_images(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift_engine.scene(workspace)
    with workspace.session() as session:
        session.execute(sa.delete(Image).where(Image.split != "test"))
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Method", "gradcam")
    assert any(field.label == "Images to rank directions on" for field in page.number_input)
    in_form(page, "selectbox", "Method", "pgd")
    assert not any(field.label == "Images to rank directions on" for field in page.number_input)
    assert not any(box.label == "from split" for box in page.selectbox)
    in_form(page, "number_input", "Images to explain", 3)
    in_form(page, "button", "Start")
    assert not page.exception and not page.error
    work(workspace)
    run = list_runs(workspace)[0]
    assert (run.state, run.engine) == ("done", "pgd"), run.message
    assert run.inputs["fit_images"] == run.inputs["images"] and len(run.inputs["images"]) == 3
