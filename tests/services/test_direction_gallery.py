"""The gallery of directions: each tile is what the viewer shows for that direction alone, pixel by pixel."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from cfcore.rendering import RENDERINGS
from services.direction_gallery import moved_directions
from services.explore import explore
from services.paths import scene
from services.pictures import gray8
from services.workspace import Workspace
from tests.services import shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained


def pixels(url: str) -> np.ndarray:
    assert url.startswith("data:image/png;base64,")
    return np.asarray(Pillow.open(io.BytesIO(base64.b64decode(url.split(",")[1]))))


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    shift_engine.known(monkeypatch)
    run_id = explained(workspace, shift_engine.scene(workspace, images=2, shape=(48, 36)))
    return run_id, an_image(workspace, run_id).id


@pytest.mark.parametrize("rendering", [name for name in RENDERINGS if name != "warped transfer"])
def test_a_tile_is_the_view_of_its_direction(workspace: Workspace, run: tuple[int, int], rendering: str) -> None:
    found = moved_directions(scene(workspace, *run, rendering), ["down", "up"], 7.0)  # type: ignore[arg-type]
    assert [tile.direction for tile in found.directions] == ["down", "up"] and not found.already
    for tile in found.directions:
        view = explore(workspace, *run, tile.direction, 7.0, rendering)  # type: ignore[arg-type]
        off = np.abs(pixels(tile.after).astype(int) - gray8(view.counterfactual))
        assert off.max() <= 1 and (off > 0).mean() < 0.01
        assert tile.probability == pytest.approx(view.p_counterfactual, abs=1e-5) and tile.flipped == view.flipped
        assert pixels(tile.change).shape == (*view.counterfactual.shape, 3)
    assert found.p_before == pytest.approx(view.p_source, abs=0.02)
    assert [tile.flipped for tile in found.directions] == [False, True]


def test_a_large_image_is_averaged_and_all_differences_have_one_scale(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift_engine.known(monkeypatch)
    run_id = explained(workspace, shift_engine.scene(workspace, images=2, shape=(600, 520)))
    image = an_image(workspace, run_id).id
    found = moved_directions(scene(workspace, run_id, image, "detail transfer"), ["up", "down"], 4.0)
    assert pixels(found.before).shape == (200, 173) and found.limit >= 0.05
    strongest = pixels(found.directions[0].change)[100, 80]
    assert strongest[0] > strongest[2], "brighter is red"


def test_what_cannot_be_is_said(workspace: Workspace, run: tuple[int, int]) -> None:
    here = scene(workspace, *run, "plain")
    with pytest.raises(ValueError, match="no direction 'sideways' of this run; there are down, up"):
        moved_directions(here, ["up", "sideways"], 1.0)
    with pytest.raises(ValueError, match="0 directions at once: ask for 1 to 64"):
        moved_directions(here, [], 1.0)
    with pytest.raises(ValueError, match="degree 99 is outside -20 to 20"):
        moved_directions(here, ["up"], 99.0)
