"""Attribution maps as methods: exactly the top pixels go, the image itself is degree 0, and evidence is what goes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cfcore.attribution.fills import top_pixels
from cfcore.attribution.gradcam import gradcam
from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.names import FILLS
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier
from cfcore.engines.ablation import (
    Ablation,
    GradCam,
    GradCamConfig,
    IntegratedGradients,
    IntegratedGradientsConfig,
)
from cfcore.engines.ablation.config import AblationConfig
from cfcore.engines.measure import suggest_degree

SIDE = 16
CLEAR, SPOT = 0, 1


class Spots(Classifier):
    """ "Spot" where some 3 x 3 px are bright in the mean: one convolution, rectified, summed."""

    class_names = ("Clear", "Spot")
    channels = 1
    size = (SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        convolution = nn.Conv2d(1, 1, 3, padding=1)
        nn.init.constant_(convolution.weight, 1 / 9)
        nn.init.constant_(convolution.bias, -0.5)  # type: ignore[arg-type]
        self.detector = nn.Sequential(convolution, nn.ReLU())
        self.requires_grad_(False)

    @property
    def last_convolution(self) -> nn.Module:
        return self.detector

    def logits(self, images: Tensor) -> Tensor:
        logit = 4 * (self.detector(images).sum(dim=(1, 2, 3)) - 1)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@pytest.fixture
def spots() -> Tensor:
    """Six grey images with a bright spot of 4 x 4 px, each elsewhere."""
    images = 0.2 + 0.05 * torch.rand(6, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    for i in range(6):
        images[i, 0, i : i + 4, 2 * i : 2 * i + 4] = 0.95
    return images


CASES: list[tuple[type[Ablation], AblationConfig]] = [
    (GradCam, GradCamConfig()),
    (IntegratedGradients, IntegratedGradientsConfig(steps=20)),
]


@pytest.fixture(params=CASES, ids=[kind.name for kind, _ in CASES])
def engine(request: pytest.FixtureRequest, spots: Tensor) -> Ablation:
    kind, config = request.param
    return kind.fit(Spots(), spots, CLEAR, config)


def test_fills_are_ranked_by_what_they_do_to_the_target(engine: Ablation, spots: Tensor) -> None:
    found = engine.directions()
    assert sorted(entry.name for entry in found) == sorted(FILLS)
    changes = {entry.name: entry.mean_change for entry in found}
    assert list(changes.values()) == sorted(changes.values(), reverse=True)
    assert changes["black"] > 1 > changes["white"], "white adds what the classifier looks for"
    assert found[0].explained == 1 and engine.describe("mean").startswith("The image's own mean")
    for entry in found:
        moved = engine.move(spots, CLEAR, direction=entry.name, degree=10.0, rendering="plain")
        gain = moved.p_counterfactual.logit() - moved.p_source.logit()
        assert gain.mean().item() == pytest.approx(entry.mean_change, abs=1e-3)
        assert moved.flipped.float().mean().item() == pytest.approx(entry.explained)


@pytest.mark.parametrize("degree", [0.0, 5.0, 10.0, 30.0])
def test_a_degree_is_a_per_cent_of_the_pixels(engine: Ablation, spots: Tensor, degree: float) -> None:
    for rendering in ("plain", "detail transfer"):
        moved = engine.move(spots, CLEAR, direction="black", degree=degree, rendering=rendering)  # type: ignore[arg-type]
        assert torch.equal(moved.reconstruction, spots)
        changed = (moved.counterfactual - spots).abs() > 1e-6
        assert changed.flatten(1).sum(dim=1).tolist() == [round(degree / 100 * SIDE * SIDE)] * 6
    if degree == 0:
        assert torch.equal(moved.counterfactual, spots)


def test_the_map_explains_the_class_that_the_image_has_now(engine: Ablation, spots: Tensor) -> None:
    codes = engine.encode(spots, CLEAR)
    assert codes.shape == (6, SIDE * SIDE) and engine.degree_range == (0.0, 30.0)
    found = engine.attribution(codes, spots, CLEAR)
    score = Score(engine.classifier, SPOT)
    if isinstance(engine, GradCam):
        assert not engine.signed_attribution and torch.allclose(found, gradcam(score, spots))
    else:
        assert engine.signed_attribution
        assert torch.allclose(found, integrated_gradients(score, spots, steps=20).values, atol=1e-5)
    inner = torch.zeros_like(spots, dtype=torch.bool)
    for i in range(6):
        inner[i, 0, i : i + 4, 2 * i : 2 * i + 4] = True
    top = top_pixels(found, 16 / SIDE**2)
    assert (top & inner).sum() > 0.7 * inner.sum(), "the spot is what was seen"


def test_each_image_is_explained_by_the_first_fill_that_flips_it(engine: Ablation, spots: Tensor) -> None:
    shown = engine.explain(spots, CLEAR, rendering="plain")
    best = engine.directions()[0].name
    assert shown.direction == (best,) * 6 and shown.flipped.all() and shown.tried.tolist() == [1] * 6
    assert (shown.strength == 10).all() and (shown.p_counterfactual > shown.p_source).all()
    assert torch.equal(shown.p_reconstruction, shown.p_source)
    moved = engine.move(spots, CLEAR, direction=best, degree=10.0, rendering="plain")
    assert torch.equal(moved.counterfactual, shown.counterfactual)
    again = engine.explain(spots[2:4], CLEAR, rendering="plain")
    assert torch.equal(again.counterfactual, shown.counterfactual[2:4]), "an image does not depend on its neighbours"


def test_an_image_that_no_fill_flips_shows_the_best(spots: Tensor) -> None:
    engine = GradCam.fit(Spots(), spots, CLEAR, GradCamConfig(degree=0.5))
    shown = engine.explain(spots, CLEAR, rendering="plain")
    assert shown.direction == (None,) * 6 and shown.strength.isnan().all() and shown.tried.tolist() == [6] * 6
    best = engine.move(spots, CLEAR, direction=engine.directions()[0].name, degree=0.5, rendering="plain")
    assert torch.equal(shown.counterfactual, best.counterfactual) and not torch.equal(shown.counterfactual, spots)


def test_paths_curves_and_the_suggested_degree_agree_with_moves(engine: Ablation, spots: Tensor) -> None:
    degrees = torch.tensor([0.0, 5.0, 20.0])
    curve = engine.probabilities_along(spots[:2], CLEAR, degrees, direction="mean", rendering="plain")
    frames = engine.path(spots[:2], CLEAR, degrees, direction="mean", rendering="plain")
    for i, (degree, frame, share) in enumerate(frames):
        moved = engine.move(spots[:2], CLEAR, direction="mean", degree=degree, rendering="plain")
        assert torch.equal(frame, moved.counterfactual) and torch.equal(share, moved.p_counterfactual)
        assert torch.allclose(curve[:, i], share)
    suggested = suggest_degree(engine, spots, CLEAR, rendering="plain")
    assert suggested is not None and 0 < suggested <= 10


def test_a_stored_engine_does_the_same(engine: Ablation, spots: Tensor, tmp_path: Path) -> None:
    engine.default_degree = 7.0
    engine.save(tmp_path)
    again = type(engine).load(tmp_path, engine.classifier)
    assert again.directions() == engine.directions() and again.config == engine.config
    assert again.default_degree == 7.0 and type(engine).default_degree == 10.0
    first, second = (one.explain(spots, CLEAR) for one in (engine, again))
    assert torch.equal(first.counterfactual, second.counterfactual) and first.direction == second.direction


def test_the_source_keeps_its_resolution(engine: Ablation, spots: Tensor) -> None:
    large = torch.nn.functional.interpolate(spots, scale_factor=3, mode="nearest")
    shown = engine.explain(large, CLEAR)
    assert shown.counterfactual.shape == large.shape and shown.flipped.all()
    assert torch.equal(shown.p_counterfactual, engine.probability(shown.counterfactual, CLEAR))


def test_one_fill_can_be_asked_for(spots: Tensor) -> None:
    engine = GradCam.fit(Spots(), spots, CLEAR, GradCamConfig(fill="mean"))
    assert [entry.name for entry in engine.directions()] == ["mean"]
    assert GradCamConfig(fill="mean").drawings_an_image({}) == 1 and GradCamConfig().drawings_an_image({}) == 6


def test_what_makes_no_sense_is_refused(classifier: Classifier, images: Tensor, spots: Tensor) -> None:
    with pytest.raises(TypeError, match=r"BrightnessClassifier tells no convolutional layer.*\(ig\) instead"):
        GradCam.fit(classifier, images, 1, GradCamConfig())
    assert IntegratedGradients.fit(classifier, images, 1, IntegratedGradientsConfig(steps=5)).directions()
    with pytest.raises(ValueError, match="at least one image"):
        GradCam.fit(Spots(), spots[:0], CLEAR, GradCamConfig())
    with pytest.raises(ValueError, match="some images are 'Spot' for the classifier already"):
        GradCam.fit(Spots(), spots, SPOT, GradCamConfig())
    engine = GradCam.fit(Spots(), spots, CLEAR, GradCamConfig())
    with pytest.raises(ValueError, match="no direction 'v1 \\+'; the fills are mean, blur"):
        engine.move(spots, CLEAR, direction="v1 +", degree=1.0)
    with pytest.raises(ValueError, match="no fill is ranked yet"):
        GradCam(Spots(), GradCamConfig()).explain(spots, CLEAR)
    for config, message in (
        ({"degree": 0.0}, "degree is 0: choose above 0 and at most 30 per cent"),
        ({"degree": 31.0}, "degree is 31"),
        ({"fill": "grey"}, "no fill 'grey'; choose one of: all, mean"),
        ({"baseline": "white"}, "no baseline 'white'; choose one of: black, mean, blur"),
        ({"steps": 0}, "steps is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            IntegratedGradientsConfig(**config)  # type: ignore[arg-type]
