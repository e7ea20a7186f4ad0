"""Trained weights on disk: safetensors in half precision beside a card in JSON."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)

WEIGHTS, CARD, DETAIL = "weights.safetensors", "card.json", "detail"


def save_weights(folder: Path, module: nn.Module, card: dict[str, Any], *, half: bool = True) -> str:
    """Write `module` and its card; return the SHA-256 of the weights file.

    Parameters go to float16 (running statistics of batch norm stay float32: their range is not that of weights).
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: _stored(name, tensor, half) for name, tensor in module.state_dict().items()}
    save_file(tensors, str(folder / WEIGHTS))
    digest = file_sha256(folder / WEIGHTS)
    (folder / CARD).write_text(json.dumps(card | {"sha256": digest}, indent=2) + "\n")
    return digest


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    statistics = name.endswith(("running_mean", "running_var"))
    shrink = half and tensor.is_floating_point() and not statistics
    return (tensor.half() if shrink else tensor).contiguous().cpu()


@torch.no_grad()
def as_stored(module: Module) -> Module:
    """A copy of `module` as it will be read back: rounded to half precision where `save_weights` does so."""
    copied = copy.deepcopy(module)
    for name, tensor in copied.state_dict().items():
        tensor.copy_(_stored(name, tensor, half=True).to(tensor))
    return copied


def load_weights(folder: Path, module: nn.Module) -> None:
    """Fill `module` from `folder`. Raises ValueError as `load_tensors` and `fill` do."""
    fill(module, load_tensors(folder))


def load_tensors(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder by name. Raises ValueError where the file is missing or damaged."""
    path = folder / WEIGHTS
    if not path.exists():
        raise ValueError(f"no {WEIGHTS} in the model folder: train the model or restore the file")
    try:
        return load_file(str(path))
    except SafetensorError as error:
        raise ValueError(f"{WEIGHTS} is damaged ({error}): restore it or train again") from error


def fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give `module` these tensors. Raises ValueError, with the first that differs, where they are another network's."""
    expected = module.state_dict()
    wrong = sorted(set(expected) ^ set(tensors)) or sorted(
        name for name, tensor in tensors.items() if tensor.shape != expected[name].shape
    )
    if wrong:
        found, asked = (_shape(known.get(wrong[0])) for known in (tensors, expected))
        raise ValueError(
            f"{WEIGHTS} does not fit {type(module).__name__}: {len(wrong)} tensors differ, first {wrong[0]} ({found} "
            f"in the file, {asked} by the card): restore the card and the weights that were stored together"
        )
    module.load_state_dict({name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()})


def _shape(tensor: Tensor | None) -> str:
    return "none" if tensor is None else " x ".join(map(str, tensor.shape))


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder. Raises ValueError where there is none."""
    path = folder / CARD
    if not path.exists():
        raise ValueError(
            f"no {CARD} in the model folder, so its architecture is unknown: add one (docs/classifiers.md)"
        )
    return json.loads(path.read_text())


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_sha256(folder: Path) -> str:
    """SHA-256 of what a model folder draws with: its weights file, or, where a detail layer lies beside it, the digests
    of both."""
    digest = file_sha256(folder / WEIGHTS)
    beside = folder / DETAIL / WEIGHTS
    if not beside.exists():
        return digest
    return hashlib.sha256(f"{digest} {file_sha256(beside)}".encode()).hexdigest()


def channels_last(module: nn.Module) -> None:
    """Lay the weights out for fast CPU convolutions."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def freeze(module: nn.Module) -> None:
    """Evaluation mode without gradients on the parameters, laid out for fast CPU convolutions."""
    module.requires_grad_(False).eval()
    channels_last(module)
