"""What people are told of every method before it is loaded: plain data, one entry a method. No torch here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cfcore.settings import Setting, settings_of

from .settings import Settings


@dataclass(frozen=True)
class Method:
    """A method of the registry.

    Attributes:
        name, title, generator_kind: as the engine class has them. short: its title in a word or two.
        config: "module:class" of its Config; a module without torch opens a form at once.
        about: what tells it from other methods, in one sentence without a full stop.
        fit_images: its `fit` wants other images than those that are explained, on which it ranks directions or, as
            Mirror-CFE, measures its effect. One that looks for each image's counterfactual alone has nothing to choose:
            it measures its effect on images that it explains.
    """

    name: str
    title: str
    short: str
    generator_kind: str | None
    config: str
    about: str
    fit_images: bool = True

    def config_class(self) -> type:
        """The Config, imported now."""
        module, name = self.config.split(":")
        found: type = getattr(importlib.import_module(module), name)
        return found

    def settings(self) -> tuple[Setting, ...]:
        """What a form asks for."""
        return settings_of(self.config_class())

    def groups(self) -> Mapping[str, str]:
        """Heading -> what holds while its settings are not asked for."""
        config = self.config_class()
        return config.groups if issubclass(config, Settings) else {}


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "eigenfind",
            "StylEx with EigenFind",
            "EigenFind",
            "stylex",
            "cfcore.engines.eigenfind.config:EigenFindConfig",
            "moves along eigenvectors of all style weights",
        ),
        Method(
            "attfind",
            "StylEx with AttFind",
            "AttFind",
            "stylex",
            "cfcore.engines.attfind.config:AttFindConfig",
            "moves one style coordinate at a time",
        ),
        Method(
            "medxgan",
            "medXGAN",
            "medXGAN",
            "medxgan",
            "cfcore.engines.medxgan.config:MedXGANConfig",
            "takes the pathology out of an image's anatomy, or draws one into it",
        ),
        Method(
            "gradcam",
            "Grad-CAM ablation",
            "Grad-CAM",
            None,
            "cfcore.engines.ablation.config:GradCamConfig",
            "replaces the pixels under the classifier's last feature maps",
        ),
        Method(
            "ig",
            "Integrated Gradients ablation",
            "IG",
            None,
            "cfcore.engines.ablation.config:IntegratedGradientsConfig",
            "replaces the pixels that the classifier's gradients add up on",
        ),
        Method(
            "lig",
            "Latent Integrated Gradients ablation",
            "LIG",
            "medxgan",
            "cfcore.engines.ablation.config:LIGConfig",
            "replaces the pixels that gradients along medXGAN's traversal add up on",
        ),
        Method(
            "medxgan difference",
            "medXGAN difference ablation",
            "medXGAN difference",
            "medxgan",
            "cfcore.engines.ablation.config:DifferenceConfig",
            "replaces the pixels in which medXGAN's two realisations differ most",
        ),
        Method(
            "mirror",
            "Mirror-CFE",
            "Mirror-CFE",
            "mirror",
            "cfcore.engines.mirror.config:MirrorCFEConfig",
            "moves the image's features to their mirror image behind the classifier's boundary, by a wanted confidence",
        ),
        Method(
            "wachter",
            "Wachter's gradient method",
            "Wachter",
            None,
            "cfcore.engines.wachter.config:WachterConfig",
            "changes pixels by plain gradients, as little as its weight of the class allows",
            fit_images=False,
        ),
        Method(
            "cem",
            "CEM",
            "CEM",
            None,
            "cfcore.engines.cem.config:CEMConfig",
            "adds the fewest and faintest pixels that make another class",
            fit_images=False,
        ),
        Method(
            "pgd",
            "PGD",
            "PGD",
            None,
            "cfcore.engines.pgd.config:PGDConfig",
            "moves every pixel against the classifier within a budget, an adversarial attack",
            fit_images=False,
        ),
        Method(
            "revise",
            "REVISE",
            "REVISE",
            "vae",
            "cfcore.engines.revise.config:ReviseConfig",
            "moves the latent of a VAE by gradients until the class changes",
            fit_images=False,
        ),
        Method(
            "expgan",
            "ExplainGAN",
            "ExplainGAN",
            "expgan",
            "cfcore.engines.expgan.config:ExplainGANConfig",
            "draws another class under a mask, in one pass",
            fit_images=False,
        ),
        Method(
            "c3lt",
            "C3LT",
            "C3LT",
            "c3lt",
            "cfcore.engines.c3lt.config:C3LTConfig",
            "moves the latent of a VAE to another class by a network, in one pass",
            fit_images=False,
        ),
    )
}


def method_named(name: str) -> Method:
    """The method called `name`. Raises ValueError that lists the known ones."""
    if name not in METHODS:
        raise ValueError(f"no method {name!r}; known are {', '.join(METHODS)}")
    return METHODS[name]


def title_of(engine: str | None) -> str:
    """What people call the method `engine`; its bare name where it is not known (any more), "" for None."""
    return METHODS[engine].title if engine in METHODS else engine or ""


def drawings_an_image(engine: str, config: Mapping[str, Any], generator_card: Mapping[str, Any]) -> int:
    """How many moved pictures the search of `engine` draws of every image, see `Settings.drawings_an_image`; 0, too,
    for settings that do not go together."""
    kind = METHODS[engine].config_class()
    if not issubclass(kind, Settings):
        return 0
    try:
        return kind(**config).drawings_an_image(generator_card)
    except ValueError:
        return 0
