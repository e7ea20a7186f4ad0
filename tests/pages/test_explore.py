"""The Explore page: what is chosen is shown, what is shown can be kept, and an empty workspace says what to do."""

from __future__ import annotations

import pytest

from services.notebook import list_entries, picture
from services.workspace import Workspace
from tests.pages.shift_app import app, run_of, text_of
from tests.services import shift_engine


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def test_without_a_run_the_page_says_what_to_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "explore")
    assert not page.exception and "Nothing to explore yet" in text_of(page)
    run_of(workspace, done=False)
    assert "“Brighter” is 0 % done" in text_of(page.run())


def test_the_address_chooses_and_the_view_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace)
    page = app(monkeypatch, "explore", run=str(run_id), direction="down", degree="-14", rendering="plain")
    assert not page.exception
    assert page.slider[0].value == -14.0
    assert "Difference to the reconstruction" in text_of(page) and "flipped" in text_of(page)
    next(box for box in page.selectbox if box.label == "Rendering").set_value("detail transfer").run()
    assert "Difference to the reconstruction" not in text_of(page)
    page.slider[0].set_value(2.0).run()
    assert ">flipped<" not in text_of(page)
    monkeypatch.setattr("pages.parts.explore_view.FRAME_SECONDS", 0.0)
    next(button for button in page.button if button.label == "Play").click().run()
    assert not page.exception and text_of(page).count("<b>Counterfactual</b>") == 1
    next(area for area in page.text_area if area.label == "Note (Markdown)").set_value("nothing yet")
    next(button for button in page.button if button.label == "Keep").click().run()
    assert not page.exception
    entry = list_entries(workspace)[0]
    assert (entry.title, entry.note, entry.page) == ("down, degree +2", "nothing yet", "explore")
    assert entry.query["direction"] == "down" and entry.query["degree"] == "2.0" and entry.query["run"] == str(run_id)
    assert (picture(workspace, entry.id) or b"").startswith(b"\x89PNG")
    assert "down, degree +2" in text_of(page)


def test_directions_and_images_are_buttons(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(workspace)
    page = app(monkeypatch, "explore")
    names = {button.key: button for button in page.button if button.key}
    assert "direction-0" in names and "direction-1" not in names
    page.checkbox[0].check().run()
    names = {button.key: button for button in page.button if button.key}
    names["direction-1"].click().run()
    assert page.query_params["direction"] == "down"
    thumbs = [button for button in page.button if (button.key or "").startswith("thumb-")]
    assert len(thumbs) == 9
    thumbs[3].click().run()
    assert page.query_params["image"] == str(thumbs[3].key).removeprefix("thumb-")
    assert not page.exception


def test_a_filter_without_images_is_no_error(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(workspace)
    page = app(monkeypatch, "explore")
    splits = next(box for box in page.selectbox if box.label == "Split")
    predicted = next(box for box in page.selectbox if box.label == "Predicted class")
    splits.set_value("val")
    predicted.set_value("Bright").run()
    assert not page.exception and "No image here" in text_of(page)
