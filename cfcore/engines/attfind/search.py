"""The exact search: every (coordinate, sign) pair drawn and classified on every image; survives a kill."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier, is_class, resize, target_margin
from cfcore.engines.base import Progress
from cfcore.engines.codes import styles_of
from cfcore.generators.stylex import StylEx

from .redraw import Redraw

BATCH = 16  # drawings at a time: the fastest on a CPU
CHUNK = 16 * BATCH  # drawings between two writes of the partial results
GROUP = 8  # images whose features are held at a time


@dataclass(frozen=True)
class Task:
    """What is searched.

    Attributes:
        w: (n, width) codes, or refined (n, rows * width). label: (n,) class that conditions G.
        ends: (m, 2) highest and lowest value of every style coordinate over the training images.
        degree: share of the way from an image's own value to the end.
    """

    generator: StylEx
    classifier: Classifier
    w: Tensor
    label: Tensor
    ends: Tensor
    degree: float
    target: int

    @torch.no_grad()
    def shifts(self, start: int, size: int) -> Tensor:
        """(g, m, 2) what is added to each style of the `size` images from `start` on."""
        rows = slice(start, start + size)
        styles = styles_of(self.generator, self.w[rows], self.label[rows])[:, :, None]
        return self.degree * (self.ends - styles)

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier.logits(resize(images, self.classifier.size))


@dataclass(frozen=True)
class Found:
    """Margins' changes and flips, both (n, p), of p pairs on n images; `base`: (n,) margins of the reconstructions;
    `seconds`: that the drawings took, those of earlier attempts too."""

    pairs: Tensor
    changes: Tensor
    flips: Tensor
    base: Tensor
    seconds: float


class Scratch:
    """Partial results in a folder, each file whole or absent; those of another search are not seen.

    Args:
        folder: None keeps nothing. fingerprint: of everything that the results depend on.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self.folder, self.fingerprint = folder, fingerprint
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> dict[str, Tensor] | None:
        """What `write` stored under `name` for this very search, else None."""
        if self.folder is None or not (path := self.folder / f"{name}.safetensors").exists():
            return None
        with safe_open(str(path), framework="pt") as file:
            if (file.metadata() or {}).get("search") != self.fingerprint:
                return None
            return {key: file.get_tensor(key) for key in [*file.keys()]}

    def write(self, name: str, content: dict[str, Tensor]) -> None:
        if self.folder is None:
            return
        aside = self.folder / f"{name}.part"
        save_file({key: value.cpu() for key, value in content.items()}, str(aside), {"search": self.fingerprint})
        aside.replace(self.folder / f"{name}.safetensors")


def fingerprint(tensors: Iterable[Tensor], modules: Iterable[nn.Module], settings: dict[str, Any]) -> str:
    """SHA-256 of tensors, weights and settings: partial results of anything else are of no use."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for tensor in [*tensors, *(value for module in modules for value in module.state_dict().values())]:
        digest.update(str((tuple(tensor.shape), tensor.dtype)).encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def search(task: Task, pairs: Tensor, scratch: Scratch, progress: Progress) -> Found:
    """Draw and classify every pair on every image, and measure the change of the target margin.

    What `scratch` holds is not drawn again; at most CHUNK drawings are lost by a kill. Batches are cut in the same
    places whether the search is interrupted or not, so the results are the same to the last bit.

    Args:
        pairs: (p,) rising numbers of (coordinate, sign) pairs, `2 j + side`; side 0 goes to the highest value.
    """
    n, total, done = len(task.w), len(task.w) * len(pairs), 0
    parts: list[dict[str, Tensor]] = []
    for start in range(0, n, GROUP):
        size = min(GROUP, n - start)
        part = scratch.read(f"group-{start:06d}") or {
            "base": torch.full((size,), float("nan")),
            "margins": torch.full((size, len(pairs)), float("nan")),
            "flips": torch.zeros(size, len(pairs), dtype=torch.uint8),
            "seconds": torch.zeros(1, dtype=torch.float64),
        }
        if part["margins"].isnan().any():
            _search_group(task, pairs, start, part, scratch, lambda more, d=done: _tell(progress, d + more, total))  # type: ignore[misc]
        done += size * len(pairs)
        parts.append(part)
        _tell(progress, done, total)
    margins, flips, base = (torch.cat([part[key] for part in parts]) for key in ("margins", "flips", "base"))
    seconds = sum(part["seconds"].item() for part in parts)
    return Found(pairs.cpu(), margins - base[:, None], flips.bool(), base, seconds)


def _tell(progress: Progress, done: int, total: int) -> None:
    progress(done / total, f"searched {done} of {total} moves")


def _search_group(task: Task, pairs: Tensor, start: int, part: dict[str, Tensor], scratch: Scratch, tell: Any) -> None:
    """Fill in the missing margins and flips of one group of images; writes after every chunk."""
    started = time.perf_counter() - part["seconds"].item()
    rows_of = slice(start, start + GROUP)
    redraw = Redraw(task.generator, task.w[rows_of], task.label[rows_of])
    values = redraw.styles[:, :, None] + task.shifts(start, GROUP)
    if part["base"].isnan().any():
        part["base"] = target_margin(task.logits(redraw.drawn), task.target).cpu()
    images = torch.arange(len(redraw.drawn))
    done = 0
    for layer, places in enumerate(redraw.by_layer(pairs)):
        for chunk in torch.cartesian_prod(images, places).view(-1, 2).split(CHUNK):
            done += len(chunk)
            if part["margins"][chunk[:, 0], chunk[:, 1]].isfinite().all():
                continue
            for rows, columns in (batch.T for batch in chunk.split(BATCH)):
                coordinates, sides = pairs[columns] // 2, pairs[columns] % 2
                moved = redraw.draw(rows, layer, coordinates - redraw.starts[layer], values[rows, coordinates, sides])
                logits = task.logits(moved)
                part["margins"][rows, columns] = target_margin(logits, task.target).cpu()
                part["flips"][rows, columns] = is_class(logits, task.target).cpu().to(torch.uint8)
            part["seconds"].fill_(time.perf_counter() - started)
            scratch.write(f"group-{start:06d}", part)
            tell(done)
