"""The methods of the comparison: what each is set to, and what it makes of images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from cfcore.engines.base import Engine, Progress, silent
from cfcore.engines.c3lt import C3LTConfig, C3LTEngine
from cfcore.engines.cem import CEM, CEMConfig
from cfcore.engines.expgan import ExplainGAN, ExplainGANConfig
from cfcore.engines.mirror import MirrorCFEConfig, MirrorEngine
from cfcore.engines.mirror.engine import MIRROR
from cfcore.engines.pgd import PGD, PGDConfig
from cfcore.engines.revise import Revise, ReviseConfig
from cfcore.engines.searched import Searched
from cfcore.engines.wachter import Wachter, WachterConfig

from .columns import Column, Led

BATCH = 16
AT_MIRROR = "_k1"  # what names of the column k = 1 end in
# The most that a quick run lets a search take.
BRIEF = {"steps": 6, "rounds": 2, "searches": 2}


@dataclass(frozen=True)
class Choice:
    """Settings of a method; `degree`: how far its counterfactual is followed, 1 for the whole way."""

    config: Any
    told: str
    degree: float = 1.0

    def brief(self) -> Choice:
        """The same with few steps."""
        if isinstance(self.config, MirrorCFEConfig):
            return replace(self, config=replace(self.config, search="bisection"))
        known = {name: most for name, most in BRIEF.items() if hasattr(self.config, name)}
        less = {name: min(most, getattr(self.config, name)) for name, most in known.items()}
        return replace(self, config=replace(self.config, **less))


@dataclass(frozen=True)
class Method:
    """A method with the settings among which validation images choose; the first is taken without them.

    Attributes:
        key: what its figures' names begin with. kind: of the trained network that it needs, None without one.
    """

    key: str
    title: str
    engine: type[Engine]
    kind: str | None
    choices: tuple[Choice, ...]


def _degrees(config: Any) -> tuple[Choice, ...]:
    # Networks that draw in one pass have nothing to choose but how far their way is followed.
    return tuple(Choice(config, f"degree {degree:g}", degree) for degree in (1.0, 0.85, 0.7))


METHODS = (
    Method(
        "mirror", "Mirror-CFE", MirrorEngine, "mirror",
        (
            Choice(MirrorCFEConfig(), "prior mask as trained"),
            Choice(MirrorCFEConfig(bounds="own", upper=1.0, lower=0.3), "tau from 1 to 0.3"),
            Choice(MirrorCFEConfig(bounds="own", upper=0.5, lower=0.0), "tau from 0.5 to 0"),
        ),
    ),
    Method(
        "pgd", "PGD 8/255", PGD, None,
        tuple(Choice(PGDConfig(steps=steps), f"{steps} steps of 1/255") for steps in (40, 16, 8)),
    ),
    Method(
        "pgd_03", "PGD 0.3", PGD, None,
        tuple(
            Choice(PGDConfig(budget=0.3, steps=80 // i, step=i / 255), f"{80 // i} steps of {i}/255") for i in (1, 2, 4)
        ),
    ),
    Method(
        "wachter", "Wachter", Wachter, None,
        tuple(
            Choice(WachterConfig(rounds=6, steps=30, growth=4.0, rate=rate), f"rate {rate:g}")
            for rate in (0.01, 0.003, 0.03)
        ),
    ),
    Method(
        "cem", "CEM", CEM, None,
        tuple(
            Choice(CEMConfig(change=change, shrink=shrink, searches=4, steps=50), f"{change}, {shrink}")  # type: ignore[arg-type]
            for change, shrink in (("add", "published"), ("add", "proximal"), ("any", "proximal"))
        ),
    ),
    Method(
        "revise", "REVISE", Revise, "vae",
        tuple(
            Choice(ReviseConfig(weight=weight, distance=norm, steps=100), f"{weight:g} times the L1 {norm}")  # type: ignore[arg-type]
            for weight, norm in ((0.5, "sum"), (0.05, "sum"), (0.5, "mean"))
        ),
    ),
    Method("expgan", "ExplainGAN", ExplainGAN, "expgan", _degrees(ExplainGANConfig())),
    Method("c3lt", "C3LT", C3LTEngine, "c3lt", _degrees(C3LTConfig())),
)  # fmt: skip


def available(column: Column, keys: Iterable[str] | None = None) -> list[Method]:
    """The methods whose networks the column has; `keys`: these alone."""
    wanted = None if keys is None else set(keys)
    return [m for m in METHODS if (wanted is None or m.key in wanted) and (m.kind is None or m.kind in column.networks)]


@dataclass(frozen=True)
class Outcome:
    """Counterfactuals of n images.

    Attributes:
        images, pictures: (n, channels, size, size) in [0, 1]. source, target: (n,) classes.
        found: (n,) bool, whether the method returned a counterfactual. seconds: for all n.
        k: (n,) of Mirror-CFE. intended: (n,) probability of the target at k, wanted: (n, d) z_k. None for others.
    """

    images: Tensor
    pictures: Tensor
    source: Tensor
    target: Tensor
    found: Tensor
    seconds: float
    k: Tensor | None = None
    intended: Tensor | None = None
    wanted: Tensor | None = None


def outcomes(
    method: Method, column: Column, led: Sequence[Led], choice: Choice, progress: Progress = silent
) -> dict[str, Outcome]:
    """What a method makes of all images, by the ending of its figures' names: "" (of Mirror-CFE: the first
    counterfactual), and of Mirror-CFE `AT_MIRROR` (k = 1)."""
    parts: dict[str, list[Outcome]] = {}
    for i, one in enumerate(led):

        def tell(share: float, message: str, begun: int = i) -> None:
            progress((begun + share) / len(led), f"{column.name}: {message}")

        run = _mirrored if method.engine is MirrorEngine else _searched
        for ending, outcome in run(method, column, one, choice, tell).items():
            parts.setdefault(ending, []).append(outcome)
    return {ending: _joined(found) for ending, found in parts.items()}


def _searched(method: Method, column: Column, led: Led, choice: Choice, progress: Progress) -> dict[str, Outcome]:
    assert issubclass(method.engine, Searched)
    generator = column.networks[method.kind] if method.kind else None
    # Not fitted: that would search the images, and the time would not be told.
    engine = method.engine(column.classifier, choice.config, generator)
    found = engine.explain(led.images, led.target, rendering="plain", progress=progress)
    pictures = found.counterfactual
    if choice.degree != 1.0:
        pictures = engine.move(led.images, led.target, degree=choice.degree, rendering="plain").counterfactual
    there = torch.tensor([name is not None for name in found.direction])
    return {"": Outcome(led.images, pictures, *_classes(led), there, found.seconds)}


def mirror_engine(column: Column, config: MirrorCFEConfig) -> MirrorEngine:
    """Mirror-CFE with the column's decoder."""
    decoder: Any = column.networks["mirror"]
    return MirrorEngine(column.classifier, decoder, config)


def _mirrored(method: Method, column: Column, led: Led, choice: Choice, progress: Progress) -> dict[str, Outcome]:
    found = mirror_engine(column, choice.config).explain(led.images, led.target, rendering="plain", progress=progress)
    engine = mirror_engine(column, choice.config)
    n = len(led.images)
    # `explain` draws an image without a counterfactual at the k that came closest, and does not tell it.
    k = found.strength if not found.strength.isnan().any() else engine.first(led.images, led.target)[0]
    first = Outcome(
        led.images,
        found.counterfactual,
        *_classes(led),
        ~found.strength.isnan(),
        found.seconds,
        k,
        *_meant(engine, led, k),
    )
    # Another engine, since this one has seen the images.
    engine, started = mirror_engine(column, choice.config), time.perf_counter()
    pictures = drawn_at(engine, led, torch.ones(n))
    seconds = time.perf_counter() - started
    at = torch.ones(n)
    last = Outcome(led.images, pictures, *_classes(led), at.bool(), seconds, at, *_meant(engine, led, at))
    return {"": first, AT_MIRROR: last}


def drawn_at(engine: MirrorEngine, led: Led, k: Tensor, direction: str = MIRROR) -> Tensor:
    """(n, channels, size, size): the images drawn at (n,) k, or at what `direction` takes as degree."""
    parts = []
    for images, at in zip(led.images.split(BATCH), k.split(BATCH), strict=True):
        codes = engine.encode(images, led.target)
        parts.append(engine.draw(codes, images, {direction: at}, led.target))
    return torch.cat(parts)


@torch.no_grad()
def _meant(engine: MirrorEngine, led: Led, k: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) intended probability of the target and (n, d) z_k at (n,) k."""
    intended, wanted = [], []
    for images, at in zip(led.images.split(BATCH), k.split(BATCH), strict=True):
        way = engine.way(images, led.target)
        intended.append(way.logits(at).softmax(dim=1)[:, led.target])
        wanted.append(way.z(at))
    return torch.cat(intended), torch.cat(wanted)


def _classes(led: Led) -> tuple[Tensor, Tensor]:
    n = len(led.images)
    return torch.full((n,), led.source), torch.full((n,), led.target)


def _joined(parts: Sequence[Outcome]) -> Outcome:
    def together(name: str) -> Any:
        rows = [getattr(part, name) for part in parts]
        return None if any(row is None for row in rows) else torch.cat(rows)

    names = ("images", "pictures", "source", "target", "found", "k", "intended", "wanted")
    return Outcome(**{name: together(name) for name in names}, seconds=sum(part.seconds for part in parts))
