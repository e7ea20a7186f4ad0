"""Rows found for images: searched once, in batches, per target; the oldest go, a cancelled search keeps the rest."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.engines.base import Cancelled, Progress
from cfcore.engines.remembered import Remembered


class Search:
    """The mean of each image as its row, and how many images each call was given."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, images: Tensor, progress: Progress) -> Tensor:
        self.calls.append(len(images))
        progress(0.5, "half way")
        return images.flatten(1).mean(dim=1, keepdim=True)


def pictures(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.float32).view(n, 1, 1, 1).expand(n, 1, 2, 2) / 10


def test_an_image_is_searched_once() -> None:
    kept, search = Remembered(batch=4), Search()
    images = pictures(6)
    first = kept.rows(images, search)
    assert search.calls == [4, 2] and torch.allclose(first[:, 0], torch.arange(6) / 10)
    assert torch.equal(kept.rows(images.flip(0), search), first.flip(0)) and search.calls == [4, 2]
    kept.rows(torch.cat([images, pictures(7)]), search)
    assert search.calls == [4, 2, 1]


def test_equal_images_in_one_call_are_searched_once() -> None:
    kept, search = Remembered(), Search()
    found = kept.rows(pictures(2)[[1, 1, 0, 1]], search)
    assert search.calls == [2] and torch.allclose(found[:, 0], torch.tensor([0.1, 0.1, 0.0, 0.1]))


def test_a_row_belongs_to_its_target() -> None:
    kept, search = Remembered(), Search()
    for target in (0, 1, 0, None, None):
        kept.rows(pictures(3), search, target)
    assert search.calls == [3, 3, 3]


@pytest.mark.parametrize("limit", [{"most": 2}, {"most_bytes": 8}], ids=["rows", "bytes"])
def test_what_was_used_longest_ago_is_forgotten(limit: dict[str, int]) -> None:
    kept, search = Remembered(**limit), Search()
    assert kept.rows(pictures(5), search).shape == (5, 1), "a call may be larger than the memory"
    kept.rows(pictures(5)[3:], search)
    assert search.calls == [5]
    kept.rows(pictures(5)[3:4], search)
    kept.rows(pictures(1), search)
    kept.rows(pictures(5)[3:4], search)
    assert search.calls == [5, 1], "image 4 made room for image 0"
    kept.rows(pictures(5)[4:], search)
    assert search.calls == [5, 1, 1]


def test_progress_covers_all_new_images_and_may_cancel() -> None:
    kept, search, told = Remembered(batch=2), Search(), list[float]()
    kept.rows(pictures(4), search, progress=lambda share, message: told.append(share))
    assert told == [0.25, 0.75]

    def stop(share: float, message: str) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        kept.rows(pictures(8) + 10, search, progress=stop)
    calls = len(search.calls)
    kept.rows(pictures(8) + 10, search)
    assert sum(search.calls[calls:]) == 4, "the four that were found before the stop are known"
