"""The Explore page: what is chosen is shown, what is shown can be kept, and an empty workspace says what to do."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from db.models import Image
from pages.parts.explore_view import title_of
from services.explore import open_engine
from services.models import list_models
from services.notebook import list_entries, picture
from services.overlay import SEARCH
from services.workspace import Workspace
from tests.pages.shift_app import add_generator, app, run_of, text_of
from tests.services import mirror_run, shift_engine


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def test_without_a_run_the_page_says_what_to_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "explore")
    assert not page.exception and "Nothing to explore yet" in text_of(page)
    run_of(workspace, done=False)
    assert "“Brighter” is 0 % done" in text_of(page.run())


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the page tells the viewer, which only a browser can run."""
    found: dict[str, Any] = {}
    monkeypatch.setattr("pages.parts.explore_view.explorer", lambda data, *_, **__: found.update(data))
    return found


def test_the_address_chooses_and_the_view_is_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    run_id = run_of(workspace)
    page = app(monkeypatch, "explore", run=str(run_id), direction="down", degree="-14", rendering="plain")
    assert not page.exception
    assert told["start"] == {"direction": "down", "degree": -14.0, "moves": {}, "view": "one"}
    assert (told["rendering"], told["target"], told["low"], told["high"]) == ("plain", "Bright", -20.0, 20.0)
    assert [(d["name"], d["kept"]) for d in told["directions"]] == [("up", True), ("down", False)]
    assert told["directions"][0]["about"].startswith("Alone it flips 100 %")
    titles = ["Grad-CAM", "Integrated gradients", "LIG, as published", "LIG-path", "medXGAN difference"]
    assert [one["title"] for one in told["maps"]] == titles
    assert [bool(one["missing"]) for one in told["maps"]] == [False, False, True, True, True]
    words = "No medXGAN generator was trained with Brightness: train one on the Runs page"
    assert told["maps"][-1]["missing"].startswith(words)
    assert [bool(one["missing"]) for one in told["maps"][1]["baselines"]] == [False, False, False, True]
    next(box for box in page.selectbox if box.label == "Rendering").set_value("detail transfer").run()
    assert told["rendering"] == "detail transfer" and page.query_params["rendering"] == "detail transfer"
    next(area for area in page.text_area if area.label == "Note (Markdown)").set_value("nothing yet")
    next(button for button in page.button if button.label == "Keep").click().run()
    assert not page.exception
    entry = list_entries(workspace)[0]
    assert (entry.title, entry.note, entry.page) == ("down, degree −14", "nothing yet", "explore")
    assert entry.query["direction"] == "down" and entry.query["degree"] == "-14.0" and entry.query["run"] == str(run_id)
    kept = np.asarray(Pillow.open(io.BytesIO(picture(workspace, entry.id) or b"")).convert("L"))
    assert kept[:, : kept.shape[1] // 4].mean() < 80 < 160 < kept[:, kept.shape[1] // 3 : kept.shape[1] // 2].mean()
    assert "down, degree −14" in text_of(page)


def test_a_generator_of_the_classifier_brings_its_maps(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    run_of(workspace)
    add_generator(workspace, list_models(workspace, "classifier")[0].id, "medxgan")
    page = app(monkeypatch, "explore")
    assert not page.exception and not any(one["missing"] for one in told["maps"])
    assert "through Shapes, medxgan" in told["maps"][-1]["about"]
    assert told["maps"][1]["baselines"][-1] == {
        "key": "ig realisation",
        "title": "Drawn as Bright",
        "missing": "",
        "wait": SEARCH,
    }
    assert [one["wait"] for one in told["maps"]] == ["", "", SEARCH, SEARCH, SEARCH]


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ({"degree": "inf", "direction": "up", "moves": "{"}, {"direction": "up", "degree": 10.0, "moves": {}}),
        ({"degree": "99", "direction": "gone", "moves": "[1]"}, {"direction": "up", "degree": 20.0, "moves": {}}),
        (
            {"direction": "down", "view": "directions"},
            {"direction": "down", "degree": 10.0, "moves": {}, "view": "directions"},
        ),
        (
            {"degree": "-3", "direction": "up", "moves": '{"down": 99, "up": 2, "gone": 1}', "view": "gallery"},
            {"direction": "up", "degree": -3.0, "moves": {"down": 20.0}, "view": "gallery"},
        ),
    ],
)
def test_any_address_gives_a_view(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, Any],
    query: dict[str, str],
    start: dict[str, Any],
) -> None:
    run_of(workspace)
    page = app(monkeypatch, "explore", **query)
    assert not page.exception and told["start"] == {"view": "one", **start}


def test_images_are_buttons(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    run_of(workspace)
    page = app(monkeypatch, "explore")
    thumbs = [button for button in page.button if (button.key or "").startswith("thumb-")]
    assert len(thumbs) == 9 and told["images"] == [int(str(t.key).removeprefix("thumb-")) for t in thumbs]
    thumbs[3].click().run()
    assert page.query_params["image"] == str(thumbs[3].key).removeprefix("thumb-") == str(told["image"])
    assert not page.exception


def test_a_filter_without_images_is_no_error(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_of(workspace)
    page = app(monkeypatch, "explore")
    splits = next(box for box in page.selectbox if box.label == "Split")
    predicted = next(box for box in page.selectbox if box.label == "Predicted class")
    splits.set_value("val")
    predicted.set_value("Bright").run()
    assert not page.exception and "No image here" in text_of(page)


def test_errors_of_the_classifier_are_a_filter(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    run_of(workspace)
    with workspace.session() as session:
        images = session.scalars(sa.select(Image).order_by(Image.id)).all()
        wrong, bright = images[2], images[0]
        wrong.labels = ["Bright"]

    def filtered(case: str, predicted: str = "Any class") -> AppTest:
        page = app(monkeypatch, "explore")
        next(box for box in page.selectbox if box.label == "Predicted class").set_value(predicted)
        box = next(box for box in page.selectbox if box.label == "Right or wrong")
        assert box.options == ["Right or wrong", "Classifier is right", "Classifier is wrong"]
        box.set_value(case).run()
        assert not page.exception
        return page

    page = filtered("error")
    assert told["images"] == [wrong.id] and told["image"] == wrong.id
    (thumb,) = [button for button in page.button if (button.key or "").startswith("thumb-")]
    assert thumb.help.endswith("the classifier is wrong")
    filtered("correct")
    assert wrong.id not in told["images"] and len(told["images"]) == 8
    assert "No image here" in text_of(filtered("error", "Bright"))
    with workspace.session() as session:
        for image in (wrong, bright):
            session.get_one(Image, image.id).labels = ["Dark"]
    page = app(monkeypatch, "explore")
    assert not any(box.label == "Right or wrong" for box in page.selectbox), "no label names the positive class"
    assert not page.exception and len(told["images"]) == 9


def test_a_one_way_run_keeps_one_measure_of_an_address_with_two(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    mirror_run.install(monkeypatch)
    run, _, _ = mirror_run.mirror_run(workspace)
    query = {"run": str(run), "direction": "confidence", "degree": "0.7", "moves": '{"mirror": 0.4}'}
    page = app(monkeypatch, "explore", **query)
    assert not page.exception and told["one_way"] is True
    assert told["start"] == {"direction": "confidence", "degree": 0.7, "moves": {}, "view": "one"}
    assert {d["name"]: d["wanted"] for d in told["directions"]} == {"mirror": False, "confidence": True}


def test_what_is_kept_of_a_wanted_probability_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror_run.install(monkeypatch)
    opened = open_engine(workspace, mirror_run.mirror_run(workspace)[0])
    start = {"degree": 0.7, "moves": {}}
    assert title_of(start | {"direction": "confidence"}, opened) == "confidence, 70 % bright wanted"
    assert title_of(start | {"direction": "mirror"}, opened) == "mirror, degree +0.7"
