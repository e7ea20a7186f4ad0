"""Ablation by the maps that need the classifier alone."""

from __future__ import annotations

from torch import Tensor

from cfcore.attribution.gradcam import gradcam
from cfcore.attribution.ig import integrated_gradients
from cfcore.attribution.score import Score

from .config import GradCamConfig, IntegratedGradientsConfig
from .engine import Ablation


class GradCam(Ablation):
    """The pixels under Grad-CAM replaced."""

    name = "gradcam"
    title = "Grad-CAM ablation"
    paper = "Grad-CAM: Selvaraju et al., ICCV 2017; replaced pixels: seed 001, section 4.1 and Table 2"
    Config = GradCamConfig

    def _map(self, image: Tensor, score: Score) -> Tensor:
        return gradcam(score, image)


class IntegratedGradients(Ablation):
    """The pixels of the largest Integrated Gradients replaced."""

    name = "ig"
    title = "Integrated Gradients ablation"
    paper = "Integrated Gradients: Sundararajan et al., ICML 2017; replaced pixels: seed 001, sections 4.1 and 4.2"
    Config = IntegratedGradientsConfig
    signed_attribution = True
    config: IntegratedGradientsConfig

    def _map(self, image: Tensor, score: Score) -> Tensor:
        return integrated_gradients(score, image, self.config.baseline, self.config.steps).values
