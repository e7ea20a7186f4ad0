"""A method whose every answer can be worked out by hand: it makes images brighter, and the classifier calls bright
images "Bright". For tests of everything around engines."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import services.models
from cfcore.classifiers.base import Classifier, is_class
from cfcore.engines.base import Engine, Explanation, NamedDirection, Progress, Rendering, silent
from cfcore.engines.catalogue import METHODS, Method
from cfcore.engines.registry import ENGINES
from cfcore.images.encode import encode_png
from cfcore.settings import setting
from db.models import Dataset, Image, Model
from services.workspace import Workspace, sha256

SIZE = (8, 8)


class Brightness(Classifier):
    """ "Bright" where the mean exceeds 0.5: logit 20 (mean - 0.5)."""

    class_names = ("Dark", "Bright")
    channels = 1
    size = SIZE

    def logits(self, images: Tensor) -> Tensor:
        logit = 20 * (images.mean(dim=(1, 2, 3)) - 0.5)
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@dataclass(frozen=True)
class ShiftConfig:
    """degree: how far `explain` goes. pause: seconds that a chunk of images takes."""

    degree: float = setting(10.0, label="brightness, steps", low=0.5, high=20.0, step=0.5, help="0.05 of white each.")
    pause: float = 0.0

    def __post_init__(self) -> None:
        if self.degree <= 0:
            raise ValueError(f"degree must be positive, not {self.degree}")


class Shift(Engine):
    """Adds 0.05 a degree along "up", takes it away along "down"."""

    name, title, paper = "shift", "Brightness shift", "none: a test"
    Config = ShiftConfig
    degree_range = (-20.0, 20.0)
    default_degree = 10.0

    def __init__(self, classifier: Classifier, config: ShiftConfig) -> None:
        super().__init__()
        self.classifier, self.config, self.size = classifier, config, SIZE

    @classmethod
    def fit(
        cls,
        classifier: Classifier,
        images: Tensor,
        target: int,
        config: ShiftConfig,
        progress: Progress = silent,
        *,
        generator: nn.Module | None = None,
    ) -> Self:
        assert not is_class(classifier.logits(images), target).any()
        progress(0.5, "fitting")
        return cls(classifier, config)

    def directions(self) -> tuple[NamedDirection, ...]:
        return (NamedDirection("up", 0, 1, 10.0, 1.0, True), NamedDirection("down", 0, -1, -10.0, 0.0, False))

    def encode(self, images: Tensor, target: int) -> Tensor:
        return images.flatten(1)

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        signs = {"up": 1, "down": -1, None: 1}
        if direction not in signs:
            raise ValueError(f"no direction {direction!r}; there are up and down")
        return (images + 0.05 * signs[direction] * degrees.view(-1, 1, 1, 1)).clamp(0, 1)

    def explain(
        self, images: Tensor, target: int, *, rendering: Rendering = "detail transfer", progress: Progress = silent
    ) -> Explanation:
        time.sleep(self.config.pause)
        return self.move(images, target, direction="up", degree=self.config.degree, rendering=rendering)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "engine.json").write_text(json.dumps(asdict(self.config)))

    @classmethod
    def load(cls, folder: Path, classifier: Classifier, *, generator: nn.Module | None = None) -> Self:
        return cls(classifier, ShiftConfig(**json.loads((folder / "engine.json").read_text())))


METHOD = Method("shift", Shift.title, "Shift", None, f"{__name__}:ShiftConfig", "adds the same to every pixel")


def install() -> None:
    """Make this process know the method and its classifier."""
    ENGINES["shift"], METHODS["shift"] = Shift, METHOD
    services.models.load_classifier = lambda workspace, model_id: Brightness()


def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """`install` for one test."""
    monkeypatch.setitem(ENGINES, "shift", Shift)
    monkeypatch.setitem(METHODS, "shift", METHOD)
    monkeypatch.setattr(services.models, "load_classifier", lambda *_: Brightness())


def scene(
    workspace: Workspace, images: int = 12, max_value: int = 255, shape: tuple[int, int] = (16, 12)
) -> dict[str, int]:
    """A data set of dark images in "val" and "test" (and a bright one, and one that waits for a look) and a
    classifier; their ids under "dataset" and "classifier"."""
    rng = np.random.default_rng(3)
    kind = np.uint8 if max_value <= 255 else np.uint16
    with workspace.session() as session:
        dataset = Dataset(name="squares")
        session.add(dataset)
        for i in range(2 * images + 2):
            level = 0.9 if i == 0 else 0.2 + 0.1 * rng.random()
            pixels = (rng.uniform(0.9, 1.0, shape) * level * max_value).astype(kind)
            data = encode_png(pixels)
            session.add(
                Image(
                    dataset=dataset,
                    file_key=workspace.put(data, ".png"),
                    patient=f"patient{i}",
                    split="test" if i <= images or i > 2 * images else "val",
                    labels=["Bright" if i == 0 else "Dark"],
                    width=shape[1],
                    height=shape[0],
                    max_value=max_value,
                    look="waiting" if i == 2 * images + 1 else "not needed",
                    sha256=sha256(data),
                )
            )
        classifier = Model(
            name="Brightness", kind="classifier", path="none", sha256="0" * 64, card={"class_names": ["Dark", "Bright"]}
        )
        session.add(classifier)
        session.flush()
        return {"dataset": dataset.id, "classifier": classifier.id}


def settings(n: int = 12, **config: Any) -> dict[str, Any]:
    """Settings of a run that moves `n` dark images to "Bright"."""
    return {
        "engine": "shift",
        "target": "Bright",
        "images": {"split": "test", "n": n, "seed": 1, "predicted": "Dark"},
        "fit_split": "val",
        "fit_n": 4,
        "config": config,
    }


def alive(pid: int) -> bool:
    """Whether the process runs (one that has ended but not been waited for does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
