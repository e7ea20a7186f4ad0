"""Starting, following and looking at runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.encode import decode_png
from db.models import Counterfactual, Image, Model, Run
from services.gallery import gallery, grid, losses, pair_picture
from services.images import from_unit, read_pixels, to_unit
from services.runs import (
    RunRefused,
    cancel_run,
    engine_folder,
    list_runs,
    resume_run,
    run_view,
    start_run,
    training_folder,
)
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace, sha256
from tests.services import shift_engine

OK = shift_engine.settings()


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def finish(workspace: Workspace, run_id: int) -> None:
    holder = f"test {run_id}"
    assert lease.take(workspace, holder)
    run = queue.next_run(workspace, holder)
    assert run is not None and run.id == run_id
    do(workspace, run, holder, threading.Event())
    lease.release(workspace, holder)


def explained(workspace: Workspace, scene: dict[str, int], **settings: Any) -> int:
    run_id = start_run(workspace, "explain", "r", OK | settings, 0, scene["dataset"], scene["classifier"])
    finish(workspace, run_id)
    return run_id


def rows(workspace: Workspace, run_id: int) -> list[Counterfactual]:
    with workspace.session() as session:
        query = sa.select(Counterfactual).where(Counterfactual.run_id == run_id).order_by(Counterfactual.id)
        return list(session.scalars(query))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": ""}, "needs a engine"),
        ({"engine": "shaft"}, "no engine 'shaft'; known are"),
        ({"target": ""}, "needs a target"),
        ({"target": "Green"}, "Brightness knows no class 'Green'; it knows Dark, Bright"),
        ({"target": "Dark"}, "the images are Dark already"),
        ({"images": {"split": "tset", "predicted": "Dark"}}, "squares has no images in the split 'tset' to explain"),
        ({"fit_split": "train"}, "no images in the split 'train' to rank directions on"),
        ({"images": {"n": 0}}, "the number of images to explain is 0; choose 1 to 5000"),
        ({"fit_n": 9999}, "rank directions on is 9999"),
        ({"rendering": "sharp"}, "no rendering 'sharp'; choose one of: detail transfer, warped transfer, plain"),
        ({"config": {"scan": 3}}, "Brightness shift has no setting 'scan'; it has degree, pause"),
        ({"config": {"degree": -1}}, "Brightness shift: degree must be positive, not -1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(workspace: Workspace, settings: dict[str, Any], message: str) -> None:
    scene = shift_engine.scene(workspace)
    with pytest.raises(ValueError, match=message):
        start_run(workspace, "explain", "r", OK | settings, 0, scene["dataset"], scene["classifier"])
    assert list_runs(workspace) == []


def test_missing_or_mismatched_parts_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = shift_engine.scene(workspace)
    dataset, classifier = scene["dataset"], scene["classifier"]
    with workspace.session() as session:
        other = Model(name="Other", kind="classifier", path="x", sha256="1", card={})
        session.add(other)
        session.flush()
        stranger = Model(name="Stranger", kind="stylex", path="y", sha256="2", card={}, classifier_id=other.id)
        session.add(stranger)
        session.flush()
        stranger_id = stranger.id

    def refused(message: str, kind: str = "explain", name: str = "r", *ids: int | None) -> None:
        with pytest.raises(RunRefused, match=message):
            start_run(workspace, kind, name, OK, 0, *ids)

    refused("no run of kind 'dance'", "dance", "r", dataset)
    refused("needs a name", "explain", "  ", dataset, classifier)
    refused("needs a data set", "explain", "r", None, classifier)
    refused("needs a data set", "explain", "r", 99, classifier)
    refused("choose one", "explain", "r", dataset, None)
    refused("no model 99 any more", "explain", "r", dataset, 99)
    refused("Stranger is a stylex, not a classifier", "explain", "r", dataset, stranger_id)
    refused("trained against a classifier", "train stylex", "r", dataset, None)
    monkeypatch.setattr(shift_engine.Shift, "generator_kind", "stylex")
    refused("needs a trained StylEx generator", "explain", "r", dataset, classifier)
    refused("trained against another classifier than Brightness", "explain", "r", dataset, classifier, stranger_id)


def test_a_run_stores_what_it_found_and_what_repeats_it(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace)
    run_id = explained(workspace, scene)
    view = run_view(workspace, run_id)
    assert (view.state, view.progress, view.message) == ("done", 1.0, "Done.")
    assert view.dataset == "squares" and view.classifier == "Brightness" and view.generator is None
    assert view.seconds is not None and view.seconds > 0 and "torch" in view.versions
    assert [(d.rank, d.name, d.kept) for d in view.directions] == [(1, "up", True), (2, "down", False)]
    found = rows(workspace, run_id)
    ids = [row.image_id for row in found]
    with workspace.session() as session:
        images = {image.id: image for image in session.scalars(sa.select(Image).where(Image.id.in_(ids)))}
        val = set(session.scalars(sa.select(Image.id).where(Image.split == "val")))
    assert len(ids) == len(set(ids)) == 12
    assert all(image.split == "test" and image.look == "not needed" for image in images.values())
    assert all("Dark" in image.labels for image in images.values())
    assert view.inputs["images"] == {str(i): images[i].sha256 for i in ids}
    assert set(map(int, view.inputs["fit_images"])) <= val and len(view.inputs["fit_images"]) == 4
    assert view.inputs["classifier"] == "0" * 64
    for row in found:
        assert row.p_source < 0.5 < row.p_counterfactual and row.flipped and row.flipped_plain
        # What the bars beside a tall image leave of a shift by 0.05 d: the mean must rise to 0.5.
        source = to_unit(read_pixels(workspace, images[row.image_id]), images[row.image_id]).mean() * 12 / 16
        least = (0.5 - source) / 0.05
        assert row.least_degree is not None and -1e-3 < row.least_degree - least < 0.01 + 1e-3
    expected = {"n": 12, "fit_n": 4, "explained": 1.0, "explained_plain": 1.0, "mean_tried": 1.0}
    assert expected.items() <= view.result.items() and view.result["search_seconds"] > 0
    again = explained(workspace, scene)
    assert [row.image_id for row in rows(workspace, again)] == ids
    for one, two in zip(found, rows(workspace, again), strict=True):
        assert one.file_key and two.file_key
        assert sha256(workspace.get(one.file_key)) == sha256(workspace.get(two.file_key))
    other = explained(workspace, scene, images={"split": "test", "n": 12, "seed": 2})
    assert [row.image_id for row in rows(workspace, other)] != ids


@pytest.mark.parametrize("rendering", ["detail transfer", "plain"])
def test_sixteen_bits_stay_sixteen_bits(workspace: Workspace, rendering: str) -> None:
    scene = shift_engine.scene(workspace, images=2, max_value=4095)
    run_id = explained(workspace, scene, rendering=rendering, config={"degree": 9.0})
    for row in rows(workspace, run_id):
        assert row.file_key is not None and row.rendering == rendering
        moved = decode_png(workspace.get(row.file_key))
        with workspace.session() as session:
            image = session.get_one(Image, row.image_id)
        source = read_pixels(workspace, image)
        assert moved.dtype == np.uint16
        if rendering == "detail transfer":
            # The bars at the sides darken the columns at the edge; the columns in the middle move by exactly 0.45.
            assert moved.shape == source.shape
            change = moved[:, 3:-3].astype(int) - source[:, 3:-3].astype(int)
            assert np.all(np.abs(change - 0.45 * 4095) <= 1)
        else:
            assert moved.shape == shift_engine.SIZE and len(np.unique(moved)) > 20
            assert np.array_equal(from_unit(to_unit(moved, image), image), moved)


def test_gallery_filters_and_pages(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace, images=5)
    run_id = explained(workspace, scene, images={"split": "test", "n": 5, "seed": 0, "predicted": "Dark"})
    first = gallery(workspace, run_id, page_size=3)
    second = gallery(workspace, run_id, page=1, page_size=3)
    beyond = gallery(workspace, run_id, page=9, page_size=3)
    assert (len(first.pairs), first.first, first.total) == (3, 0, 5)
    assert (len(second.pairs), second.first) == (2, 3)
    assert [p.image_id for p in beyond.pairs] == [p.image_id for p in second.pairs]
    assert gallery(workspace, run_id, direction="up").total == 5
    assert gallery(workspace, run_id, direction="down").total == 0
    assert gallery(workspace, run_id, flipped=False).total == 0
    pair = first.pairs[0]
    assert pair.direction == "up" and pair.original.startswith(b"\x89PNG") and pair.original != pair.counterfactual
    assert (pair_picture(workspace, run_id, pair.image_id) or b"").startswith(b"\x89PNG")
    assert pair_picture(workspace, run_id, 10_000) is None
    plain = explained(workspace, scene, rendering="plain")
    assert len(gallery(workspace, plain).pairs) == 5 and pair_picture(workspace, plain, pair.image_id) is None


def test_no_image_of_that_class_fails_with_a_way_out(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace)
    with workspace.session() as session:
        bright = session.scalars(sa.select(Image).where(Image.labels == ["Bright"])).one()
        bright.split = "train"
    run_id = explained(workspace, scene, fit_split="train")
    view = run_view(workspace, run_id)
    assert view.state == "failed"
    assert (
        "the split 'train' has 1 patients and the classifier calls none of them Dark"
        in view.message.lower().replace("dark", "Dark")
    )


def test_only_an_ended_run_is_resumed_and_a_waiting_one_cancelled_at_once(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace)
    run_id = start_run(workspace, "explain", "r", OK, 0, scene["dataset"], scene["classifier"])
    with pytest.raises(RunRefused, match="is queued"):
        resume_run(workspace, run_id, "me")
    cancel_run(workspace, run_id, "me")
    assert run_view(workspace, run_id).state == "cancelled"
    resume_run(workspace, run_id, "me")
    assert run_view(workspace, run_id).state == "queued"
    finish(workspace, run_id)
    cancel_run(workspace, run_id, "me")
    assert run_view(workspace, run_id).state == "done"
    with pytest.raises(RunRefused, match="is gone"):
        resume_run(workspace, 99, "me")
    with pytest.raises(RunRefused, match="there is no run 99"):
        run_view(workspace, 99)


def test_images_replaced_since_the_start_end_a_resume(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace)
    run_id = explained(workspace, scene)
    with workspace.session() as session:
        run = session.get_one(Run, run_id)
        run.state = "cancelled"
        session.get_one(Image, int(next(iter(run.inputs["images"])))).sha256 = "f" * 64
    resume_run(workspace, run_id, "me")
    finish(workspace, run_id)
    view = run_view(workspace, run_id)
    assert view.state == "failed" and "removed or replaced" in view.message


def test_losses_and_grid_show_while_a_training_runs(workspace: Workspace, tmp_path: Path) -> None:
    scene = shift_engine.scene(workspace)
    run_id = start_run(workspace, "train classifier", "t", {"positive": "Bright"}, 0, scene["dataset"])
    assert losses(workspace, run_view(workspace, run_id)) == []
    assert grid(workspace, run_view(workspace, run_id)) is None
    folder = training_folder(workspace, run_id)
    folder.mkdir(parents=True)
    (folder / "losses.jsonl").write_text('{"iteration": 20, "loss": 0.5}\n{"iteration": 40, "lo')
    (folder / "grid.png").write_bytes(b"picture")
    view = run_view(workspace, run_id)
    assert losses(workspace, view) == [{"iteration": 20, "loss": 0.5}] and grid(workspace, view) == b"picture"
    key = workspace.put(b"last", ".png")
    with workspace.session() as session:
        session.get_one(Run, run_id).result = {"losses": [{"iteration": 60, "loss": 0.1}], "grid": key}
    view = run_view(workspace, run_id)
    assert losses(workspace, view)[0]["iteration"] == 60 and grid(workspace, view) == b"last"
    assert not engine_folder(workspace, run_id).exists()
