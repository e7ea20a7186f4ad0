"""Synthetic DICOM files."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

DicomMaker = Callable[..., Dataset]


def make_dataset(stored: np.ndarray, bits: int | None = None, **attributes: Any) -> Dataset:
    """A CR image with `stored` (h, w) values of `bits`; attributes are added or replaced, None removes."""
    allocated = stored.dtype.itemsize * 8
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["instance"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study"])
    dataset.PatientID = "P1"
    dataset.Modality = "CR"
    dataset.BurnedInAnnotation = "NO"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.BitsAllocated = allocated
    dataset.BitsStored = bits or allocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    pixels = stored.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OW" if allocated > 8 else "OB"
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def written(dataset: Dataset, **options: Any) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, **options)
    return buffer.getvalue()


@pytest.fixture
def dicom_dataset() -> DicomMaker:
    return make_dataset


@pytest.fixture
def dicom_bytes() -> Callable[..., bytes]:
    """(stored, bits, **attributes) -> the bytes of a DICOM file."""
    return lambda stored, bits=None, **attributes: written(make_dataset(stored, bits, **attributes))
