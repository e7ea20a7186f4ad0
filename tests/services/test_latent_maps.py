"""Maps through a medXGAN generator on Explore: of any run of a classifier that has one, from one search an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import services.models
from cfcore.classifiers.base import resize
from cfcore.engines.medxgan import latents as memory
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig
from db.models import Model, Run
from services import overlay
from services.explore import open_engine, source_of
from services.latent_maps import LATENT_MAPS, source_for
from services.overlay import heat_map, maps_of
from services.runs import start_run
from services.workspace import Workspace
from tests.pages.shift_app import add_generator, work
from tests.services import shift_engine
from tests.services.test_explore import an_image
from tests.services.test_runs import explained

BRIGHTNESS = shift_engine.Brightness()
SLOPE = 20 / 64  # of the classifier's logit by a pixel


class Corner(MedXGAN):
    """z1 is the brightness of all pixels, z2 adds to a corner of 4 x 4 px."""

    def __init__(self) -> None:
        super().__init__(MedXGANConfig(size=8, anatomy=1, pathology=1, channels={4: 4}, encoder=False))

    def decode(self, z1: Tensor, z2: Tensor) -> Tensor:
        corner = torch.zeros(1, 1, 8, 8)
        corner[:, :, :4, :4] = 0.3
        return (0.2 + 0.05 * z1[:, :, None, None] + z2[:, :, None, None].tanh() * corner).clamp(0, 1)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each search of latents took."""
    done: list[int] = []
    found = memory.invert

    def counted(generator: MedXGAN, classifier: Any, images: Tensor, *rest: Any) -> Any:
        done.append(len(images))
        return found(generator, classifier, images, *rest)

    monkeypatch.setattr(memory, "invert", counted)
    return done


@pytest.fixture
def corner(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, searches: list[int]) -> MedXGAN:
    generator = Corner()
    shift_engine.known(monkeypatch)
    monkeypatch.setattr(services.models, "load_classifier", lambda *_: BRIGHTNESS)
    monkeypatch.setattr(services.models, "load_generator", lambda *_: generator)
    for cache in (overlay._own, overlay._of_classifier, overlay._of_generator):
        cache.cache_clear()
    return generator


@pytest.fixture
def run(workspace: Workspace, corner: MedXGAN) -> tuple[int, int]:
    """A run of a method without a generator, and one of its images; its classifier has a medXGAN generator."""
    ids = shift_engine.scene(workspace, images=2)
    run_id = explained(workspace, ids)
    add_generator(workspace, ids["classifier"], "medxgan")
    return run_id, an_image(workspace, run_id).id


def test_every_map_is_had_from_a_run_of_another_method(
    workspace: Workspace, run: tuple[int, int], searches: list[int]
) -> None:
    """For a linear classifier both LIGs are the change of the pixels times the slope, so the difference map with a
    sign; towards "Bright" what the realisation adds speaks for the target."""
    assert not any(choice.missing for choice in maps_of(workspace, open_engine(workspace, run[0])))
    found = {key: heat_map(workspace, *run, key) for key in LATENT_MAPS}
    difference = found["medxgan difference"].values
    assert not found["medxgan difference"].signed and difference.min() >= 0
    assert difference[:4, :4].min() > 0.05 and difference[4:].max() < 1e-6 and difference[:, 4:].max() < 1e-6
    for key in ("lig", "lig path"):
        np.testing.assert_allclose(np.abs(found[key].values), SLOPE * difference, atol=1e-5)
        assert found[key].signed
    np.testing.assert_allclose(found["lig"].values, found["lig path"].values, atol=1e-5)
    assert searches == [1], "one search of the image for all maps"
    assert heat_map(workspace, *run, "lig") is found["lig"]


def test_integrated_gradients_may_start_from_the_realisation(workspace: Workspace, run: tuple[int, int]) -> None:
    found = heat_map(workspace, *run, "ig realisation")
    small = resize(source_of(workspace, run[1])[0], (8, 8))[0, 0].numpy()
    black = heat_map(workspace, *run, "ig").values
    start = small + found.values / SLOPE
    assert found.signed and not np.allclose(found.values, black, atol=0.01)
    assert np.ptp(start[4:]) < 1e-4 and np.ptp(start[:4, :4]) < 1e-4, "drawn by the generator: two flat parts"


def test_the_runs_own_generator_comes_first_and_then_the_newest(workspace: Workspace, run: tuple[int, int]) -> None:
    opened = open_engine(workspace, run[0])
    older = source_for(workspace, opened).generator
    newer = add_another(workspace, opened.classifier_id)
    assert source_for(workspace, opened).generator == newer
    with workspace.session() as session:
        session.get_one(Run, run[0]).generator_id = older
    assert source_for(workspace, opened).generator == older


def add_another(workspace: Workspace, classifier_id: int) -> int:
    with workspace.session() as session:
        row = Model(name="G2", kind="medxgan", path="none", sha256="2", card={}, classifier_id=classifier_id)
        session.add(row)
        session.flush()
        return row.id


def test_a_run_of_medxgan_has_found_its_images_latents_already(
    workspace: Workspace, corner: MedXGAN, searches: list[int]
) -> None:
    ids = shift_engine.scene(workspace, 2)
    generator = add_generator(workspace, ids["classifier"], "medxgan")
    settings = shift_engine.settings(2) | {"engine": "medxgan", "config": {"steps": 60}}
    run_id = start_run(workspace, "explain", "r", settings, 0, ids["dataset"], ids["classifier"], generator)
    work(workspace)
    opened = open_engine(workspace, run_id)
    keys = ["own", "gradcam", "ig", "lig", "lig path", "medxgan difference"]
    assert [choice.key for choice in maps_of(workspace, opened)] == keys
    before = list(searches)
    for key in ("own", *LATENT_MAPS):
        heat_map(workspace, run_id, an_image(workspace, run_id).id, key)
    assert before and searches == before


def test_a_generator_that_does_not_fit_says_so(
    workspace: Workspace, run: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = MedXGAN(MedXGANConfig(size=16, anatomy=1, pathology=1, channels={4: 4, 8: 4}, encoder=False))
    monkeypatch.setattr(services.models, "load_generator", lambda *_: large)
    with pytest.raises(ValueError, match=r"of \(16, 16\) pixels, the classifier takes 1 of \(8, 8\)"):
        heat_map(workspace, *run, "lig")


def test_more_than_two_classes_have_no_negative_realisation(
    workspace: Workspace, run: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift_engine.Brightness, "class_names", ("Dark", "Grey", "Bright"))
    choices = maps_of(workspace, open_engine(workspace, run[0]))
    assert all("this classifier has 3 classes" in choice.missing for choice in choices[2:])
    with pytest.raises(ValueError, match="this classifier has 3 classes"):
        heat_map(workspace, *run, "medxgan difference")
