"""Ablation by the maps that a medXGAN generator gives: what it changes, and the gradient along the way."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.lig import lig, lig_path
from cfcore.attribution.score import Score
from cfcore.classifiers.base import Classifier
from cfcore.engines.medxgan import MedXGANEngine
from cfcore.generators.medxgan import MedXGAN

from .config import DifferenceConfig, LatentConfig, LIGConfig
from .engine import Ablation


class _Latent(Ablation):
    """Maps between an image's reconstruction G(z1, z2) and its realisation of the other class, G(z1, z2').

    z2' is medXGAN's own: 0 towards the negative class, as published; towards the positive class, where the paper has
    no map, the first of its drawn pathologies.
    """

    generator_kind = MedXGAN.kind

    def __init__(self, classifier: Classifier, config: LatentConfig, generator: nn.Module | None = None) -> None:
        super().__init__(classifier, config, generator)
        if not isinstance(generator, MedXGAN):
            raise ValueError(f"{self.title} needs a trained medXGAN generator: choose or train one for this classifier")
        self.medxgan = MedXGANEngine(classifier, generator, config.inversion)

    def encode(self, images: Tensor, target: int) -> Tensor:
        # All of a batch at once; the maps below then find their latents known.
        self.medxgan.encode(images, target)
        return super().encode(images, target)

    def _drawn(self, image: Tensor, score: Score) -> Any:
        """(codes, towards) -> pictures: `towards` (n, 1) is 0 for the realisation of the other class and 1 for the
        reconstruction, the shape that `lig` walks along."""

        def decode(codes: Tensor, towards: Tensor) -> Tensor:
            return self.medxgan.draw(codes, image, {None: 1 - towards[:, 0]}, score.target)

        return decode


class Difference(_Latent):
    """The pixels replaced in which the two realisations differ most: medXGAN in Table 2 of seed 001."""

    name = "medxgan difference"
    title = "medXGAN difference ablation"
    paper = "seed 001: Dravid et al., medXGAN, CVPR Workshops 2022, section 4.1 and Table 2"
    Config = DifferenceConfig

    def _map(self, image: Tensor, score: Score) -> Tensor:
        codes, decode = self.medxgan.encode(image, score.target), self._drawn(image, score)
        one = torch.ones(1, 1, device=image.device)
        return (decode(codes, one) - decode(codes, 0 * one)).abs().mean(dim=1, keepdim=True)


class LatentIntegratedGradients(_Latent):
    """The pixels replaced that latent Integrated Gradients name."""

    name = "lig"
    title = "Latent Integrated Gradients ablation"
    paper = "seed 001: Dravid et al., medXGAN, CVPR Workshops 2022, equation 7 and section 4.2"
    Config = LIGConfig
    signed_attribution = True
    config: LIGConfig

    def _map(self, image: Tensor, score: Score) -> Tensor:
        codes, decode = self.medxgan.encode(image, score.target), self._drawn(image, score)
        one = torch.ones(1, 1, device=image.device)
        if self.config.form == "pixels":
            return integrated_gradients(score, image, decode(codes, 0 * one), self.config.steps).values
        form = lig if self.config.form == "published" else lig_path
        return form(score, decode, codes, one, self.config.steps).values
