"""LPIPS (Zhang et al. 2018) with AlexNet, from the published weights; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.training.weights import freeze

from .validity import BATCH

TRUNK, HEADS = "alexnet-owt-7be5be79.pth", "alex.pth"
ORIGIN: Mapping[str, str] = {
    TRUNK: "AlexNet of torchvision, https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    HEADS: "lpips/weights/v0.1/alex.pth of https://github.com/richzhang/PerceptualSimilarity",
}
# As published: of images in [-1, 1].
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
WIDTHS = (64, 192, 384, 256, 256)
TAPS = (1, 4, 7, 9, 11)  # layers of the trunk after which features are compared, behind their ReLU
LEAST = 64  # px; the heads were fitted to patches of 64 px, and below 31 px the trunk has no place left


class LPIPS(nn.Module):
    """d(x, x') = sum over layers of the mean over places of sum over channels w (f(x) - f(x'))^2, f of unit length
    over the channels of each place, w >= 0 the published heads. 0 for equal images.

    Frozen and in evaluation mode. Modules have the names of the published files.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.heads = nn.ParameterList(torch.zeros(width) for width in WIDTHS)
        freeze(self)

    @torch.no_grad()
    def forward(self, images: Tensor, pictures: Tensor) -> Tensor:
        """(n,) distances of (n, channels, h, w) images in [0, 1], grey or RGB, to pictures of the same shape. Where a
        side is shorter than 64 px both are enlarged, bilinearly, until it has 64.

        Raises:
            ValueError: different shapes; neither one channel nor three.
        """
        if images.shape != pictures.shape:
            raise ValueError(
                f"images are {tuple(images.shape)}, pictures {tuple(pictures.shape)}: compare like with like"
            )
        if images.dim() != 4 or images.shape[1] not in (1, 3):
            raise ValueError(f"images are {tuple(images.shape)}: LPIPS compares (n, 1 or 3, h, w)")
        pairs = zip(images.split(BATCH), pictures.split(BATCH), strict=True)
        return torch.cat([self._distance(*pair) for pair in pairs])

    def _distance(self, images: Tensor, pictures: Tensor) -> Tensor:
        one, other = self._maps(images), self._maps(pictures)
        layers = zip(self.heads, one, other, strict=True)
        found = [((a - b).square() * w[:, None, None]).sum(dim=1).mean(dim=(1, 2)) for w, a, b in layers]
        return torch.stack(found).sum(dim=0)

    def _maps(self, images: Tensor) -> list[Tensor]:
        """Of each compared layer the features, of length 1 at every place."""
        x = images.float().expand(-1, 3, -1, -1)
        if (short := min(x.shape[2:])) < LEAST:
            size = [round(side * LEAST / short) for side in x.shape[2:]]
            x = functional.interpolate(x, size=size, mode="bilinear", align_corners=False)
        shift, scale = (x.new_tensor(values)[:, None, None] for values in (SHIFT, SCALE))
        x, found = (2 * x - 1 - shift) / scale, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                found.append(x / (x.norm(dim=1, keepdim=True) + 1e-10))
        return found


def load_lpips(folder: Path) -> LPIPS:
    """The network of the two published files in a folder.

    Raises:
        FileNotFoundError: a file is missing; says which and where it comes from.
        ValueError: a file holds something else; says which and what was expected.
    """
    trunk, heads = _read(folder / TRUNK), _read(folder / HEADS)
    model = LPIPS()
    for key, value in model.features.named_parameters(prefix="features"):
        value.copy_(_tensor(trunk, key, value.shape, folder / TRUNK))
    for i, head in enumerate(model.heads):
        head.copy_(_tensor(heads, f"lin{i}.model.1.weight", torch.Size((1, len(head), 1, 1)), folder / HEADS).flatten())
    return model


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no {path}: put the published file there, {ORIGIN[path.name]}; nothing is downloaded")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch tells a file that is none by errors of many kinds
        raise ValueError(f"{path} cannot be read as weights: take {ORIGIN[path.name]}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, not tensors by name: take {ORIGIN[path.name]}")
    return found


def _tensor(tensors: Mapping[str, Any], key: str, shape: torch.Size, path: Path) -> Tensor:
    found = tensors.get(key)
    if not isinstance(found, Tensor) or found.shape != shape:
        told = tuple(found.shape) if isinstance(found, Tensor) else "nothing"
        raise ValueError(f"{path} has {told} as {key}, not {tuple(shape)}: take {ORIGIN[path.name]}")
    return found
