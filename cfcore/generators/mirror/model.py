"""The decoder G of Mirror-CFE and the discriminator that it is trained with."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from cfcore.classifiers.base import Classifier
from cfcore.classifiers.program import ProgramClassifier
from cfcore.mirror.maps import prior_mask, threshold
from cfcore.mirror.names import POINTS, Points
from cfcore.training.weights import freeze, load_weights, read_card, save_weights

from .layers import SLOPE, Block, Editor, Join, Spread

Variant = Literal["full", "spe", "skip"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
LEAST_SPREAD = 0.05  # of a level's own, under which a channel counts as even


@dataclass(frozen=True)
class MirrorConfig:
    """The classifier that the decoder reads, and the sizes of the decoder.

    Attributes:
        size: pixels a side. channels: 1 or 3.
        levels: (channels, side) of every level of `Classifier.pyramid`, fine to coarse; the last is A.
        head: `head_digest` of the classifier.
        variant: "full"; "spe": the prior mask is 1 everywhere (the paper's no-CSP); "skip": skips as they are.
        points: the way to the mirror image that it was trained with, see `cfcore.mirror.points.step_of`.
        upper, lower: tau at k = 0 and at k = 1, between 0 and 1.
        width: channels at the finest level, doubled at each coarser one up to `most`. code: channels that A_k is
            brought to before anything else.

    Raises:
        ValueError: what cannot be; says what to choose.
    """

    size: int
    levels: tuple[tuple[int, int], ...]
    head: str
    channels: int = 1
    variant: Variant = "full"
    points: Points = "pairwise"
    upper: float = 0.9
    lower: float = 0.1
    width: int = 24
    most: int = 96
    code: int = 96

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", tuple((int(n), int(side)) for n, side in self.levels))
        if self.variant not in VARIANTS:
            raise ValueError(f"no variant {self.variant!r}; choose one of: {', '.join(VARIANTS)}")
        if self.points not in POINTS:
            raise ValueError(f"no points {self.points!r}; choose one of: {', '.join(POINTS)}")
        if len(self.levels) < 2:
            raise ValueError(
                f"{len(self.levels)} levels: the decoder needs A and at least one finer level to skip from"
            )
        if self.channels not in (1, 3):
            raise ValueError(f"channels is {self.channels}: images have 1 (grey) or 3 (colour)")
        if not 0 <= self.lower <= self.upper <= 1:
            raise ValueError(
                f"tau falls from {self.upper:g} to {self.lower:g}: choose bounds of 0 to 1, the upper one first"
            )
        if min(self.width, self.most, self.code) < 1:
            raise ValueError(f"width {self.width}, most {self.most}, code {self.code}: choose at least 1 for each")

    @property
    def widths(self) -> list[int]:
        """Channels of the decoder at each level, fine to coarse."""
        return [min(self.most, self.width * 2**i) for i in range(len(self.levels))]


class MirrorDecoder(nn.Module):
    """G: a picture from A_k and the source's own levels.

    From the coarsest level up: A_k, enlarged and joined with the skip of every finer level. A skip is M SPE + (1 - M)
    source (Eq. 14), M the prior mask of class activation maps (CSP), SPE the spatial pattern editor. Every channel of a
    level comes less its mean over training images, divided by its spread (`calibrate`).
    """

    kind: ClassVar[str] = "mirror"

    def __init__(self, config: MirrorConfig) -> None:
        super().__init__()
        self.config = config
        widths, counts = config.widths, [n for n, _ in config.levels]
        for i, n in enumerate(counts):
            self.register_buffer(f"mean{i}", torch.zeros(n))
            self.register_buffer(f"spread{i}", torch.ones(n))
        self.compress = nn.Conv2d(counts[-1], config.code, 1)
        self.start = nn.Sequential(nn.Conv2d(config.code, widths[-1], 1), Block(widths[-1]))
        edits = config.variant != "skip"
        self.editors = nn.ModuleList(
            Editor(n, config.code, min(n, width)) if edits else nn.Identity()
            for n, width in zip(counts[:-1], widths[:-1], strict=True)
        )
        self.joins = nn.ModuleList(
            Join(n, coarser, width) for n, width, coarser in zip(counts[:-1], widths[:-1], widths[1:], strict=True)
        )
        self.blocks = nn.ModuleList(Block(width) for width in widths[:-1])
        # The picture may be larger than the finest level: a stem halves it once or twice.
        self.factor = math.ceil(config.size / config.levels[0][1])
        fine = widths[0]
        self.grow: nn.Module = nn.Identity()
        if self.factor > 1:
            fine = max(8, widths[0] // self.factor)
            grown = nn.Conv2d(widths[0], fine * self.factor**2, 3, padding=1)
            self.grow = nn.Sequential(nn.LeakyReLU(SLOPE), grown, Spread(self.factor), Block(fine))
        self.last = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Conv2d(fine, config.channels, 3, padding=1))

    @torch.no_grad()
    def calibrate(self, levels: Sequence[Tensor]) -> None:
        """Take means and spreads of every channel from the levels of some training images."""
        for i, level in enumerate(levels):
            rows = level.transpose(0, 1).flatten(1)
            spread = rows.std(dim=1)
            floor = LEAST_SPREAD * spread.square().mean().sqrt()
            self.get_buffer(f"mean{i}").copy_(rows.mean(dim=1))
            self.get_buffer(f"spread{i}").copy_(spread.clamp_min(float(floor) + 1e-6))

    def forward(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, k: Tensor) -> Tensor:
        """G of points on the way.

        Args:
            moved: (n, d, h, w) A_k. skips: the levels of the source but the last, fine to coarse.
            maps: (n, 2, h, w) class activation maps of source and target, from `cfcore.mirror.maps.class_maps`.
            k: (n,) in [0, 1].

        Returns:
            (n, channels, size, size) in [0, 1].
        """
        return self.draw(moved, skips, maps, threshold(k, self.config.upper, self.config.lower))

    def draw(self, moved: Tensor, skips: Sequence[Tensor], maps: Tensor, tau: Tensor) -> Tensor:
        """As `forward`, with the (n,) thresholds of the prior mask given.

        Raises:
            ValueError: levels of another classifier; says both shapes.
        """
        found = [tuple(level.shape[1:3]) for level in (*skips, moved)]
        if found != list(self.config.levels):
            raise ValueError(
                f"the decoder reads levels (channels, side) {list(self.config.levels)}, these are {found}: use it with "
                "the classifier that it was trained with"
            )
        code = functional.leaky_relu(self.compress(self._even(moved, len(skips))), SLOPE)
        out = self.start(code)
        for i in reversed(range(len(skips))):
            skip = self._skip(i, self._even(skips[i], i), code, maps, tau)
            out = self.blocks[i](self.joins[i](skip, out))
        side = self.config.size
        return self.last(self.grow(out)[:, :, :side, :side]).sigmoid()

    def _skip(self, i: int, skip: Tensor, code: Tensor, maps: Tensor, tau: Tensor) -> Tensor:
        if self.config.variant == "skip":
            return skip
        edited: Tensor = self.editors[i](skip, code)
        if self.config.variant == "spe":
            return edited
        return skip + prior_mask(maps, tau, tuple(skip.shape[2:])) * (edited - skip)

    def _even(self, level: Tensor, i: int) -> Tensor:
        mean, spread = self.get_buffer(f"mean{i}"), self.get_buffer(f"spread{i}")
        out = (level - mean[:, None, None]) / spread[:, None, None]
        return out.contiguous(memory_format=torch.channels_last)


class Discriminator(nn.Module):
    """(n,) logits, positive for real images: strided convolutions under spectral norm (Miyato et al. 2018), which
    keeps D smooth without a second derivative."""

    def __init__(self, size: int, channels: int = 1, width: int = 32, most: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs, side = channels, size
        while side > 4:
            outputs = min(most, width * 2 ** (len(layers) // 2))
            layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(SLOPE)]
            inputs, side = outputs, side // 2
        self.trunk = nn.Sequential(*layers)
        self.last = spectral_norm(nn.Linear(inputs * side * side, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.trunk(images * 2 - 1).flatten(1))[:, 0]


def head_digest(classifier: Classifier) -> str:
    """SHA-256 of the linear head's values, by which a decoder knows its classifier. Raises TypeError as `head`."""
    digest = hashlib.sha256()
    for tensor in classifier.head:
        digest.update(tensor.detach().float().contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def config_for(classifier: Classifier, **more: Any) -> MirrorConfig:
    """The config of a decoder for `classifier`, `more` its other fields.

    Raises:
        ValueError: the classifier has no global average pooling before a linear head, takes no squares, or is a program
            that hides its layers; says which.
    """
    if isinstance(classifier, ProgramClassifier):
        raise ValueError(
            "Mirror-CFE cannot use this classifier: a TorchScript or torch.export program shows its outputs alone, not "
            "the layers that the decoder reads; import its weights as safetensors of a DenseNet or a ResNet"
        )
    size = classifier.size
    if len(size) != 2 or size[0] != size[1]:
        raise ValueError(
            f"Mirror-CFE draws squares, the classifier takes {tuple(size)}: choose one with a square input"
        )
    # In training mode batch norm would learn from the blank image.
    classifier.eval()
    try:
        digest = head_digest(classifier)
        weight, _ = classifier.head
        blank = torch.zeros(1, classifier.channels, *size, device=weight.device)
        levels = tuple((level.shape[1], level.shape[2]) for level in classifier.pyramid(blank))
    except TypeError as error:
        raise ValueError(f"Mirror-CFE cannot use this classifier: {error}") from error
    return MirrorConfig(size=size[0], levels=levels, head=digest, channels=classifier.channels, **more)


def save_mirror(
    folder: Path, model: MirrorDecoder, card: dict[str, Any], discriminator: Discriminator | None = None
) -> str:
    """Write weights and card, and the discriminator so that training can go on later; returns the SHA-256."""
    if discriminator is not None:
        save_weights(folder / "discriminator", discriminator, {"kind": "mirror discriminator"})
    return save_weights(folder, model, {"kind": MirrorDecoder.kind, "config": asdict(model.config)} | card)


def load_mirror(folder: Path) -> MirrorDecoder:
    """A frozen decoder from a model folder. Raises ValueError that says what is wrong with the folder."""
    card = read_card(folder)
    if card.get("kind") != MirrorDecoder.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a Mirror-CFE decoder")
    model = MirrorDecoder(MirrorConfig(**card["config"]))
    load_weights(folder, model)
    freeze(model)
    return model
