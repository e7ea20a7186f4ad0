"""Mirror-CFE in colour: three channels all the way, and each keeps its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from cfcore.engines.base import Explanation
from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.engine import CONFIDENCE, MIRROR
from cfcore.generators.mirror import MirrorDecoder
from cfcore.generators.mirror.model import config_for
from cfcore.generators.mirror.recipes import QUICK
from cfcore.generators.mirror.training import MirrorTask
from cfcore.training.batches import Batches
from tests.cfcore.pooled import Exact
from tests.cfcore.tinted import RED, Redness, tinted

VIVID = 1
BLUE = (0.2, 0.2, 0.6)
ITERATIONS = 60


@pytest.fixture
def engine() -> MirrorEngine:
    classifier = Redness()
    return MirrorEngine.fit(classifier, tinted(4), VIVID, MirrorCFEConfig(), generator=Exact(classifier))


def colour_of(images: Tensor) -> Tensor:
    """(n, 3) mean over pixels."""
    return images.mean(dim=(2, 3))


def four(*colour: float) -> Tensor:
    return torch.tensor(colour).repeat(4, 1)


def check_pictures(found: Explanation, side: int) -> None:
    for pictures in (found.reconstruction, found.counterfactual):
        assert pictures.dtype == torch.float32 and pictures.min() >= 0 and pictures.max() <= 1
    assert found.counterfactual.shape == (4, 3, side, side)


def test_the_mirror_image_has_the_colour_worked_out_by_hand(engine: MirrorEngine) -> None:
    images = tinted(4)
    assert torch.allclose(engine.encode(images, VIVID), four(*RED), atol=1e-6)
    for k, colour, p in ((0.0, RED, -0.9), (0.5, (0.46, 0.17, 0.1), 0.0), (1.0, (0.52, 0.14, 0.1), 0.9)):
        found = engine.move(images, VIVID, degree=k, rendering="plain")
        check_pictures(found, 16)
        assert torch.allclose(colour_of(found.counterfactual), four(*colour), atol=1e-5)
        expected = torch.full((4,), p).sigmoid()
        assert torch.allclose(found.p_counterfactual, expected, atol=1e-5)
        told = engine.intended(images, VIVID, MIRROR, torch.full((4,), k))
        assert torch.allclose(told.probability, expected.double(), atol=1e-6)
    assert engine.directions()[0].mean_change == pytest.approx(1.8, abs=1e-4)
    wanted = engine.move(images, VIVID, direction=CONFIDENCE, degree=0.6, rendering="plain")
    assert torch.allclose(wanted.p_counterfactual, torch.full((4,), 0.6), atol=1e-5)


@pytest.mark.parametrize("rendering", ["plain", "detail transfer", "warped transfer"])
def test_an_explanation_keeps_the_colour(rendering: str, engine: MirrorEngine) -> None:
    images = tinted(4, 32)
    found = engine.explain(images, VIVID, rendering=rendering)  # type: ignore[arg-type]
    check_pictures(found, 16 if rendering == "plain" else 32)
    assert found.flipped.all() and found.direction == (MIRROR,) * 4
    assert torch.allclose(found.strength, torch.full((4,), 0.51), atol=0.011)
    assert torch.allclose(colour_of(found.counterfactual), four(0.46, 0.17, 0.1), atol=0.01)
    # What the change adds is the same in every pixel, so the texture stays.
    shown = found.counterfactual - colour_of(found.counterfactual)[:, :, None, None]
    source = found.source if rendering != "plain" else tinted(4)
    assert torch.allclose(shown, source - colour_of(source)[:, :, None, None], atol=0.01)


def test_attribution_is_one_map(engine: MirrorEngine) -> None:
    images = tinted(4)
    heat = engine.attribution(engine.encode(images, VIVID), images, VIVID)
    # Mean over channels of the change, (0.12 + 0.06 + 0) / 3.
    assert heat.shape == (4, 1, 16, 16) and torch.allclose(heat, torch.full_like(heat, 0.06), atol=1e-5)


def test_it_comes_back_from_disk(engine: MirrorEngine, tmp_path: Path) -> None:
    engine.save(tmp_path)
    again = MirrorEngine.load(tmp_path, engine.classifier, generator=engine.generator)
    assert again.directions() == engine.directions()
    found, expected = again.explain(tinted(4), VIVID), engine.explain(tinted(4), VIVID)
    assert torch.equal(found.counterfactual, expected.counterfactual) and found.counterfactual.shape[1] == 3


def test_a_trained_decoder_draws_red_as_red_and_blue_as_blue() -> None:
    """On images of four colours, so that neither grey nor one colour for all would do."""
    colours = [RED, (0.55, 0.2, 0.1), BLUE, (0.6, 0.2, 0.6)]
    images = torch.cat([tinted(16, colour=colour) for colour in colours])
    classifier = Redness()
    classes = classifier.logits(images).argmax(dim=1)
    assert classes[::16].tolist() == [0, 1, 0, 1]
    torch.manual_seed(0)
    model, drawn = MirrorDecoder(config_for(classifier, width=8, most=8, code=8)), torch.Generator().manual_seed(0)
    task = MirrorTask(model, classifier, replace(QUICK, rate=1e-2, half_life=50), drawn, ITERATIONS)
    whole = (images * 255).byte()
    task.prepare(whole)
    batches, fabric = iter(Batches(whole, classes, 16, drawn, balanced=True)), Fabric(accelerator="cpu")
    for i in range(ITERATIONS):
        task.step(next(batches), i, fabric)
    grid = task.picture()
    assert grid is not None and grid.shape == (4 * 16, 8 * 16, 3)

    dull = torch.cat([images[:4], images[32:36]])
    engine = MirrorEngine.fit(classifier, dull, VIVID, MirrorCFEConfig(), generator=task.average)
    before, behind = (
        colour_of(engine.move(dull, VIVID, degree=k, rendering="plain").counterfactual).split(4) for k in (0.0, 1.0)
    )
    assert torch.allclose(before[0], four(*RED), atol=0.06) and torch.allclose(before[1], four(*BLUE), atol=0.06)
    assert torch.allclose(behind[0], four(0.52, 0.14, 0.1), atol=0.06), "redder, not greyer"
    assert (behind[1][:, 2] > behind[0][:, 2] + 0.2).all(), "blue keeps its blue"
