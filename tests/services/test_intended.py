"""What is intended beside what is obtained: on the slider's degrees, out of reach, and for images of the target."""

from __future__ import annotations

import pytest

from cfcore.mirror.names import kfe_name
from services.animation import export
from services.explore import open_engine
from services.intended import intended_along
from services.mixing import boundary_along, effects, least_changes
from services.move_gallery import moved_images
from services.paths import along, moves_of, scene
from services.workspace import Workspace
from tests.services import mirror_run, shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained

Ready = tuple[Workspace, int, list[int], list[int]]


@pytest.fixture
def ready(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Ready:
    mirror_run.install(monkeypatch)
    return workspace, *mirror_run.mirror_run(workspace)


def test_by_k_each_point_has_its_name_and_its_probability(ready: Ready) -> None:
    workspace, run, (image, *_), _ = ready
    found = intended_along(scene(workspace, run, image, "plain"), "mirror", 0.123)
    assert 0.123 in found.degrees and len(found.degrees) == 82
    assert found.k == pytest.approx(found.degrees) and found.names == [kfe_name(k) for k in found.k]
    assert (found.names[0], found.names[-1]) == ("SFE", "Reflection") and not found.already
    assert (found.low, found.high) == pytest.approx((found.probability[0], found.probability[-1]), abs=1e-9)


def test_a_wanted_probability_is_intended_or_the_nearest_in_reach(ready: Ready) -> None:
    workspace, run, (image, *_), _ = ready
    found = intended_along(scene(workspace, run, image, "plain"), "confidence")
    clamped = [min(max(degree, found.low), found.high) for degree in found.degrees]
    assert found.probability == pytest.approx(clamped, abs=1e-4)
    assert found.k[0] == 0 and found.k == sorted(found.k) and found.names[-1] == "Reflection"
    assert 0 < found.low < 0.5 < found.high < 1


def test_an_image_of_the_target_stays(ready: Ready) -> None:
    workspace, run, _, (image, *_) = ready
    found = intended_along(scene(workspace, run, image, "plain"), "confidence")
    assert found.already and set(found.k) == {0.0} and found.low == found.high > 0.5


def test_a_gallery_may_hold_images_of_the_target(ready: Ready) -> None:
    workspace, run, dark, bright = ready
    found = moved_images(workspace, run, [dark[0], bright[0], dark[1]], moves_of(("mirror", 0.8)), "plain")
    assert [one.target_already for one in found] == [False, True, False]
    assert [one.after == one.before for one in found] == [False, True, False]


def test_measures_of_one_way_are_not_mixed(ready: Ready) -> None:
    workspace, run, (image, *_), _ = ready
    found = scene(workspace, run, image, "plain")
    held, both = moves_of(("mirror", 0.4)), moves_of(("mirror", 0.4), ("confidence", 0.7))
    for ask in (
        lambda: along(found, "confidence", held, 0.0),
        lambda: boundary_along(found, "confidence", held),
        lambda: list(least_changes(found, ["mirror", "confidence"], held)),
        lambda: effects(found, both),
        lambda: export(found, "confidence", 0.7, held, "gif"),
        lambda: moved_images(workspace, run, [image], both, "plain"),
    ):
        with pytest.raises(ValueError, match="confidence and mirror say in two ways how far to go"):
            ask()
    assert effects(found, held).alone.keys() == {"mirror"}


def test_other_engines_mix_and_intend_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    shift_engine.known(monkeypatch)
    run = explained(workspace, shift_engine.scene(workspace, images=2))
    opened = open_engine(workspace, run)
    assert not opened.one_way and not opened.wants_probability("up")
    found = scene(workspace, run, an_image(workspace, run).id, "plain")
    assert effects(found, moves_of(("up", 4.0), ("down", 2.0))).alone.keys() == {"up", "down"}
    with pytest.raises(ValueError, match="does not say beforehand"):
        intended_along(found, "up")
