"""Explore: what is shown is what the engine says, and where the mind changes is where it changes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image as Pillow

from db.models import Counterfactual, Image, Run
from services.explore import NothingToExplore, explorable_runs, explore, open_engine, thumbnail
from services.explore_images import image_choices
from services.images import read_pixels, to_unit
from services.pictures import difference_limit, difference_rgb, gray8, gray_png, thumbnail_png, triptych_png
from services.runs import start_run
from services.workspace import Workspace
from tests.services import shift_engine
from tests.services.test_runs import explained, rows


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


def an_image(workspace: Workspace, run_id: int) -> Image:
    with workspace.session() as session:
        query = sa.select(Image).join(Counterfactual, Counterfactual.image_id == Image.id)
        image = session.scalars(query.where(Counterfactual.run_id == run_id)).first()
    assert image is not None
    return image


def test_a_view_shows_the_image_moved_by_the_degree(workspace: Workspace) -> None:
    run_id = explained(workspace, shift_engine.scene(workspace, images=2))
    image = an_image(workspace, run_id)
    source = to_unit(read_pixels(workspace, image), image)
    for degree, flipped in ((0.0, False), (4.0, False), (14.0, True), (-4.0, False)):
        view = explore(workspace, run_id, image.id, "up", degree, "detail transfer")
        assert view.original.shape == view.counterfactual.shape == (16, 12)
        assert np.array_equal(view.original, source)
        middle = (slice(None), slice(3, -3))
        assert np.allclose(view.counterfactual[middle], np.clip(source + 0.05 * degree, 0, 1)[middle], atol=1e-6)
        assert view.flipped is flipped and (view.p_counterfactual > 0.5) is flipped
        assert view.p_reconstruction == pytest.approx(view.p_source, abs=1e-6)
    one = explore(workspace, run_id, image.id, "down", 5.0, "detail transfer")
    two = explore(workspace, run_id, image.id, "up", -5.0, "detail transfer")
    assert np.array_equal(one.counterfactual, two.counterfactual)
    plain = explore(workspace, run_id, image.id, "up", 4.0, "plain")
    assert plain.original.shape == plain.counterfactual.shape == shift_engine.SIZE
    with pytest.raises(ValueError, match="no direction 'sideways'"):
        explore(workspace, run_id, image.id, "sideways", 1.0, "plain")


def test_engines_stay_open_until_they_are_written_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = explained(workspace, shift_engine.scene(workspace, images=2))
    opened = open_engine(workspace, run_id)
    assert (opened.target, opened.target_name) == (1, "Bright")
    assert [d.name for d in opened.directions] == ["up", "down"]
    with monkeypatch.context() as patch:
        patch.setattr(shift_engine.Shift, "load", lambda *_, **__: pytest.fail("read twice"))
        assert open_engine(workspace, run_id) is opened


def test_runs_without_an_engine_say_what_to_do(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace)
    waiting = start_run(workspace, "explain", "r", shift_engine.settings(), 0, scene["dataset"], scene["classifier"])
    for run_id in (waiting, 99):
        with pytest.raises(NothingToExplore, match="has not fitted its engine yet"):
            open_engine(workspace, run_id)
        with pytest.raises(NothingToExplore, match="has not fitted its engine yet"):
            image_choices(workspace, run_id)
    assert explorable_runs(workspace) == []


def test_image_choices_begin_with_explained_ones_and_hide_what_nobody_may_see(workspace: Workspace) -> None:
    scene = shift_engine.scene(workspace, images=6)
    run_id = explained(workspace, scene, images={"split": "test", "n": 3, "seed": 1, "predicted": "Dark"})
    found = image_choices(workspace, run_id)
    choices = found.images
    explained_ids = {row.image_id for row in rows(workspace, run_id)}
    assert found.total == len(choices) == 13 and {c.id for c in choices[:3]} == explained_ids
    with workspace.session() as session:
        first = session.scalars(sa.select(Counterfactual).where(Counterfactual.image_id == choices[0].id)).one()
        first.flipped = False
    assert [c.id for c in image_choices(workspace, run_id).images[:3]] == [choices[i].id for i in (1, 2, 0)]
    assert all((c.p_source > 0.5) == ("Bright" in c.labels) for c in choices)
    val = image_choices(workspace, run_id, split="val")
    assert val.total == 6 and {c.split for c in val.images} == {"val"}
    assert len(image_choices(workspace, run_id, predicted="Dark").images) == 12
    bright = image_choices(workspace, run_id, predicted="Bright")
    assert [c.labels for c in bright.images] == [("Bright",)] and bright.total == 13
    assert len(image_choices(workspace, run_id, limit=4).images) == 4
    with workspace.session() as session:
        waiting = session.scalars(sa.select(Image).where(Image.look == "waiting")).one()
        run = session.get_one(Run, run_id)
    assert waiting.id not in {c.id for c in choices} and run.dataset_id == scene["dataset"]
    with pytest.raises(NothingToExplore, match="waits for a person's look"):
        thumbnail(workspace, waiting.id)
    assert thumbnail(workspace, choices[0].id).startswith(b"\x89PNG")


def test_pictures_are_exact_and_differences_are_blue_white_red() -> None:
    unit = np.array([[0.0, 0.5], [1.0, 0.25]], dtype=np.float32)
    assert gray8(unit).tolist() == [[0, 128], [255, 64]]
    change = np.array([[-0.4, 0.0, 0.4]], dtype=np.float32)
    low, middle, high = difference_rgb(change, 0.4)[0].tolist()
    assert middle == [255, 255, 255] and low[2] > low[0] and high[0] > high[2]
    assert difference_limit(np.zeros((4, 4), np.float32)) == 0.05
    assert difference_limit(change) == pytest.approx(0.4, abs=0.01)

    def size(data: bytes) -> tuple[int, int]:
        return Pillow.open(io.BytesIO(data)).size

    assert size(gray_png(unit, 512)) == (512, 512)
    big = np.asarray(Pillow.open(io.BytesIO(gray_png(unit, 512))))
    assert np.array_equal(big[::256, ::256], gray8(unit)) and len(np.unique(big)) == 4
    assert size(gray_png(np.zeros((600, 500), np.float32), 512)) == (500, 600)
    assert size(gray_png(np.zeros((2000, 1600), np.float32), 512)) == (534, 667)
    assert size(thumbnail_png(np.zeros((600, 300), np.float32), 96)) == (48, 96)
    # Three panels of 2 pixels with gaps of 1, each pixel repeated 12 times.
    assert size(triptych_png(unit, 1 - unit, 32)) == (8 * 12, 2 * 12)
