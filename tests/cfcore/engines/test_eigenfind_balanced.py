"""Balanced directions: the spread of the codes by hand, equal visible change, and a spread that says nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.engines.eigenfind.balanced import LONGEST, VISIBLE, balanced, code_spread, spread_root, visible_lengths
from cfcore.engines.eigenfind.basis import eigenvectors
from cfcore.generators.stylex import StylEx, StylExConfig


class Spread(StylEx):
    """A toy whose codes spread by 1 along axis 0, by 4 along axis 1 and by 0.25 along axis 2; the style weights are
    3, 2 and 1, axis 1 is a ramp, the others a brightness."""

    deviations = torch.tensor([1.0, 4.0, 0.25])

    def __init__(self) -> None:
        super().__init__(StylExConfig(size=16, width=3, condition=1, channels={4: 4, 8: 4, 16: 4}))

    def sample(self, z: Tensor, label: Tensor) -> Tensor:
        return z * self.deviations + 7

    def encode(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), 3)

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        ramp = torch.linspace(-0.01, 0.01, 16).view(1, 1, 1, 16)
        bright = (w[:, 0] / 40 + w[:, 2] / 160)[:, None, None, None]
        return (0.5 + bright + w[:, 1, None, None, None] * ramp).expand(-1, 1, 16, 16)

    def style_weights(self) -> Tensor:
        return torch.diag(torch.tensor([3.0, 2.0, 1.0]))


def test_the_spread_is_that_of_the_mapping_networks_codes(stylex: StylEx) -> None:
    found = code_spread(Spread())
    assert torch.allclose(found.diag().sqrt(), Spread.deviations.double(), rtol=0.06)
    assert found.dtype == torch.float64 and torch.equal(found, code_spread(Spread()))
    assert code_spread(stylex).shape == (32, 32)


def test_axes_are_ranked_by_weight_and_spread(classifier: Classifier, images: Tensor) -> None:
    """Singular values are 3 * 1, 2 * 4^(1/2) and 1 * 0.25^(1/2): the widely spread axis comes first."""
    found = balanced(Spread(), classifier, images, 3)
    units = (found / found.norm(dim=1, keepdim=True)).abs()
    assert torch.allclose(units, torch.eye(3)[[1, 0, 2]], atol=0.05)
    plain = eigenvectors(Spread(), classifier, images, EigenFindConfig(scan=3))
    assert torch.equal(plain, torch.eye(3))


def test_ten_degrees_are_equally_visible_along_every_direction(classifier: Classifier, images: Tensor) -> None:
    toy = Spread()
    moves = 10 * eigenvectors(toy, classifier, images, EigenFindConfig(basis="balanced", scan=3))
    for move in moves:
        seen = [(toy.decode(s * move[None], None) - toy.decode(0 * move[None], None)).abs().mean() for s in (1, -1)]  # type: ignore[arg-type]
        assert torch.stack(seen).mean().item() == pytest.approx(VISIBLE, rel=1e-3)
    # Axis 2: 0.085 * 160 = 13.6 long; the brightness of axis 0 takes a quarter of that.
    assert moves[2].norm() == pytest.approx(13.6, rel=0.02) and moves[1].norm() == pytest.approx(3.4, rel=0.02)


def test_the_search_for_lengths_costs_what_the_documentation_says(classifier: Classifier, images: Tensor) -> None:
    class Counting(Spread):
        drawn = 0

        def decode(self, w: Tensor, label: Tensor) -> Tensor:
            Counting.drawn += len(w)
            return super().decode(w, label)

    balanced(Counting(), classifier, images, 3)
    assert Counting.drawn == 8 * (1 + 6 * 3)


def test_what_shows_nothing_is_not_moved_endlessly(classifier: Classifier, images: Tensor) -> None:
    class Blank(Spread):
        def decode(self, w: Tensor, label: Tensor) -> Tensor:
            return torch.full((len(w), 1, 16, 16), 0.5)

    assert torch.equal(visible_lengths(Blank(), classifier, images, torch.eye(3)), torch.full((3,), LONGEST))


def test_equal_spread_leaves_sefa_as_it_is(classifier: Classifier, images: Tensor) -> None:
    assert torch.equal(spread_root(torch.zeros(3, 3, dtype=torch.float64)), torch.eye(3, dtype=torch.float64))
    root = spread_root(torch.diag(torch.tensor([16.0, 1.0, 1e-9], dtype=torch.float64)))
    assert torch.allclose(root.diag(), torch.tensor([2.0, 1.0, (16e-6) ** 0.25], dtype=torch.float64))

    class Even(Spread):
        def sample(self, z: Tensor, label: Tensor) -> Tensor:
            return torch.linalg.qr(z - z.mean(dim=0)).Q if len(z) > 3 else z

    found = balanced(Even(), classifier, images, 3)
    assert torch.allclose((found / found.norm(dim=1, keepdim=True)).abs(), torch.eye(3), atol=0.1)


def test_a_search_along_balanced_directions_goes_on_where_it_was_stored(
    stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("engine")
    engine = EigenFind.fit(classifier, images, 1, EigenFindConfig(basis="balanced", scan=6, k=4), generator=stylex)
    engine.save(folder)
    again = EigenFind.load(folder, classifier, generator=stylex)
    name = engine.directions()[0].name
    one, other = (e.move(images, 1, direction=name, degree=6.0).counterfactual for e in (engine, again))
    assert torch.equal(one, other) and again.config.basis == "balanced"
    changed = engine.move(images, 1, direction=name, degree=10.0, rendering="plain")
    both = [(changed.counterfactual - changed.reconstruction).abs().mean().item()]
    assert 0.2 * VISIBLE < both[0] < 3 * VISIBLE


def test_more_eigenvectors_than_there_are_is_refused(classifier: Classifier, images: Tensor) -> None:
    with pytest.raises(ValueError, match="basis 'balanced' has only 3: lower scan"):
        eigenvectors(Spread(), classifier, images, EigenFindConfig(basis="balanced", scan=4))
    with pytest.raises(ValueError, match='"sefa", "balanced" or "style", not \'pca\''):
        EigenFindConfig(basis="pca")  # type: ignore[arg-type]
