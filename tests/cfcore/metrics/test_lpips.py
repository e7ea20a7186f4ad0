"""LPIPS on weights made here: by hand on a tiny case, names and shapes of the published files, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.metrics.lpips import HEADS, LEAST, SCALE, SHIFT, TRUNK, WIDTHS, load_lpips

SHAPES = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3), 8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}


def trunk() -> dict[str, Tensor]:
    """AlexNet as torchvision names it, its linear layers included (in small): zeros."""
    found = {"classifier.1.weight": torch.zeros(2, 2)}
    for i, shape in SHAPES.items():
        found |= {f"features.{i}.weight": torch.zeros(shape), f"features.{i}.bias": torch.zeros(shape[0])}
    return found


def heads() -> dict[str, Tensor]:
    return {f"lin{i}.model.1.weight": torch.zeros(1, width, 1, 1) for i, width in enumerate(WIDTHS)}


def written(folder: Path, network: dict[str, Tensor], linear: dict[str, Tensor]) -> Path:
    torch.save(network, folder / TRUNK)
    torch.save(linear, folder / HEADS)
    return folder


@pytest.fixture
def random(tmp_path: Path) -> Path:
    drawn = torch.Generator().manual_seed(0)
    network = {key: 0.1 * torch.randn(value.shape, generator=drawn) for key, value in trunk().items()}
    return written(tmp_path, network, {key: torch.rand(v.shape, generator=drawn) for key, v in heads().items()})


def test_by_hand_on_even_images(tmp_path: Path) -> None:
    """First layer: channel 0 is the red value at the kernel's middle, channel 1 is 1; the others and all later layers
    are 0. For even images f = (r, 1) / |(r, 1)|, r = relu((2 v - 1 - shift) / scale)."""
    network, linear = trunk(), heads()
    network["features.0.weight"][0, 0, 5, 5] = 1.0
    network["features.0.bias"][1] = 1.0
    linear["lin0.model.1.weight"][0, 0], linear["lin0.model.1.weight"][0, 1] = 2.0, 0.5
    model = load_lpips(written(tmp_path, network, linear))
    # The first kernel lies over pixels -2 to 8, so that every kernel's middle is inside: the padding has no say.
    found = model(torch.full((1, 1, LEAST, LEAST), 0.9), torch.full((1, 1, LEAST, LEAST), 0.7))
    unit = []
    for value in (0.9, 0.7):
        r = (2 * value - 1 - SHIFT[0]) / SCALE[0]
        length = (r * r + 1) ** 0.5
        unit.append((r / length, 1 / length))
    expected = 2.0 * (unit[0][0] - unit[1][0]) ** 2 + 0.5 * (unit[0][1] - unit[1][1]) ** 2
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_layers_are_summed_and_each_has_its_head(tmp_path: Path, random: Path) -> None:
    drawn = torch.Generator().manual_seed(3)
    a, b = torch.rand(2, 2, 3, 40, 64, generator=drawn)
    every = load_lpips(random)
    whole, parts = every(a, b), torch.zeros(2)
    for i in range(len(WIDTHS)):
        one = load_lpips(random)
        for j, head in enumerate(one.heads):
            if j != i:
                head.zero_()
        assert (one(a, b) > 0).all()
        parts += one(a, b)
    assert torch.allclose(whole, parts, atol=1e-6)


def test_it_is_a_symmetric_distance_and_grey_is_rgb(random: Path) -> None:
    model, drawn = load_lpips(random), torch.Generator().manual_seed(1)
    a, b = torch.rand(2, 3, 1, 28, 28, generator=drawn)
    assert model(a, a).tolist() == [0.0] * 3 and (model(a, b) > 0).all()
    assert torch.allclose(model(a, b), model(b, a))
    assert torch.allclose(model(a, b), model(a.expand(-1, 3, -1, -1), b.expand(-1, 3, -1, -1)))
    near = a.lerp(b, 0.1)
    assert (model(a, near) < model(a, b)).all()
    assert not any(value.requires_grad for value in model.parameters()) and not model.training
    with pytest.raises(ValueError, match="compare like with like"):
        model(a, b[:2])
    with pytest.raises(ValueError, match="1 or 3"):
        model(a.expand(-1, 2, -1, -1), b.expand(-1, 2, -1, -1))


def test_missing_and_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{TRUNK}: put the published file there, AlexNet of torchvision"):
        load_lpips(tmp_path)
    torch.save(trunk(), tmp_path / TRUNK)
    with pytest.raises(FileNotFoundError, match=rf"{HEADS}: .*richzhang/PerceptualSimilarity"):
        load_lpips(tmp_path)
    (tmp_path / HEADS).write_text("no weights")
    with pytest.raises(ValueError, match=rf"{HEADS} cannot be read as weights"):
        load_lpips(tmp_path)
    wrong = heads() | {"lin2.model.1.weight": torch.zeros(1, 256, 1, 1)}
    with pytest.raises(ValueError, match=r"\(1, 256, 1, 1\) as lin2.model.1.weight, not \(1, 384, 1, 1\)"):
        load_lpips(written(tmp_path, trunk(), wrong))
    less = {key: value for key, value in trunk().items() if key != "features.8.bias"}
    with pytest.raises(ValueError, match=r"nothing as features.8.bias, not \(256,\)"):
        load_lpips(written(tmp_path, less, heads()))
    torch.save([1], tmp_path / TRUNK)
    with pytest.raises(ValueError, match="holds a list, not tensors by name"):
        load_lpips(tmp_path)
