"""ExplainGAN: masks, priors, what it learns against a classifier of three classes, how it is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cfcore.classifiers.base import Classifier
from cfcore.generators.expgan import ExpGAN, ExpGANConfig, load_expgan, save_expgan
from cfcore.generators.expgan.model import composite
from cfcore.generators.expgan.training import RECIPES, ExpGANTask, mask_priors, quality
from tests.cfcore.generators.trained import same, trained, untouched
from tests.cfcore.thirds import Thirds, floats, pictures

SMALL = ExpGANConfig(size=16, classes=3, width=16)


def fitted(folder: Path, *iterations: int, recipe: str = "full", classifier: Classifier | None = None) -> ExpGANTask:
    settings = replace(RECIPES[recipe], rate=5e-3, half_life=100.0)
    settings = replace(settings, warm_up=min(settings.warm_up, 80))
    return trained(
        lambda generator, end: ExpGANTask(ExpGAN(SMALL), classifier or Thirds(), settings, generator, end),
        folder,
        *iterations,
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_class_is_reached_from_every_other(recipe: str, tmp_path: Path) -> None:
    task = fitted(tmp_path, 160, recipe=recipe)
    images, _ = pictures()
    found = quality(task.average, Thirds(), images)
    assert found["validity"] > 0.9 and found["agreement"] > 0.9, found
    assert found["l1"] < 0.15 and 0.1 < found["l1_moved"] < 0.45, found
    assert task.held_out() is None
    task.held_out_images = images
    assert task.held_out() == pytest.approx(1 - found["validity"] + found["l1_moved"])
    picture = task.picture()
    assert picture is not None and picture.shape == (5 * 16, 8 * 16)


def test_an_empty_mask_changes_nothing_and_a_full_one_replaces_all() -> None:
    images, drawn = floats(2), torch.rand(2, 1, 16, 16)
    assert torch.equal(composite(images, drawn, torch.zeros(2, 1, 16, 16)), images)
    assert torch.allclose(composite(images, drawn, torch.ones(2, 1, 16, 16)), drawn)


def test_priors_of_masks_by_hand() -> None:
    half = torch.zeros(1, 1, 4, 4)
    half[..., 2:] = 1
    found = mask_priors(half, 0.1)
    # 8 of 16 pixels; one of three steps to the right is 1; nothing between 0 and 1.
    assert found["count"].item() == pytest.approx(0.4) and found["entropy"].item() == 0.0
    assert found["smooth"].item() == pytest.approx(1 / 3)
    grey = mask_priors(torch.full((1, 1, 4, 4), 0.05), 0.1)
    assert grey["count"].item() == 0.0 and grey["smooth"].item() == 0.0
    assert grey["entropy"].item() == pytest.approx(0.05)


def test_two_calls_are_as_one(tmp_path: Path) -> None:
    one, two = fitted(tmp_path / "one", 6), fitted(tmp_path / "two", 3, 6)
    assert same(one.model, two.model) and same(one.average, two.average) and same(one.critic, two.critic)


def test_while_the_rest_rises_class_and_drawing_count_in_full() -> None:
    task = ExpGANTask(ExpGAN(SMALL), Thirds(), replace(RECIPES["full"], warm_up=10), torch.Generator())
    start, half, end = (task._weights(iteration) for iteration in (0, 5, 10))
    assert start["class"] == end["class"] == 3.0 and start["drawn"] == end["drawn"] == 10.0
    rest = set(end) - {"class", "drawn"}
    assert rest == {"adversarial", "masked", "cycle", "consistency", "count", "smooth", "entropy"}
    assert all(start[name] == 0 and half[name] == end[name] / 2 > 0 for name in rest)
    assert end == ExpGANTask(ExpGAN(SMALL), Thirds(), RECIPES["full"], torch.Generator())._weights(0)


def test_an_image_does_not_fade_on_its_way() -> None:
    """Untrained: drawings differ by more than a quarter of what images do, which keeps G off an even grey."""
    torch.manual_seed(0)
    images = torch.rand(4, 1, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    drawn, _ = ExpGAN(ExpGANConfig())(images, torch.zeros(4).long())
    assert drawn.std(dim=0).mean() > images.std(dim=0).mean() / 4


def test_the_classifier_is_not_touched(tmp_path: Path) -> None:
    assert untouched(lambda classifier: fitted(tmp_path, 3, classifier=classifier))


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ExpGAN(SMALL)
    save_expgan(tmp_path, model, {"name": "small"})
    again, label = load_expgan(tmp_path), torch.tensor([0, 1])
    assert again.config == SMALL
    assert torch.allclose(again.counterfactual(floats(2), label), model.counterfactual(floats(2), label), atol=1e-2)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ExplainGAN takes images \(n, 1, 16, 16\), not \(2, 1, 28, 28\)"):
        ExpGAN(SMALL)(torch.zeros(2, 1, 28, 28), torch.zeros(2).long())
    with pytest.raises(ValueError, match="classes is 1: choose at least 2"):
        ExpGANConfig(classes=1)
    two = ExpGAN(replace(SMALL, classes=2))
    with pytest.raises(ValueError, match="leads to 2 classes, the classifier has 3"):
        ExpGANTask(two, Thirds(), RECIPES["full"], torch.Generator())
    large = ExpGAN(replace(SMALL, size=28))
    with pytest.raises(ValueError, match=r"draws 1 channel\(s\) of \(28, 28\) pixels"):
        ExpGANTask(large, Thirds(), RECIPES["full"], torch.Generator())
    (tmp_path / "card.json").write_text('{"kind": "vae"}')
    with pytest.raises(ValueError, match="holds a 'vae', not an ExplainGAN"):
        load_expgan(tmp_path)
