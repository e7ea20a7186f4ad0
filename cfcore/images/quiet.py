"""Keeps what third parties say about a file out of logs and warnings: headers name patients."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom.config

for _name in ("pydicom", "PIL", "openjpeg"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


@contextmanager
def quiet() -> Iterator[None]:
    """Silences warnings that quote header values (pydicom) or EXIF values (Pillow)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
