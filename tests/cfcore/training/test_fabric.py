"""Devices and precision are asked for by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cfcore.training.fabric import build_fabric


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="no precision '16-mixed'; choose from 32-true, bf16-mixed"):
        build_fabric("16-mixed")  # type: ignore[arg-type]


def test_mixed_precision_computes_in_bfloat16() -> None:
    layer, rows = torch.nn.Linear(2, 2), torch.ones(1, 2)
    with build_fabric("bf16-mixed", accelerator="cpu").autocast():
        assert layer(rows).dtype == torch.bfloat16
    with build_fabric(accelerator="cpu").autocast():
        assert layer(rows).dtype == torch.float32


def test_without_a_writer_tensorboard_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cfcore.training.fabric.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'cfreader\[tensorboard\]'"):
        build_fabric(accelerator="cpu", tensorboard=tmp_path)
