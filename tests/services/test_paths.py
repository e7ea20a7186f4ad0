"""What the browser draws from is what the engine shows; effects, least changes, gallery and films say the same."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from PIL import ImageSequence

from cfcore.engines.transfer.additive import upsample
from services import animation
from services.animation import ExportRefused, export, film
from services.explore import NothingToExplore, explore
from services.images import crop_back
from services.mixing import boundary_along, effects, least_changes
from services.move_gallery import moved_images
from services.paths import (
    RECORD,
    _weights,
    along,
    block_means,
    frames_at,
    moves_of,
    one_frame,
    picture_at,
    records,
    scene,
)
from services.workspace import Workspace
from tests.services import shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained, rows


@pytest.fixture(autouse=True)
def known_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)


@pytest.fixture
def moved(workspace: Workspace) -> tuple[Workspace, int, int]:
    # Square: the sum of two pictures' changes is that of one move only where neither is clamped, as in black bars.
    run_id = explained(workspace, shift_engine.scene(workspace, images=3, shape=(48, 48)))
    return workspace, run_id, an_image(workspace, run_id).id


@pytest.mark.parametrize("rendering", ["detail transfer", "warped transfer", "plain"])
def test_every_frame_is_the_view_of_its_degree(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, rendering: str
) -> None:
    # Warped transfer needs pictures of 16 px at least to see a motion.
    monkeypatch.setattr(shift_engine, "SIZE", (16, 16))
    monkeypatch.setattr(shift_engine.Brightness, "size", (16, 16))
    run_id = explained(workspace, shift_engine.scene(workspace, images=3, shape=(48, 36)))
    image = an_image(workspace, run_id).id
    found = scene(workspace, run_id, image, rendering)  # type: ignore[arg-type]
    tolerance = 1e-4 if found.step else 2e-7
    for degree in (0.0, 4.0, -7.5, 14.5, 20.0):
        view = explore(workspace, run_id, image, "up", degree, rendering)  # type: ignore[arg-type]
        frame = one_frame(found, moves_of(("up", degree)))
        assert np.abs(picture_at(found, frame) - view.counterfactual).max() <= tolerance
        assert frame.probability == pytest.approx(view.p_counterfactual, abs=1e-5) and frame.flipped is view.flipped
    assert found.p_source == pytest.approx(view.p_source) and np.array_equal(found.original, view.original)
    assert scene(workspace, run_id, image, rendering) is found  # type: ignore[arg-type]


@pytest.mark.parametrize(("side", "count", "factor"), [(64, 64, 1), (300, 211, 1), (300, 300, 3), (301, 200, 2)])
def test_weights_do_what_bicubic_crop_and_means_do(side: int, count: int, factor: int) -> None:
    change = torch.randn(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    whole = upsample(change, (side, side))[0, 0].numpy()
    expected = block_means(crop_back(whole, (side, count)), factor)
    rows_, columns = _weights(64, side, side, factor), _weights(64, side, count, factor)
    assert np.abs(rows_ @ change[0, 0].numpy() @ columns.T - expected).max() < 1e-5


def test_the_wire_has_the_asked_degree_first_and_every_degree_once(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "detail transfer")
    parts = list(records(found, along(found, "up", (), 3.25)))
    size = RECORD.size + 4 * 64
    assert len(parts[0]) == size
    data = b"".join(parts)
    heads = [RECORD.unpack_from(data, start) for start in range(0, len(data), size)]
    degrees = [head[0] for head in heads]
    assert degrees[0] == 3.25 and sorted(degrees) == sorted([3.25, *np.linspace(-20, 20, 81)])
    assert degrees[1:22] == list(np.linspace(-20, 20, 21))
    assert all((p > 0.5) == bool(flipped) for _, p, flipped in heads)
    first = np.frombuffer(parts[0][RECORD.size :], "<f4").reshape(8, 8)
    assert np.array_equal(first, one_frame(found, moves_of(("up", 3.25))).change)
    assert struct.calcsize(RECORD.format) == 12


def test_frames_are_computed_once(moved: tuple[Workspace, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "detail transfer")
    wanted = [moves for _, moves in along(found, "down", (), 0.0)]
    list(frames_at(found, wanted))
    with monkeypatch.context() as patch:
        patch.setattr("services.paths._drawn", lambda *_: pytest.fail("drawn twice"))
        assert sum(len(batch) for batch in frames_at(found, wanted)) == 81


def test_effects_of_a_mix_are_those_of_its_parts(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "detail transfer")
    seen = effects(found, moves_of(("up", 12.0), ("down", 3.0)))
    one = {degree: one_frame(found, moves_of(("up", degree))).probability for degree in (9.0, 12.0, -3.0)}
    assert seen.probability == pytest.approx(one[9.0], abs=1e-5)
    assert seen.alone == pytest.approx({"up": one[12.0], "down": one[-3.0]}, abs=1e-5)
    assert seen.without == pytest.approx({"up": one[-3.0], "down": one[12.0]}, abs=1e-5)
    assert effects(found, ()).probability == pytest.approx(found.p_source, abs=1e-6)
    with pytest.raises(ValueError, match="no direction 'sideways'"):
        effects(found, moves_of(("sideways", 1.0)))


def test_the_least_change_flips_and_nothing_less_does(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "plain")
    up, down = least_changes(found, ["up", "down"], ())
    assert up.degree is not None and down.degree == pytest.approx(-up.degree)
    assert one_frame(found, moves_of(("up", up.degree))).flipped
    assert not one_frame(found, moves_of(("up", up.degree - 0.0202))).flipped, "a thousandth of the way to 20"
    assert up.mean_change == pytest.approx(0.05 * up.degree, abs=0.01) and (up.probability or 0) > 0.5
    (held,) = least_changes(found, ["up"], moves_of(("down", 2.0)))
    assert held.degree == pytest.approx(up.degree + 2, abs=0.025)


def test_no_flip_is_no_degree(moved: tuple[Workspace, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, run_id, image = moved
    monkeypatch.setattr(shift_engine.Shift, "degree_range", (-1.0, 1.0))
    (found,) = least_changes(scene(workspace, run_id, image, "detail transfer"), ["up"], ())
    assert (found.degree, found.probability, found.mean_change) == (None, None, None)


@pytest.mark.parametrize("rendering", ["detail transfer", "plain"])
def test_the_boundary_of_a_curve_is_where_the_class_changes(moved: tuple[Workspace, int, int], rendering: str) -> None:
    """The test method adds 0.05 a degree, and an image is bright from a mean of 0.5 on."""
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, rendering)  # type: ignore[arg-type]
    expected = (0.5 - float(found.small.mean())) / 0.05
    up, down = (boundary_along(found, name, ()) for name in ("up", "down"))
    assert not up.back and up.degree is not None and -1e-3 < up.degree - expected < 0.0201
    assert down.degree == -up.degree
    assert one_frame(found, moves_of(("up", up.degree))).flipped
    (least,) = least_changes(found, ["up"], ())
    assert least.degree == pytest.approx(up.degree, abs=0.0201)
    beyond = boundary_along(found, "up", moves_of(("down", -8.0)))
    assert beyond.back and beyond.degree == pytest.approx(expected - 8, abs=0.0211)
    assert beyond.degree is not None
    assert not one_frame(found, moves_of(("up", beyond.degree), ("down", -8.0))).flipped


def test_a_curve_without_a_flip_has_no_boundary(
    moved: tuple[Workspace, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, run_id, image = moved
    monkeypatch.setattr(shift_engine.Shift, "degree_range", (0.0, 1.0))
    found = boundary_along(scene(workspace, run_id, image, "detail transfer"), "up", ())
    assert found.degree is None and not found.back


def test_the_gallery_says_what_each_image_does_alone(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, _ = moved
    ids = [row.image_id for row in rows(workspace, run_id)]
    for rendering in ("detail transfer", "plain"):
        shown = moved_images(workspace, run_id, ids, moves_of(("up", 7.0)), rendering)  # type: ignore[arg-type]
        assert [one.id for one in shown] == ids
        for one in shown:
            view = explore(workspace, run_id, one.id, "up", 7.0, rendering)  # type: ignore[arg-type]
            assert one.probability == pytest.approx(view.p_counterfactual, abs=1e-5)
            assert (one.flipped, one.p_source) == (view.flipped, pytest.approx(view.p_source, abs=1e-6))
            assert one.after.startswith("data:image/png;base64,") and one.after != one.before
    with pytest.raises(ValueError, match="49 images at once are too many"):
        moved_images(workspace, run_id, [1] * 49, (), "plain")
    with pytest.raises(NothingToExplore):
        moved_images(workspace, run_id, [999], (), "plain")


def test_films_are_exact_and_go_there_and_back(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "detail transfer")
    for kind, coloured in (("gif", False), ("webp", True)):
        content, media, ending = export(found, "up", 6.0, (), kind)
        frames = film(found, "up", 6.0, (), coloured=coloured)
        assert media.endswith(ending)
        played = [
            np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(Pillow.open(io.BytesIO(content)))
        ]
        exact = [frame if coloured else np.repeat(frame[..., None], 3, axis=2) for frame in frames]
        # Pillow joins equal frames into one that is shown longer.
        distinct = [f for i, f in enumerate(exact) if i == 0 or not np.array_equal(f, exact[i - 1])]
        assert len(played) >= len(distinct)
        for frame in distinct:
            assert any(np.array_equal(frame, one) for one in played)
        assert np.array_equal(played[0], exact[0])
    still, media, _ = export(found, "up", 6.0, (), "png")
    assert media == "image/png" and Pillow.open(io.BytesIO(still)).format == "PNG"
    with pytest.raises(ExportRefused, match="no format 'avi'"):
        export(found, "up", 6.0, (), "avi")


def test_mp4_says_what_it_needs(moved: tuple[Workspace, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, run_id, image = moved
    found = scene(workspace, run_id, image, "detail transfer")
    content = export(found, "up", 6.0, (), "mp4")[0]
    assert content[4:8] == b"ftyp" and b"vp09" in content
    monkeypatch.setattr(animation.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ExportRefused, match=r"pip install 'cfreader\[video\]'"):
        export(found, "up", 6.0, (), "mp4")


def test_bad_questions_are_refused(moved: tuple[Workspace, int, int]) -> None:
    workspace, run_id, image = moved
    with pytest.raises(ValueError, match="no rendering 'oil'"):
        scene(workspace, run_id, image, "oil")  # type: ignore[arg-type]
    with pytest.raises(NothingToExplore):
        scene(workspace, run_id, 999, "plain")
    with pytest.raises(NothingToExplore, match="not fitted"):
        scene(workspace, 99, image, "plain")
