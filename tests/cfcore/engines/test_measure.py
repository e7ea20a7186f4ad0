"""The degree that most images need, and the effect of a joint direction."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.attfind import AttFind, AttFindConfig
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.measure import effect, suggest_degree
from cfcore.generators.stylex import StylEx, StylExConfig


class Lamp(StylEx):
    """The first axis of w is brightness, a tenth a unit; the other does nothing."""

    def __init__(self) -> None:
        super().__init__(StylExConfig(size=16, width=2, condition=1, channels={4: 4, 8: 4, 16: 4}))

    def encode(self, images: Tensor) -> Tensor:
        level = images.mean(dim=(1, 2, 3))
        return torch.stack([level * 10, torch.zeros_like(level)], dim=1)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        return (w[:, :1, None, None] / 10).clamp(0, 1).expand(-1, 1, 16, 16)

    def style_weights(self) -> Tensor:
        return torch.diag(torch.tensor([2.0, 1.0]))


def levels(*values: float) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 16, 16).clone()


@pytest.fixture
def ten() -> Tensor:
    """Ten grey images that need 0.95, 1.25, ... 3.65 degrees to reach half."""
    return levels(*(0.5 - (0.95 + 0.3 * i) / 10 for i in range(10)))


@pytest.mark.parametrize("rendering", ["plain", "detail transfer"])
@pytest.mark.parametrize(("share", "expected"), [(0.9, 3.5), (1.0, 4.0), (0.1, 1.0)])
def test_the_smallest_step_that_flips_enough_images(
    classifier: Classifier, ten: Tensor, rendering: str, share: float, expected: float
) -> None:
    engine = EigenFind.fit(classifier, ten, 1, EigenFindConfig(scan=2, k=1), generator=Lamp())
    found = suggest_degree(engine, ten, 1, rendering=rendering, share=share)  # type: ignore[arg-type]
    assert found == expected
    for degree, enough in ((expected, True), (expected - 0.5, False)):
        moved = engine.move(ten, 1, direction="v1 +", degree=degree, rendering=rendering)  # type: ignore[arg-type]
        assert (int(moved.flipped.sum()) >= share * 10) == enough


def test_nothing_is_suggested_where_the_search_degree_flips_too_few(classifier: Classifier, ten: Tensor) -> None:
    config = EigenFindConfig(scan=2, k=1, degree=2.0)
    engine = EigenFind.fit(classifier, ten, 1, config, generator=Lamp())
    assert suggest_degree(engine, ten, 1, rendering="plain") is None
    with pytest.raises(ValueError, match="give images"):
        suggest_degree(engine, ten[:0], 1, rendering="plain")


def test_the_suggestion_is_stored_with_the_engine(
    classifier: Classifier, ten: Tensor, tmp_path: object, stylex: StylEx, images: Tensor
) -> None:
    config, generator = EigenFindConfig(scan=2, k=1), Lamp()
    engine = EigenFind.fit(classifier, ten, 1, config, generator=generator)
    assert engine.default_degree == 10.0
    engine.default_degree = 3.5
    engine.save(tmp_path)  # type: ignore[arg-type]
    assert EigenFind.load(tmp_path, classifier, generator=generator).default_degree == 3.5  # type: ignore[arg-type]
    assert EigenFind.default_degree == 10.0
    facts = tmp_path / "engine.json"  # type: ignore[operator]
    facts.write_text(facts.read_text().replace('"default_degree"', '"other"'))
    assert EigenFind.load(tmp_path, classifier, generator=generator).default_degree == 10.0  # type: ignore[arg-type]


def test_the_effect_of_a_ranked_direction_is_its_score(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(scan=6, k=4, degree=8.0), generator=stylex)
    for entry in engine.directions()[:3]:
        change, explained = effect(engine, entry.name, images, 1, 8.0)
        assert change == pytest.approx(entry.mean_change, abs=1e-4)
        assert explained == pytest.approx(entry.explained)


def test_a_subset_becomes_a_direction_that_can_be_stored_and_moved(
    stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: object
) -> None:
    engine = AttFind.fit(classifier, images, 1, AttFindConfig(k=4), generator=stylex)
    ranked = engine.directions()
    name = ", ".join(entry.name for entry in ranked[:2])
    joint = engine.joined(name, images, 1)
    assert engine.joined(name, images, 1) == joint and engine.directions() == (*ranked, joint)
    assert engine.joined(ranked[0].name, images, 1) == ranked[0]
    assert (joint.name, joint.index, joint.sign, joint.kept) == (name, ranked[0].index, ranked[0].sign, True)
    assert joint.mean_change > ranked[0].mean_change
    shown = engine.explain(images, 1, rendering="plain")
    engine.save(tmp_path)  # type: ignore[arg-type]
    again = AttFind.load(tmp_path, classifier, generator=stylex)  # type: ignore[arg-type]
    assert again.directions() == engine.directions()
    assert again.explain(images, 1, rendering="plain").direction == shown.direction, (
        "explained by ranked pairs as before"
    )
    moved = again.move(images, 1, direction=name, degree=1.0, rendering="plain")
    change = moved.p_counterfactual.logit() - moved.p_reconstruction.logit()
    assert change.mean().item() == pytest.approx(joint.mean_change, abs=1e-3)
