"""Heat maps on Explore: the right ones are offered, they are what the method computes, and what cannot be is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from db.models import Run
from services import overlay
from services.explore import NothingToExplore, open_engine
from services.overlay import heat_map, maps_of
from services.workspace import Workspace
from tests.services import shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """A run of the test method and one of its images."""
    shift_engine.known(monkeypatch)
    for cache in (overlay._own, overlay._of_classifier, overlay._of_generator):
        cache.cache_clear()
    run_id = explained(workspace, shift_engine.scene(workspace, images=2))
    return run_id, an_image(workspace, run_id).id


def middle(self: shift_engine.Shift, codes: Tensor, images: Tensor, target: int) -> Tensor:
    """A map of its own: one pixel in the middle, against the target."""
    values = torch.zeros_like(images)
    values[:, :, 3, 3] = -images[:, :, 3, 3] - target
    return values


def test_a_method_without_a_map_of_its_own_offers_the_classifiers(workspace: Workspace, run: tuple[int, int]) -> None:
    choices = maps_of(workspace, open_engine(workspace, run[0]))
    assert [choice.key for choice in choices] == ["gradcam", "ig", "lig", "lig path", "medxgan difference"]
    assert all(not choice.about.endswith(".") for choice in choices)


def test_a_map_of_the_methods_own_stands_first(
    workspace: Workspace, run: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift_engine.Shift, "attribution", middle)
    monkeypatch.setattr(shift_engine.Shift, "signed_attribution", True)
    own = maps_of(workspace, open_engine(workspace, run[0]))[0]
    assert (own.key, own.title, own.signed) == ("own", "Shift", True)
    found = heat_map(workspace, *run, "own")
    assert found.signed and found.values.shape == (8, 8) and found.values.dtype == np.float32
    assert found.values[3, 3] < -1 and np.count_nonzero(found.values) == 1
    assert heat_map(workspace, *run, "own") is found


def test_a_method_is_not_offered_twice(
    workspace: Workspace, run: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of Grad-CAM has that map as its own; one of Integrated gradients has one baseline, and the map others."""
    monkeypatch.setattr(shift_engine.Shift, "attribution", middle)
    monkeypatch.setattr(shift_engine.Shift, "name", "gradcam")
    assert [choice.key for choice in maps_of(workspace, open_engine(workspace, run[0]))][:3] == ["own", "ig", "lig"]
    monkeypatch.setattr(shift_engine.Shift, "name", "ig")
    assert [choice.key for choice in maps_of(workspace, open_engine(workspace, run[0]))][:3] == ["own", "gradcam", "ig"]


def test_the_classifiers_map_speaks_against_the_target(workspace: Workspace, run: tuple[int, int]) -> None:
    """The test classifier adds up pixels: each speaks for "Bright" by 20 / 64 of its value, from black."""
    found = heat_map(workspace, *run, "ig")
    known = open_engine(workspace, run[0])
    from cfcore.classifiers.base import resize
    from services.explore import source_of

    small = resize(source_of(workspace, run[1])[0], known.classifier.size)[0, 0].numpy()
    np.testing.assert_allclose(found.values, -20 / 64 * small, atol=1e-5)
    assert found.signed
    mean = heat_map(workspace, *run, "ig mean")
    np.testing.assert_allclose(mean.values, -20 / 64 * (small - small.mean()), atol=1e-5)
    assert abs(heat_map(workspace, *run, "ig blur").values).max() > 0.01


def test_what_cannot_be_is_said(workspace: Workspace, run: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"take Integrated Gradients \(ig\) instead"):
        heat_map(workspace, *run, "gradcam")
    with pytest.raises(ValueError, match="no map 'own' of this run; there are gradcam, ig, ig mean, ig blur, ig real"):
        heat_map(workspace, *run, "own")
    with pytest.raises(NothingToExplore, match="not in the data set"):
        heat_map(workspace, run[0], 99, "ig")


def test_runs_of_one_classifier_share_its_maps(workspace: Workspace, run: tuple[int, int]) -> None:
    """And a map takes as many gradients as it says, in batches."""
    seen: list[int] = []

    class Watched(shift_engine.Brightness):
        def logits(self, images: Tensor) -> Tensor:
            if images.requires_grad:
                seen.append(len(images))
            return super().logits(images)

    found = heat_map(workspace, *run, "ig")
    with workspace.session() as session:
        first = session.get_one(Run, run[0])
    assert first.dataset_id is not None and first.classifier_id is not None
    again = explained(workspace, {"dataset": first.dataset_id, "classifier": first.classifier_id})
    assert again != run[0] and heat_map(workspace, again, run[1], "ig") is found
    overlay._gradients("black")(Watched(), torch.rand(1, 1, 8, 8), 1)
    assert sum(seen) == overlay.IG_STEPS and len(seen) == 2
