"""Procedural chest radiographs with known truth."""

from .dataset import PATHOLOGIES, SHORTCUT, PhantomCase, build_dataset, sample_patient
from .factors import RANGES, VERSION, Factors, Patient, counterfactual
from .render import render

__all__ = [
    "PATHOLOGIES",
    "RANGES",
    "SHORTCUT",
    "VERSION",
    "Factors",
    "Patient",
    "PhantomCase",
    "build_dataset",
    "counterfactual",
    "render",
    "sample_patient",
]
