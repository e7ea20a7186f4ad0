"""StylEx as one module: mapping, synthesis, encoder and the label embedding that conditions every style."""

from __future__ import annotations

import json
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cfcore.training.weights import (
    CARD,
    fill,
    freeze,
    load_tensors,
    load_weights,
    model_sha256,
    read_card,
    save_weights,
)

from .critic import Discriminator, Encoder
from .detail import Detail, load_detail, save_detail
from .synthesis import Mapping, Synthesis

SPREAD = 1.0
LEADING = 20


def _channels(**widths: int) -> dict[int, int]:
    return {int(name[1:]): width for name, width in widths.items()}


@dataclass(frozen=True)
class StylExConfig:
    """Sizes of the networks.

    Attributes:
        size: pixels. width: length of w. condition: length of the label embedding. classes: of the classifier.
        encoder_passes: 1, the paper's encoder; 2: it looks again at what its first reconstruction misses.
        channels: feature channels of the synthesis per resolution; critic_channels: of encoder and discriminator.
    """

    size: int = 64
    width: int = 512
    condition: int = 16
    classes: int = 2
    encoder_passes: int = 1
    channels: MappingABC[int, int] = field(
        default_factory=lambda: _channels(r4=256, r8=256, r16=128, r32=64, r64=24, r128=16, r256=16)
    )
    critic_channels: MappingABC[int, int] = field(
        default_factory=lambda: _channels(r4=256, r8=256, r16=128, r32=64, r64=16, r128=16, r256=16)
    )

    def __post_init__(self) -> None:
        if self.size < 8 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 8, not {self.size}")
        if self.encoder_passes not in (1, 2):
            raise ValueError(f"encoder_passes must be 1 or 2, not {self.encoder_passes}")
        # JSON turns integer keys into text.
        for name in ("channels", "critic_channels"):
            widths = {int(k): int(v) for k, v in getattr(self, name).items() if int(k) <= self.size}
            missing = [r for r in (2**i for i in range(2, self.size.bit_length())) if r not in widths]
            if missing:
                raise ValueError(f"{name} says nothing for resolution {missing[0]}")
            object.__setattr__(self, name, widths)


class StylEx(nn.Module):
    """Generator and encoder of StylEx.

    The condition is C's class of the source image and stays so in reconstruction, search and explanation: if it
    changed, it would cause the flip by itself (METHODS 1).
    """

    kind = "stylex"

    def __init__(self, config: StylExConfig) -> None:
        super().__init__()
        self.config = config
        channels, critic = dict(config.channels), dict(config.critic_channels)
        self.embedding = nn.Embedding(config.classes, config.condition)
        self.mapping = Mapping(config.width, config.classes)
        self.synthesis = Synthesis(config.size, channels, config.width, config.condition)
        self.encoder = Encoder(config.size, critic, config.width, config.encoder_passes)
        self._neutral: Tensor | None = None

    def encode(self, images: Tensor) -> Tensor:
        """(n, 1, size, size) in [0, 1] to (n, width) codes w. A picture that is drawn on the way, between two passes or
        for the detail layer, carries no gradient and is drawn under the mean of all classes: a code does not depend on
        C."""
        w = self.encode_plain(images)
        detail = self.synthesis.detail
        return w if detail is None else detail.written(w, images - self.plain(w.detach()))

    def encode_plain(self, images: Tensor) -> Tensor:
        """`encode` without the detail layer."""
        w = self.encoder(images)
        return w + self.encoder.correct(images, self.plain(w.detach())) if self.encoder.passes == 2 else w

    @torch.no_grad()
    def plain(self, w: Tensor) -> Tensor:
        """(n, width) codes to (n, 1, size, size) pictures without detail layer, under the mean of all classes; not
        clamped."""
        neutral = self.embedding.weight.mean(dim=0) if self._neutral is None else self._neutral
        return self.synthesis.plain(w, neutral.expand(len(w), -1))

    def sample(self, z: Tensor, label: Tensor) -> Tensor:
        """(n, width) z ~ N(0, I) and (n,) class indices to (n, width) codes of patients that do not exist."""
        w = self.mapping(z, label)
        detail = self.synthesis.detail
        return w if detail is None or len(detail.last_weight) else detail.without(w)

    @torch.no_grad()
    def attach(self, detail: Detail) -> None:
        """Give the generator its detail layer: the styles no longer see the layer's directions of w, which are held at
        their mean for them. Raises ValueError where there is one already."""
        if self.synthesis.detail is not None:
            raise ValueError("the generator has a detail layer already")
        self.synthesis.detail = detail
        for affine in (*self.synthesis.affines, *self.synthesis.image_affines):
            own = affine.weight[:, : self.config.width]
            seen = own @ detail.axes.T
            affine.bias.add_(affine.gain * (seen @ (detail.axes @ detail.centre)))
            own.sub_(seen @ detail.axes)
        if len(detail.last_weight):
            self.mapping.set_last(detail.last_weight, detail.last_bias)
            self.mapping.straight = True

    @torch.no_grad()
    def keep_classes(self, rows: Sequence[int]) -> None:
        """Forget all classes but `rows`, in this order: of a generator that several classifiers share, what one of them
        conditions. Raises ValueError for a class that there is not."""
        if not rows or not all(0 <= row < self.config.classes for row in rows):
            raise ValueError(f"class rows {list(rows)} are not among the generator's {self.config.classes}")
        self._neutral = self.embedding.weight.mean(dim=0)
        for owner in (self, self.mapping):
            owner.embedding = nn.Embedding.from_pretrained(owner.embedding.weight[list(rows)].clone())
        self.config = replace(self.config, classes=len(rows))

    def decode(self, w: Tensor, label: Tensor) -> Tensor:
        """(n, width) codes and (n,) class indices to (n, 1, size, size) images, clamped to [0, 1]."""
        return self.synthesis(w, self.embedding(label)).clamp(0, 1)

    def decode_styles(self, styles: Tensor, w: Tensor, label: Tensor) -> Tensor:
        """Like `decode`, with the (n, m) StyleSpace coordinates given; ToRGB keeps following w."""
        condition = self.embedding(label)
        return self.synthesis.draw(styles, self.synthesis.image_styles(w, condition)).clamp(0, 1)

    def styles(self, w: Tensor, label: Tensor) -> Tensor:
        """(n, m) StyleSpace coordinates."""
        return self.synthesis.styles(w, self.embedding(label))

    @property
    def style_dimension(self) -> int:
        """m, the length of the StyleSpace."""
        return sum(self.synthesis.style_lengths)

    def style_weights(self) -> Tensor:
        """(m, width) stacked affine weights of all non-ToRGB layers, their w columns only."""
        return torch.cat([affine.weight[:, : self.config.width] * affine.gain for affine in self.synthesis.affines])

    @torch.no_grad()
    def code_scale(self, images: Tensor) -> float:
        """Factor by which codes must be stretched to spread by `SPREAD` over (n, 1, size, size) images in [0, 1].

        The spread is the root mean square, over the `LEADING` first right singular vectors of the style weights (the
        directions that EigenFind scans), of the codes' standard deviation along each.
        """
        codes = torch.cat([self.encode(chunk) for chunk in images.split(64)])
        vectors = torch.linalg.svd(self.style_weights(), full_matrices=False).Vh[:LEADING]
        return SPREAD / (codes @ vectors.T).var(dim=0).mean().sqrt().item()

    @torch.no_grad()
    def scale_codes(self, factor: float) -> None:
        """Stretch the w space by `factor`; every picture stays what it was.

        A degree of change is a length in w, whose size is arbitrary, and the papers are silent on it. Stretched by
        `code_scale`, d counts standard deviations of the training images' codes, for every generator.
        """
        for layer in (*self.encoder.heads, self.mapping.last):
            layer.weight.mul_(factor)
            layer.bias.mul_(factor)
        for affine in (*self.synthesis.affines, *self.synthesis.image_affines):
            affine.weight[:, : self.config.width].div_(factor)
        if self.synthesis.detail is not None:
            self.synthesis.detail.scale_codes(factor)

    def new_discriminator(self) -> Discriminator:
        """A fresh discriminator of matching size."""
        return Discriminator(self.config.size, dict(self.config.critic_channels), self.config.classes)


def load_earlier(folder: Path, model: StylEx) -> None:
    """Fill `model` from a stored generator that may be smaller in two ways: one encoder pass where the model has two
    (the second begins with no correction), fewer classes (their embeddings are repeated).

    Raises ValueError where the weights differ otherwise.
    """
    read = load_tensors(folder)
    own = model.state_dict()
    for name in ("embedding.weight", "mapping.embedding.weight"):
        if name in read and len(read[name]) < len(own[name]):
            read[name] = read[name][torch.arange(len(own[name])) % len(read[name])]
    start = "encoder.trunk.start.weight"
    if model.encoder.passes == 2 and start in read and read[start].shape[1] == 1:
        # Twice the inputs, and so another gain of the equalised learning rate.
        read[start] = torch.cat([read[start], torch.zeros_like(read[start])], dim=1) * 2**0.5
        fresh = {name: torch.zeros_like(own[name]) for name in own if name.startswith("encoder.correction.")}
        read = fresh | read
    fill(model, read)


def save_stylex(
    folder: Path,
    model: StylEx,
    card: dict[str, Any],
    discriminator: Discriminator | None = None,
    detail: Detail | None = None,
) -> str:
    """Write the weights of a plain generator and its card; the discriminator too, so that training can go on later, and
    the detail layer. Returns the card's SHA-256: that of the weights file, or of its digest and the detail's.

    Raises:
        ValueError: `model` has its detail layer in it already; training could not go on from such weights.
    """
    if model.synthesis.detail is not None:
        raise ValueError("save the plain generator, and its detail layer beside it")
    if discriminator is not None:
        save_weights(folder / "discriminator", discriminator, {"kind": "stylex discriminator"})
    digest = save_weights(folder, model, {"kind": StylEx.kind, "config": asdict(model.config)} | card)
    return digest if detail is None else add_detail(folder, detail)


def add_detail(folder: Path, detail: Detail) -> str:
    """Write a detail layer beside a stored generator; returns the SHA-256 that its card now has."""
    save_detail(folder, detail)
    digest = model_sha256(folder)
    (folder / CARD).write_text(json.dumps(read_card(folder) | {"sha256": digest}, indent=2) + "\n")
    return digest


def load_plain(folder: Path) -> StylEx:
    """The weights of a model folder as they were trained: no detail layer, codes not stretched, all classes.

    Raises ValueError that says what is wrong with the folder.
    """
    card = read_card(folder)
    if card.get("kind") != StylEx.kind:
        raise ValueError(f"the model folder holds a {card.get('kind')!r}, not a StylEx generator")
    model = StylEx(StylExConfig(**card["config"]))
    load_weights(folder, model)
    return model


def load_stylex(folder: Path) -> StylEx:
    """A frozen StylEx from a model folder with the detail layer beside it, its codes stretched by the card's
    "code_scale", conditioned by its "class_rows" alone where several classifiers share the weights.

    Raises ValueError that says what is wrong with the folder.
    """
    card = read_card(folder)
    model = load_plain(folder)
    detail = load_detail(folder, model.config.size, model.config.width)
    if detail is not None:
        model.attach(detail)
    model.scale_codes(card.get("code_scale", 1.0))
    if "class_rows" in card:
        model.keep_classes(card["class_rows"])
    freeze(model)
    return model
