"""Weights on disk: half precision but for running statistics, and errors that say what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cfcore.training.weights import as_stored, file_sha256, load_weights, model_sha256, read_card, save_weights


def _network(width: int = 3) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, width), nn.BatchNorm1d(width))
    network(torch.randn(32, 4) * 1e3)
    return network


def test_round_trip(tmp_path: Path) -> None:
    network = _network()
    digest = save_weights(tmp_path, network, {"kind": "test"})
    stored = load_file(str(tmp_path / "weights.safetensors"))
    assert stored["0.weight"].dtype == torch.float16
    assert stored["1.running_var"].dtype == torch.float32
    assert read_card(tmp_path) == {"kind": "test", "sha256": digest}
    assert digest == file_sha256(tmp_path / "weights.safetensors")
    other = _network()
    nn.init.zeros_(other[0].weight)  # type: ignore[arg-type]
    load_weights(tmp_path, other)
    for name, tensor in network.state_dict().items():
        assert torch.allclose(tensor.float(), other.state_dict()[name].float(), rtol=1e-3, atol=1e-6), name


def test_a_copy_as_stored_is_what_is_read_back(tmp_path: Path) -> None:
    network = _network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copied = as_stored(network)
    save_weights(tmp_path, network, {})
    read = _network()
    load_weights(tmp_path, read)
    for name, tensor in copied.state_dict().items():
        assert torch.equal(tensor, read.state_dict()[name]), name
        assert torch.equal(network.state_dict()[name], before[name]), name
    assert not torch.equal(copied[0].weight, network[0].weight)
    assert model_sha256(tmp_path) == file_sha256(tmp_path / "weights.safetensors")


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train the model or restore"):
        load_weights(tmp_path, _network())
    with pytest.raises(ValueError, match=r"no card\.json"):
        read_card(tmp_path)
    save_weights(tmp_path, _network(), {})
    with pytest.raises(ValueError, match="does not fit Sequential"):
        load_weights(tmp_path, _network(width=5))
    file = tmp_path / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(ValueError, match="is damaged"):
        load_weights(tmp_path, _network())
    assert json.loads((tmp_path / "card.json").read_text())["sha256"]
