"""A fitted engine on disk: one safetensors file and one JSON file, never a pickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from .base import NamedDirection

TENSORS, FACTS = "engine.safetensors", "engine.json"


def write_engine(folder: Path, tensors: dict[str, Tensor], config: Any, directions: Sequence[NamedDirection]) -> None:
    """Write tensors, the config (a dataclass) and the ranked directions into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, str(folder / TENSORS))
    content = {"config": asdict(config), "directions": [asdict(entry) for entry in directions]}
    (folder / FACTS).write_text(json.dumps(content, indent=2) + "\n")


def read_engine(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], tuple[NamedDirection, ...]]:
    """What `write_engine` wrote: tensors, the fields of the config, the directions. The tensors may have any file name:
    earlier versions gave each method its own."""
    content: dict[str, Any] = json.loads((folder / FACTS).read_text())
    directions = tuple(NamedDirection(**entry) for entry in content["directions"])
    (tensors,) = folder.glob("*.safetensors")
    return load_file(str(tensors)), content["config"], directions
