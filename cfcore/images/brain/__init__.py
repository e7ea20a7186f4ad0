"""MRI-like brain slices with planted lesions and known truth: docs/brain.md."""

from .dataset import CLASSES, VERSION, BrainCase, build_brains
from .lesion import Lesion
from .nifti import NotNifti, Volume, read_nifti, write_nifti
from .procedural import procedural_template
from .render import LARGEST, SMALLEST, Slice, check_size, draw
from .subject import Subject
from .template import Template, read_template
from .truth import decode_mask, decode_twin, encode_mask, encode_twin

__all__ = [
    "CLASSES",
    "LARGEST",
    "SMALLEST",
    "VERSION",
    "BrainCase",
    "Lesion",
    "NotNifti",
    "Slice",
    "Subject",
    "Template",
    "Volume",
    "build_brains",
    "check_size",
    "decode_mask",
    "decode_twin",
    "draw",
    "encode_mask",
    "encode_twin",
    "procedural_template",
    "read_nifti",
    "read_template",
    "write_nifti",
]
