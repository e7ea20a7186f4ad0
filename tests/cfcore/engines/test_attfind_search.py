"""The search survives a kill to the last bit; pre-ranking loses nothing at share 1 and finds the best at less."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines.attfind import AttFind, AttFindConfig, search
from cfcore.engines.attfind.prerank import best_pairs, predicted_changes, smoothed_changes
from cfcore.engines.attfind.search import CHUNK, Scratch, Task
from cfcore.engines.base import Cancelled
from cfcore.generators.stylex import StylEx

EXHAUSTIVE = AttFindConfig(k=4)


class Counting(Classifier):
    """The brightness classifier, counting the images that it looks at."""

    class_names = ("dark", "bright")
    channels = 1
    size = (16, 16)

    def __init__(self, inner: Classifier) -> None:
        super().__init__()
        self.inner, self.seen = inner, 0

    def logits(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        return self.inner.logits(images)


class Kill:
    """A progress that raises once the search has come so far."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, share: float, message: str) -> None:
        if share > self.share and message.startswith("searched"):
            raise Cancelled(message)


@pytest.mark.parametrize("verified", [1.0, 0.6])
def test_a_killed_search_goes_on_to_the_same_bytes(
    stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: Path, verified: float
) -> None:
    config = AttFindConfig(k=4, verified=verified)
    straight = AttFind.fit(classifier, images, 1, config, generator=stylex)
    straight.save(tmp_path / "straight")
    for share in (0.2, 0.5, 0.9):
        with pytest.raises(Cancelled):
            AttFind.fit(classifier, images, 1, config, Kill(share), generator=stylex, scratch=tmp_path / "scratch")
    assert {path.suffix for path in (tmp_path / "scratch").iterdir()} == {".safetensors"}
    resumed = AttFind.fit(classifier, images, 1, config, generator=stylex, scratch=tmp_path / "scratch")
    resumed.save(tmp_path / "resumed")
    assert straight.found is not None and resumed.found is not None
    for name in ("pairs", "changes", "flips", "base"):
        one, two = getattr(straight.found, name), getattr(resumed.found, name)
        assert one.numpy().tobytes() == two.numpy().tobytes()
    files = sorted(path.name for path in (tmp_path / "straight").iterdir())
    assert files == ["engine.json", "engine.safetensors"]
    for name in files:
        assert (tmp_path / "straight" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes()


def test_a_kill_loses_no_more_than_a_chunk(
    stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: Path
) -> None:
    counting = Counting(classifier)
    AttFind.fit(counting, images, 1, EXHAUSTIVE, generator=stylex)
    whole, counting.seen = counting.seen, 0
    with pytest.raises(Cancelled):
        AttFind.fit(counting, images, 1, EXHAUSTIVE, Kill(0.5), generator=stylex, scratch=tmp_path)
    AttFind.fit(counting, images, 1, EXHAUSTIVE, generator=stylex, scratch=tmp_path)
    beside = 4 * len(images) + len(images)  # range, check, codes and reconstructions are made anew
    assert whole <= counting.seen <= whole + CHUNK + beside
    counting.seen = 0
    AttFind.fit(counting, images, 1, EXHAUSTIVE, generator=stylex, scratch=tmp_path)
    assert counting.seen <= beside


def test_results_of_another_search_or_torn_ones_are_not_taken(
    stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: Path
) -> None:
    AttFind.fit(classifier, images, 1, EXHAUSTIVE, generator=stylex, scratch=tmp_path)
    other = AttFindConfig(k=4, degree=0.5)
    mixed = AttFind.fit(classifier, images, 1, other, generator=stylex, scratch=tmp_path)
    clean = AttFind.fit(classifier, images, 1, other, generator=stylex)
    assert mixed.directions() == clean.directions()
    fewer = AttFind.fit(classifier, images[1:], 1, other, generator=stylex, scratch=tmp_path)
    assert fewer.directions() == AttFind.fit(classifier, images[1:], 1, other, generator=stylex).directions()
    (tmp_path / "group-000000.part").write_bytes(b"cut off")
    assert AttFind.fit(classifier, images, 1, other, generator=stylex, scratch=tmp_path).directions()


def test_pre_ranked_equals_exhaustive_at_cost_share_1(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    """All pairs by gradients are the pairs of the exhaustive search, drawn in the same batches."""
    exhaustive = AttFind.fit(classifier, images, 1, EXHAUSTIVE, generator=stylex)
    assert exhaustive.found is not None
    task = _task(exhaustive, images)
    pairs = best_pairs(predicted_changes(task, Scratch(None, ""), lambda *_: None), 2 * stylex.style_dimension)
    found = search.search(task, pairs, Scratch(None, ""), lambda *_: None)
    assert torch.equal(found.pairs, exhaustive.found.pairs)
    assert torch.equal(found.changes, exhaustive.found.changes)
    assert torch.equal(found.flips, exhaustive.found.flips)


def test_a_small_share_holds_the_best_pairs_with_their_exact_changes(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    config = AttFindConfig(k=4, degree=0.05)
    exhaustive = AttFind.fit(classifier, images, 1, config, generator=stylex)
    quick = AttFind.fit(classifier, images, 1, AttFindConfig(k=4, degree=0.05, verified=0.1), generator=stylex)
    assert quick.found is not None and exhaustive.found is not None
    assert len(quick.found.pairs) == 15
    assert torch.allclose(quick.found.changes, exhaustive.found.changes[:, quick.found.pairs], atol=1e-4)
    assert [d.name for d in quick.directions() if d.kept] == [d.name for d in exhaustive.directions() if d.kept]


def test_predictions_are_exact_in_the_limit_of_small_degrees(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    engine = AttFind.fit(classifier, images, 1, AttFindConfig(k=4, degree=0.02), generator=stylex)
    assert engine.found is not None
    task = _task(engine, images)
    exact = engine.found.changes.view(len(images), -1, 2)
    predicted = predicted_changes(task, Scratch(None, ""), lambda *_: None)
    assert torch.allclose(predicted, exact, atol=0.02 * exact.abs().max().item())
    alone = smoothed_changes(task, 0, 0.05, torch.Generator())
    assert torch.allclose(alone, predicted)
    smooth = smoothed_changes(task, 3, 0.05, torch.Generator().manual_seed(0))
    assert not torch.allclose(smooth, predicted, rtol=1e-3)
    assert torch.equal(smooth, smoothed_changes(task, 3, 0.05, torch.Generator().manual_seed(0)))


def test_a_classifier_without_gradients_is_searched_exhaustively_only(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    class Silent(Counting):
        def logits(self, images: Tensor) -> Tensor:
            return super().logits(images).detach()

    silent = Silent(classifier)
    assert AttFind.fit(silent, images[:2], 1, EXHAUSTIVE, generator=stylex).directions()
    with pytest.raises(TypeError, match=r"Silent passes no gradients.*search exhaustively"):
        AttFind.fit(silent, images[:2], 1, AttFindConfig(k=4, verified=0.5), generator=stylex)


def _task(engine: AttFind, images: Tensor) -> Task:
    codes = engine.encode(images, 1)
    degree = engine.config.degree
    return Task(engine.generator, engine.classifier, codes[:, :-1], codes[:, -1].long(), engine.ends, degree, 1)
