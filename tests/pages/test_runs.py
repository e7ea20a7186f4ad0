"""The Runs page: start, follow, cancel, resume, and look at what came out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from cfcore.engines.catalogue import METHODS
from cfcore.generators.registry import GENERATORS
from cfcore.wording import with_article
from db.models import Image, Model, Run, now
from services.models import list_models
from services.notebook import list_entries
from services.run_kinds import RUN_KINDS, generator_trained
from services.runs import list_runs, run_view
from services.worker import lease
from services.workspace import Workspace
from tests.pages.shift_app import add_generator, app, run_of, text_of, work
from tests.services import shift_engine


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def press(page: AppTest, label: str) -> AppTest:
    """Press the first button with this label and run."""
    found = [button for button in page.button if button.label == label]
    assert found, f"no button {label!r} among {[button.label for button in page.button]}"
    return found[0].click().run()


def in_form(page: AppTest, kind: str, label: str, value: object = None) -> AppTest:
    """Set a widget of the "New run" dialog (press it, without a value) and run. AppTest has no fragment reruns: what
    opened the dialog must be pressed along."""
    next(button for button in page.button if button.label == "New run").click()
    element = next(element for element in getattr(page, kind) if element.label == label)
    return (element.click() if kind == "button" else element.set_value(value)).run()


def method_of(page: AppTest) -> Any:
    return next(element for element in page.selectbox if element.label == "Method")


def test_an_empty_workspace_says_what_to_do(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    page = app(monkeypatch, "runs")
    assert not page.exception and "No run yet" in text_of(page)
    assert "A run needs a data set" in text_of(press(page, "New run"))


def test_cancel_and_resume(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace, done=False)
    page = app(monkeypatch, "runs")
    assert "waiting" in text_of(page)
    press(page, "Cancel")
    assert run_view(workspace, run_id).state == "cancelled" and "cancelled" in text_of(page)
    press(page, "Resume")
    assert run_view(workspace, run_id).state == "queued"
    work(workspace)
    assert "100 % of 4 images flipped" in text_of(page.run()) and not page.exception


def test_a_finished_run_shows_its_pairs_and_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace, images=11)
    page = app(monkeypatch, "runs", run=str(run_id))
    assert not page.exception
    said = text_of(page)
    assert "of 11 images flipped, as shown" in said and "1 to 9 of 11" in said and "from degree" in said
    press(page, "Next")
    assert "10 to 11 of 11" in text_of(page)
    page.segmented_control[0].set_value("did not flip").run()
    assert "No pairs" in text_of(page)
    press(page, "Keep")
    entry = list_entries(workspace)[0]
    assert (entry.title, entry.page, entry.query["run"]) == ("Brighter", "runs", str(run_id)) and entry.has_picture


def test_a_failed_run_says_why(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace, done=False)
    with workspace.session() as session:
        session.execute(sa.update(Run).values(state="failed", message="Not enough memory: choose fewer images."))
    page = app(monkeypatch, "runs", run=str(run_id))
    assert "Not enough memory" in text_of(page) and any(button.label == "Resume" for button in page.button)
    assert "This run does not exist" in text_of(app(monkeypatch, "runs", run="99"))


def test_a_running_run_shows_its_progress(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_of(workspace, done=False)
    with workspace.session() as session:
        session.execute(sa.update(Run).values(state="running", progress=0.4, message="searched 4 of 10 moves"))
    assert lease.take(workspace, "w")
    for page in (app(monkeypatch, "runs"), app(monkeypatch, "runs", run=str(run_id))):
        bars = page.get("progress")
        assert not page.exception and [bar.value for bar in bars] == [40] and bars[0].text == "searched 4 of 10 moves"
    assert "40 % after" not in text_of(page)
    with workspace.session() as session:
        session.execute(sa.update(Run).values(started_at=now() - timedelta(seconds=250)))
    assert "40 % after 4 min 1" in text_of(page.run())


def test_the_form_starts_what_it_says(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = shift_engine.scene(workspace)
    page = app(monkeypatch, "runs")
    press(page, "New run")
    free = next(name for name, method in METHODS.items() if method.generator_kind is None)
    assert method_of(page).value == free, "the first method that needs no generator, while there is none"
    in_form(page, "selectbox", "Method", "eigenfind")
    assert "No trained pair of classifier and generator" in text_of(page)
    assert "StylEx with EigenFind needs a StylEx generator" in text_of(page)
    assert "“Train a StylEx generator” above" in text_of(page)
    generator_id = add_generator(workspace, ids["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    assert method_of(page).value == "eigenfind"
    in_form(page, "text_input", "Name", "My search")
    in_form(page, "number_input", "scan", 12)
    in_form(page, "button", "Start")
    assert not page.exception
    run = list_runs(workspace)[0]
    assert (run.name, run.kind, run.state, run.engine) == ("My search", "explain", "queued", "eigenfind")
    assert (run.dataset_id, run.classifier_id, run.generator_id) == (ids["dataset"], ids["classifier"], generator_id)
    assert run.settings["target"] == "Bright" and run.settings["images"]["predicted"] == "Dark"
    assert run.settings["config"]["scan"] == 12 and run.settings["rendering"] == "detail transfer"
    assert "My search" in text_of(page)


def test_a_classifier_of_the_data_sets_labels_comes_first(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with workspace.session() as session:
        card = {"class_names": ["Healthy", "Lesion"]}
        session.add(Model(name="A brain", kind="classifier", path="none", sha256="2", card=card))
    ids = shift_engine.scene(workspace)
    add_generator(workspace, ids["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Method", "gradcam")
    box = next(box for box in page.selectbox if box.label == "Classifier")
    assert list(box.options) == ["Brightness", "A brain"] and "was not trained for" not in text_of(page)
    in_form(page, "selectbox", "Classifier", next(m for m in list_models(workspace) if m.name == "A brain"))
    assert not page.exception and "A brain was not trained for any label of" in text_of(page)


def test_short_cuts_and_refinement_are_off_unless_asked_for(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_generator(workspace, shift_engine.scene(workspace)["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    assert not {"race", "prerank", "refine, steps"} & {field.label for field in page.number_input}
    in_form(page, "toggle", "Short cuts and refinement", True)
    for label, value in (("race", 3.0), ("refine, steps", 30)):
        in_form(page, "number_input", label, value)
    in_form(page, "button", "Start")
    assert not page.exception
    config = list_runs(workspace)[0].settings["config"]
    assert (config["race"], config["refine"], config["prerank"], config["halving"]) == (3.0, 30, 0, 0)


def test_the_form_promises_no_more_images_than_there_are(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = shift_engine.scene(workspace)
    add_generator(workspace, ids["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    fields = {field.label: field for field in page.number_input}
    # Of 14 patients in the test split one waits for a look; the val split has 12.
    assert (fields["Images to explain"].value, fields["Images to explain"].max) == (13, 13)
    assert (fields["Images to rank directions on"].value, fields["Images to rank directions on"].max) == (12, 12)
    assert "one image of each patient in val that the classifier calls Dark, at most 12" in text_of(page)


def test_training_runs_start_and_show_losses(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.scene(workspace)
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "segmented_control", "What to do", "train classifier")
    in_form(page, "selectbox", "Positive label", "Bright")
    in_form(page, "button", "Start")
    run = list_runs(workspace)[0]
    assert (run.kind, run.name, run.settings["positive"]) == ("train classifier", "Bright, DenseNet-121", "Bright")
    losses = [{"iteration": float(i), "seconds": float(i), "cross_entropy": 1 / i} for i in range(1, 9)]
    with workspace.session() as session:
        row = session.get_one(Run, run.id)
        row.state, row.result = "done", {"losses": losses, "auc": 0.987}
    page = app(monkeypatch, "runs", run=str(run.id))
    assert not page.exception and "0.987" in text_of(page) and len(page.get("plotly_chart")) == 1


def test_several_labels_are_told_apart_by_a_network_that_can(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shift_engine.scene(workspace)
    with workspace.session() as session:
        session.scalars(sa.select(Image).where(Image.dataset_id == ids["dataset"])).all()[1].labels = ["Gray"]
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "segmented_control", "What to do", "train classifier")
    in_form(page, "segmented_control", "Tell apart", "Several labels")
    network = next(element for element in page.selectbox if element.label == "Network")
    assert network.options == ["ResNet-18", "ResNet-50"]
    in_form(page, "selectbox", "Pixels", 28)
    in_form(page, "button", "Start")
    run = list_runs(workspace)[0]
    assert set(run.settings["classes"]) == {"Bright", "Dark", "Gray"} and "positive" not in run.settings
    assert (run.settings["architecture"], run.settings["size"]) == ("resnet18", 28)
    with workspace.session() as session:
        row = session.get_one(Run, run.id)
        row.state, row.result = "done", {"losses": [], "accuracy": 0.986, "macro_auc": 0.999}
    assert "test accuracy 98.6 %" in text_of(app(monkeypatch, "runs"))
    said = text_of(app(monkeypatch, "runs", run=str(run.id)))
    assert "0.986" in said and "macro AUC on the test split" in said


def test_a_training_is_offered_with_classifiers_that_it_can_use(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shift_engine.scene(workspace)
    with workspace.session() as session:
        session.get_one(Model, ids["classifier"]).card = {"class_names": ["a", "b"], "architecture": "vgg16"}
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "segmented_control", "What to do", "train mirror")
    assert "does not average its last feature maps" in text_of(page)
    assert not any(button.label == "Start" for button in page.button)
    in_form(page, "segmented_control", "What to do", "train medxgan")
    assert "was not trained for any label" in text_of(page)
    assert any(button.label == "Start" for button in page.button)


def test_a_training_proposes_a_classifier_of_the_data_sets_labels(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shift_engine.scene(workspace)
    with workspace.session() as session:
        own = session.get_one(Model, ids["classifier"])
        session.add(
            Model(name="A digits", kind="classifier", path="none", sha256="0", card={"class_names": ["0", "1"]})
        )
        own.card = own.card | {"class_names": ["Dark", "Bright"]}
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "segmented_control", "What to do", "train vae")
    offered = next(element for element in page.selectbox if element.label == "Classifier to explain")
    assert offered.options == ["Brightness", "A digits"] and "was not trained for" not in text_of(page)


def test_an_explanation_towards_one_of_three_classes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = shift_engine.scene(workspace)
    add_generator(workspace, ids["classifier"])
    with workspace.session() as session:
        session.get_one(Model, ids["classifier"]).card = {"class_names": ["Dark", "Gray", "Bright"]}
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Target class", "Gray")
    predicted = next(element for element in page.selectbox if element.label == "Images that the classifier calls")
    assert predicted.options == ["Dark", "Bright"]
    in_form(page, "selectbox", "Images that the classifier calls", "Bright")
    in_form(page, "button", "Start")
    run = list_runs(workspace)[0]
    assert (run.settings["target"], run.settings["images"]["predicted"]) == ("Gray", "Bright")


def test_the_form_shows_a_refusal_in_words(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = shift_engine.scene(workspace)
    add_generator(workspace, ids["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    monkeypatch.setattr("pages.parts.run_form.start_run", refuse)
    in_form(page, "button", "Start")
    assert [error.value for error in page.error] == ["Scan is too large."]
    assert list_runs(workspace) == []


def refuse(*_: object, **__: object) -> int:
    raise ValueError("scan is too large")


def test_the_form_offers_each_method_with_its_own_settings(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shift_engine.scene(workspace)
    add_generator(workspace, ids["classifier"])
    page = app(monkeypatch, "runs")
    press(page, "New run")
    assert any(field.label == "scan" for field in page.number_input)
    in_form(page, "selectbox", "Method", "attfind")
    assert not any(field.label == "scan" for field in page.number_input)
    in_form(page, "number_input", "verified, %", 10.0)
    in_form(page, "selectbox", "selection", "subset")
    in_form(page, "button", "Start")
    assert not page.exception
    run = list_runs(workspace)[0]
    assert (run.name, run.engine, run.state) == ("AttFind, Bright", "attfind", "queued")
    assert run.settings["config"] == {"k": 10, "degree": 1.0, "selection": "subset", "verified": 0.1}
    assert "StylEx with AttFind" in text_of(page)


def test_a_method_that_the_pages_do_not_know_is_offered_run_and_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding a method is an entry in registry and catalogue: no page knows the test method by name."""
    ids = shift_engine.scene(workspace)
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "selectbox", "Method", "shift")
    assert "Adds the same to every pixel." in text_of(page)
    fields = {field.label: field for field in page.number_input}
    degree = fields["brightness, steps"]
    assert (degree.value, degree.min, degree.max, degree.help) == (10.0, 0.5, 20.0, "0.05 of white each.")
    assert fields["pause"].value == 0.0 and not any(box.label == "Generator" for box in page.selectbox)
    in_form(page, "number_input", "brightness, steps", 8.0)
    in_form(page, "button", "Start")
    assert not page.exception
    run = list_runs(workspace)[0]
    assert (run.name, run.engine, run.generator_id) == ("Shift, Bright", "shift", None)
    assert run.settings["config"] == {"degree": 8.0, "pause": 0.0} and run.dataset_id == ids["dataset"]
    work(workspace)
    page = app(monkeypatch, "runs", run=str(run.id))
    assert not page.exception and "Brightness shift" in text_of(page) and "flipped, as shown" in text_of(page)


def test_every_method_of_the_catalogue_starts_with_what_its_form_proposes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = shift_engine.scene(workspace)
    for kind in GENERATORS:
        add_generator(workspace, ids["classifier"], kind)
    page = app(monkeypatch, "runs")
    for name, method in METHODS.items():
        press(page, "New run")
        in_form(page, "selectbox", "Method", name)
        in_form(page, "button", "Start")
        assert not page.exception and not page.error, name
        run = list_runs(workspace)[0]
        assert (run.name, run.engine) == (f"{method.short}, Bright", name)
        assert run.settings["config"] == {one.name: one.value for one in method.settings() if not one.group}


@pytest.mark.parametrize("kind", [kind for kind in RUN_KINDS if generator_trained(kind)])
def test_every_generator_can_be_trained_from_the_form(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ids = shift_engine.scene(workspace)
    page = app(monkeypatch, "runs")
    press(page, "New run")
    in_form(page, "segmented_control", "What to do", kind)
    in_form(page, "number_input", "Iterations", 20)
    in_form(page, "button", "Start")
    assert not page.exception
    run, generator = list_runs(workspace)[0], GENERATORS[generator_trained(kind) or ""]
    assert (run.kind, run.name, run.classifier_id) == (kind, f"Brightness, {generator.title}", ids["classifier"])
    assert run.settings == generator.choices(iterations=20).settings()  # type: ignore[call-arg]
    assert f"Train {with_article(generator.title)} generator" in text_of(page)


def test_runs_of_one_method_are_told_apart_by_what_was_chosen(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = run_of(workspace, images=2)

    def asked(config: dict[str, Any]) -> tuple[str, list[str]]:
        with workspace.session() as session:
            run = session.get_one(Run, run_id)
            run.engine, run.settings = "eigenfind", run.settings | {"config": config}
            session.commit()
        page = app(monkeypatch, "explore", run=str(run_id))
        choice = next(box for box in page.selectbox if box.label == "Method and run")
        return text_of(app(monkeypatch, "runs", run=str(run_id))), choice.options

    said, options = asked({})
    assert "StylEx with EigenFind" in said and "basis" not in said and options == [f"Brighter (run {run_id})"]
    said, options = asked({"basis": "balanced", "scan": 12})
    assert "StylEx with EigenFind, basis balanced ·" in said
    assert options == [f"Brighter (run {run_id}, balanced)"]
