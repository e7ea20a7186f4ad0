"""A fitted engine on disk: one safetensors file and one JSON file, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from .base import NamedDirection

TENSORS, FACTS = "engine.safetensors", "engine.json"


def write_engine(
    folder: Path, tensors: dict[str, Tensor], config: Any, directions: Sequence[NamedDirection], degree: float
) -> None:
    """Write tensors, the config (a dataclass), the ranked directions and the default degree into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, str(folder / TENSORS))
    content: dict[str, Any] = {"config": asdict(config), "directions": [asdict(entry) for entry in directions]}
    content["default_degree"] = degree
    (folder / FACTS).write_text(json.dumps(content, indent=2) + "\n")


@dataclass(frozen=True)
class Stored:
    """What `write_engine` wrote; `degree`: the default degree, None where an earlier version stored none."""

    tensors: dict[str, Tensor]
    config: dict[str, Any]
    directions: tuple[NamedDirection, ...]
    degree: float | None


def read_engine(folder: Path) -> Stored:
    """What `write_engine` wrote. The tensors may have any file name: earlier versions gave each method its own."""
    content: dict[str, Any] = json.loads((folder / FACTS).read_text())
    directions = tuple(NamedDirection(**entry) for entry in content["directions"])
    (tensors,) = folder.glob("*.safetensors")
    return Stored(load_file(str(tensors)), content["config"], directions, content.get("default_degree"))
