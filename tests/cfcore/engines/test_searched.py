"""What holds for every method that searches one counterfactual in the pixels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, target_margin
from cfcore.engines.base import Cancelled
from cfcore.engines.cem import CEM, CEMConfig
from cfcore.engines.pgd import PGD, PGDConfig
from cfcore.engines.searched import PixelSearch
from cfcore.engines.wachter import Wachter, WachterConfig


@pytest.fixture(params=["pgd", "wachter", "cem"])
def engine(request: pytest.FixtureRequest, linear: Classifier, low: Tensor) -> PixelSearch:
    kinds: dict[str, tuple[type[PixelSearch], object]] = {
        "pgd": (PGD, PGDConfig(budget=0.3, steps=90)),
        "wachter": (Wachter, WachterConfig(rounds=6, steps=40)),
        "cem": (CEM, CEMConfig(searches=3, steps=60)),
    }
    kind, config = kinds[request.param]
    return kind.fit(linear, low, 1, config)


def test_the_line_goes_from_the_image_to_its_counterfactual(engine: PixelSearch, low: Tensor) -> None:
    found = engine.explain(low, 1, rendering="plain")
    assert found.flipped.all() and found.direction == (engine.label,) * 5 and (found.strength == 1).all()
    assert torch.equal(found.reconstruction, low) and torch.equal(found.p_reconstruction, found.p_source)
    assert found.counterfactual.min() >= 0 and found.counterfactual.max() <= 1
    for degree, expected in ((0.0, low), (1.0, found.counterfactual), (0.5, (low + found.counterfactual) / 2)):
        for direction in (None, engine.label):
            moved = engine.move(low, 1, direction=direction, degree=degree, rendering="plain").counterfactual
            assert torch.equal(moved, expected) if degree in (0, 1) else torch.allclose(moved, expected)
    curve = engine.probabilities_along(low, 1, torch.linspace(0, 1, 5), rendering="plain")
    assert (curve.diff(dim=1) > 0).all() and torch.allclose(curve[:, -1], found.p_counterfactual, atol=1e-5)
    assert torch.allclose(
        engine.attribution(engine.encode(low, 1), low, 1), (found.counterfactual - low).abs(), atol=1e-6
    )


def test_the_one_direction_tells_its_effect(engine: PixelSearch, low: Tensor) -> None:
    (only,) = engine.directions()
    after = engine.judge(engine.explain(low, 1, rendering="plain").counterfactual)
    gain = target_margin(after, 1) - target_margin(engine.judge(low), 1)
    assert only.name == engine.label and only.kept and only.explained == 1
    assert only.mean_change == pytest.approx(gain.mean().item(), rel=1e-4)


def test_an_image_does_not_depend_on_its_neighbours(engine: PixelSearch, low: Tensor) -> None:
    together = engine.explain(low, 1, rendering="plain")
    alone = type(engine)(engine.classifier.train(), engine.config)
    parts = [alone.explain(image[None], 1, rendering="plain").counterfactual for image in low[:2]]
    assert torch.allclose(torch.cat(parts), together.counterfactual[:2], atol=1e-5)
    assert all(not module.training for module in engine.classifier.modules())


def test_every_image_is_searched_once_a_target(
    engine: PixelSearch, low: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = engine.encode(low, 1)

    def fail(*args: object) -> None:
        raise AssertionError("searched again")

    monkeypatch.setattr(type(engine), "_search", fail)
    assert torch.equal(engine.encode(low.flip(0), 1), codes.flip(0)) and (codes[:, -1] == 1).all()
    with pytest.raises(AssertionError, match="searched again"):
        engine.encode(low, 0)


def test_the_same_call_twice_gives_the_same_bytes(engine: PixelSearch, low: Tensor, tmp_path: Path) -> None:
    engine.default_degree = 0.75
    engine.save(tmp_path)
    again = type(engine).load(tmp_path, engine.classifier)
    assert again.directions() == engine.directions() and again.config == engine.config
    assert again.default_degree == 0.75 and type(engine).default_degree == 1.0
    first, second = (one.explain(low, 1) for one in (engine, again))
    assert torch.equal(first.counterfactual, second.counterfactual)


def test_the_source_keeps_its_resolution(engine: PixelSearch, low: Tensor) -> None:
    large = torch.nn.functional.interpolate(low, scale_factor=3, mode="nearest")
    shown = engine.explain(large, 1, rendering="detail transfer")
    assert shown.counterfactual.shape == large.shape
    assert torch.equal(shown.p_counterfactual, engine.probability(shown.counterfactual, 1))


def test_progress_is_told_and_may_stop_the_search(engine: PixelSearch, low: Tensor) -> None:
    told: list[float] = []
    fresh = type(engine)(engine.classifier, engine.config)
    fresh.explain(low, 1, progress=lambda share, message: told.append(share))
    assert len(told) > 3 and told == sorted(told) and told[0] >= 0 and told[-1] <= 1

    def stop(share: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        type(engine).fit(engine.classifier, low, 1, engine.config, stop)


def test_colours_are_searched_too(engine: PixelSearch) -> None:
    class Red(Classifier):
        class_names = ("other", "red", "green")
        channels = 3
        size = (4, 4)

        def logits(self, images: Tensor) -> Tensor:
            means = images.mean(dim=(2, 3))
            return 20 * torch.stack([means[:, 2], means[:, 0], means[:, 1]], dim=1)

    blue = torch.tensor([0.3, 0.35, 0.5]).view(1, 3, 1, 1).expand(2, 3, 4, 4).clone()
    found = type(engine)(Red(), engine.config).explain(blue, 1, rendering="plain")
    assert found.flipped.all() and found.counterfactual.shape == blue.shape
    change = (found.counterfactual - blue).mean(dim=(0, 2, 3))
    assert change[0] > 0.05 and change[0] == change.max()


def test_what_makes_no_sense_is_refused(engine: PixelSearch, low: Tensor) -> None:
    kind, linear, config = type(engine), engine.classifier, engine.config
    with pytest.raises(ValueError, match="at least one image"):
        kind.fit(linear, low[:0], 1, config)
    with pytest.raises(ValueError, match="some images are 'below' for the classifier already"):
        kind.fit(linear, low, 0, config)
    with pytest.raises(ValueError, match=f"no direction 'v1 \\+': .* has one, {engine.label}"):
        engine.move(low, 1, direction="v1 +", degree=1.0)

    class Silent(type(linear)):  # type: ignore[misc]
        def logits(self, images: Tensor) -> Tensor:
            return torch.as_tensor(super().logits(images)).detach()

    with pytest.raises(TypeError, match="Silent passes no gradients"):
        kind.fit(Silent(), low, 1, config)
