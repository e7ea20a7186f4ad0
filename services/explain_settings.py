"""What a run of kind "explain" is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from cfcore.engines.catalogue import METHODS
from cfcore.rendering import DEFAULT_RENDERING, RENDERINGS, Rendering
from services.ground_truth import CASES
from services.selection import ImageRule

if TYPE_CHECKING:
    from cfcore.engines.base import Engine

MOST_IMAGES = 5000


class RunRefused(ValueError):
    """A run cannot be started, cancelled or resumed; the message says what to change."""


@dataclass(frozen=True)
class ExplainSettings:
    """Settings of a run of kind "explain".

    Attributes:
        engine: key of the registry, e.g. "eigenfind". target: the class to move to.
        images: which images to explain. fit: which ones the directions are ranked on; for a method that asks for none
            of its own (`Method.fit_images`) the first of those to explain, unless a split is named.
        rendering: one of `cfcore.rendering`. config: fields of the engine's Config, the rest at their defaults.
    """

    engine: str
    target: str
    images: ImageRule
    fit: ImageRule
    rendering: Rendering
    config: dict[str, Any]

    @classmethod
    def of(cls, settings: dict[str, Any]) -> ExplainSettings:
        """Read {"engine", "target", "images": {"split", "n", "seed", "predicted", "case"}, "fit_split", "fit_n",
        "rendering", "config"}; everything but engine and target has a default. Raises RunRefused for what makes no
        sense."""
        for key in ("engine", "target"):
            if not settings.get(key):
                raise RunRefused(f"the run needs a {key}: choose one")
        rule = settings.get("images", {})
        seed, predicted, case = int(rule.get("seed", 0)), rule.get("predicted") or None, rule.get("case") or "all"
        if case not in CASES:
            raise RunRefused(f"no case {case!r}: choose one of {', '.join(CASES)}")
        images = ImageRule(rule.get("split", "test"), int(rule.get("n", 100)), seed, predicted, case)
        fit_n = int(settings.get("fit_n", 64))
        rendering = settings.get("rendering", DEFAULT_RENDERING)
        if rendering not in RENDERINGS:
            raise RunRefused(f"no rendering {rendering!r}; choose one of: {', '.join(RENDERINGS)}")
        for n, what in ((images.n, "images to explain"), (fit_n, "images to rank directions on")):
            if not 1 <= n <= MOST_IMAGES:
                raise RunRefused(f"the number of {what} is {n}; choose 1 to {MOST_IMAGES}")
        if predicted == settings["target"]:
            raise RunRefused(f"the images are {predicted} already; choose another target or other images")
        method = METHODS.get(settings["engine"])
        if method is not None and not method.fit_images and not settings.get("fit_split"):
            fit = replace(images, n=min(images.n, fit_n))
        else:
            # Not of the case: a direction is one of the classifier, and its errors are few.
            fit = ImageRule(settings.get("fit_split") or "val", fit_n, seed, predicted)
        return cls(settings["engine"], settings["target"], images, fit, rendering, dict(settings.get("config", {})))

    def config_of(self, kind: type[Engine]) -> Any:
        """The engine's Config with these settings. Raises RunRefused that names the unknown or impossible one."""
        known = {field.name for field in fields(kind.Config)}
        if unknown := sorted(set(self.config) - known):
            raise RunRefused(f"{kind.title} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}")
        try:
            return kind.Config(**self.config)
        except ValueError as error:
            raise RunRefused(f"{kind.title}: {error}") from error
