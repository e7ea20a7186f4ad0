"""A small workspace with a finished run whose engine is arithmetic: "v1 +" brightens, "v2 +" only the lower half."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from cfcore.classifiers.base import Classifier
from cfcore.engines.base import Engine, NamedDirection, silent
from cfcore.images.encode import encode_png
from db.models import Dataset, Direction, Image, Run
from services.explore import OpenEngine
from services.workspace import Workspace, sha256


class Brightness(Classifier):
    """Calls an image "Cardiomegaly" when its mean exceeds 0.5."""

    class_names = ("Healthy", "Cardiomegaly")
    channels = 1
    size = (8, 8)

    def logits(self, images: Tensor) -> Tensor:
        logit = 40 * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


class Brighten(Engine):
    """Adds 0.01 per degree, everywhere or in the lower half."""

    name, title, paper = "brighten", "Brighten", "none"
    degree_range = (-20.0, 20.0)
    Config = dict

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Brightness()
        self.size = (8, 8)

    @classmethod
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: Any,
        progress: Any = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        return cls()

    def encode(self, images: Tensor, target: int) -> Tensor:
        return images

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        change = torch.ones_like(codes)
        if direction == "v2 +":
            change[..., :4, :] = 0
        return (codes * 0.98 + 0.01 * degrees[:, None, None, None] * change).clamp(0, 1)

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        return cls()

    def directions(self) -> tuple[NamedDirection, ...]:
        return ()

    def explain(self, images: Tensor, target: int, **_: Any) -> Any:
        return self.move(images, target, degree=10.0)


def toy_engine(workspace: Workspace, run_id: int) -> OpenEngine:
    """Stands in for `services.explore.open_engine`."""
    engine = Brighten()
    return OpenEngine(run_id, engine, engine.classifier, 1, "Cardiomegaly", "detail transfer")


DIRECTIONS = ("v1 +", "v2 +", "v7 -", "v9 +")


def add_images(
    workspace: Workspace, dataset_id: int, n: int, *, max_value: int = 255, split: str = "test"
) -> list[int]:
    """n random images of 24 x 20 pixels, two patients out of three with a mean below 0.5."""
    rng = np.random.default_rng(n)
    with workspace.session() as session:
        for i in range(n):
            level = (0.30, 0.40, 0.85)[i % 3]
            unit = np.clip(level + 0.1 * rng.standard_normal((24, 20)), 0, 1)
            pixels = np.rint(unit * max_value).astype(np.uint8 if max_value <= 255 else np.uint16)
            data = encode_png(pixels)
            image = Image(
                dataset_id=dataset_id, file_key=workspace.put(data, ".png"), patient=f"p{i:03d}", split="test",
                labels=["Cardiomegaly" if i % 3 == 2 else "Healthy"], width=20, height=24, max_value=max_value,
                sha256=sha256(data),
            )  # fmt: skip
            session.add(image)


def finished_run(workspace: Workspace, n_images: int = 60, max_value: int = 255) -> int:
    """A finished run over a fresh data set; its engine is `Brighten`."""
    with workspace.session() as session:
        dataset = Dataset(name="Toy radiographs")
        session.add(dataset)
        session.flush()
        dataset_id = dataset.id
    add_images(workspace, dataset_id, n_images, max_value=max_value)
    with workspace.session() as session:
        run = Run(
            name="Toy run", kind="explain", engine="brighten", state="done", dataset_id=dataset_id,
            progress=1.0, settings={"target": "Cardiomegaly", "config": {"degree": 10.0}}, inputs={"weights": "abc"},
            versions={"torch": "2.13.0"},
        )  # fmt: skip
        session.add(run)
        session.flush()
        for rank, name in enumerate(DIRECTIONS):
            session.add(
                Direction(
                    run_id=run.id, rank=rank, name=name, index=rank, sign=1, mean_change=3.0 - rank, explained=0.5
                )
            )
        return run.id
