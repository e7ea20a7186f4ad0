"""Procedural chest radiographs with known truth: docs/phantom.md."""

from .dataset import PATHOLOGIES, SHORTCUT, PhantomCase, build_dataset, sample_patient
from .factors import RANGES, VERSION, Factors, Patient, counterfactual
from .masks import CLASSES, changed_region, masks
from .measure import Measurement, measure, measure_batch
from .render import render

__all__ = [
    "CLASSES",
    "PATHOLOGIES",
    "RANGES",
    "SHORTCUT",
    "VERSION",
    "Factors",
    "Measurement",
    "Patient",
    "PhantomCase",
    "build_dataset",
    "changed_region",
    "counterfactual",
    "masks",
    "measure",
    "measure_batch",
    "render",
    "sample_patient",
]
