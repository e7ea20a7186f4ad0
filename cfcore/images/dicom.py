"""DICOM files to exact gray pixels, black = 0.

What is done to the pixels is reversible, but for lookup tables: signed values are shifted to start at 0, a negative
rescale slope and MONOCHROME1 are inverted, and the window is carried over to the same scale. A linear rescale is
therefore not multiplied in (it would round), it only moves the window. A modality LUT, a VOI LUT and a SIGMOID
window are no such maps: they are applied.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pixel_array
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cfcore.images.codestream import codestream_size
from cfcore.images.deidentify import deidentify
from cfcore.images.errors import Reason, UnreadableImage
from cfcore.images.image import MODALITIES, BurnedIn, Image, Pixels, Window, known_view, settle_window
from cfcore.images.quiet import quiet
from cfcore.images.raster import MAX_PIXELS, gray_of

_MAX_INFLATED_BYTES = 2**29
_EXPLICIT_VRS = frozenset(b"AE AS CS DA DS DT IS LO LT OB OW PN SH ST TM UI UL UN US UT SQ".split())


@dataclass(frozen=True)
class DicomKeys:
    """What tells patients apart, for the importer's plan only; never stored as it is."""

    patient_id: str | None
    study_uid: str | None
    view: str | None


def is_dicom(data: bytes) -> bool:
    """Whether `data` starts like a DICOM file: the preamble, or bare group 2 or 8 elements in little endian."""
    if data[128:132] == b"DICM":
        return True
    if len(data) < 16 or data[:2] not in (b"\x02\x00", b"\x08\x00") or data[3] != 0:
        return False
    if data[4:6] in _EXPLICIT_VRS:
        return True
    length: int = struct.unpack_from("<I", data, 4)[0]
    return length % 2 == 0 and length <= 64


def read_keys(path: Path) -> DicomKeys | None:
    """Patient id, study UID and view of the file at `path`; None if it is no DICOM file.

    Reads the header only. Raises UnreadableImage (DAMAGED, UNOPENABLE).
    """
    try:
        with path.open("rb") as file, quiet():
            if not is_dicom(file.read(256)):
                return None
            file.seek(0)
            dataset = _parse(file, header_only=True)
    except OSError:
        raise UnreadableImage(Reason.UNOPENABLE) from None
    try:
        with quiet():
            return DicomKeys(
                patient_id=_text(dataset, "PatientID"),
                study_uid=_text(dataset, "StudyInstanceUID"),
                view=known_view(_text(dataset, "ViewPosition")),
            )
    except Exception:
        raise UnreadableImage(Reason.DAMAGED) from None


def read_dicom(data: bytes) -> Image:
    """The image in the bytes of a DICOM file with one gray frame of 2 to 16 bits.

    Modality LUT, then VOI LUT or window (PS3.3 C.11.1, C.11.2): see the module. Padding pixels become black. An
    RGB, YBR or palette image with equal channels is gray, other colour is refused. Raises UnreadableImage.
    """
    dataset = deidentify(_parse(io.BytesIO(data)))
    _check(dataset)
    try:
        decoded = pixel_array(dataset)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            decoded = pydicom.pixels.apply_color_lut(decoded, dataset)
    except Exception:
        raise UnreadableImage(_decoding_reason(dataset)) from None
    try:
        pixels, max_value, window = _from_colour(decoded) if decoded.ndim == 3 else _from_gray(decoded, dataset)
    except UnreadableImage:
        raise
    except Exception:
        raise UnreadableImage(Reason.DAMAGED) from None
    return Image(
        pixels=pixels,
        max_value=max_value,
        window=window or settle_window(pixels, max_value),
        view=known_view(_text(dataset, "ViewPosition")),
        burned_in=_burned_in(dataset),
        source_kind="dicom",
        modality=_text(dataset, "Modality") if _text(dataset, "Modality") in MODALITIES else None,
        spacing=_spacing(dataset),
        lossy=_text(dataset, "LossyImageCompression") == "01",
    )


def _parse(file: BinaryIO, header_only: bool = False) -> Dataset:
    try:
        file.seek(128)
        preamble = file.read(4) == b"DICM"
        if preamble:
            _check_inflated(file)
        file.seek(0)
        dataset = pydicom.dcmread(file, force=not preamble, stop_before_pixels=header_only)
        if not dataset:
            raise UnreadableImage(Reason.DAMAGED)
        if "TransferSyntaxUID" not in dataset.file_meta:
            _settle_syntax(dataset)
    except UnreadableImage:
        raise
    except Exception:
        raise UnreadableImage(Reason.DAMAGED) from None
    return dataset


def _settle_syntax(dataset: Dataset) -> None:
    """Files without meta information say how they are coded only by how they were parsed."""
    implicit, little = dataset.original_encoding
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    )


def _check_inflated(file: BinaryIO) -> None:
    """Refuses a deflated data set that grows beyond `_MAX_INFLATED_BYTES`, without keeping what it inflates."""
    meta = pydicom.filereader._read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while (rest := file.read(2**16)) and not inflater.eof:
        while rest and not inflater.eof:
            size += len(inflater.decompress(rest, 2**20))
            rest = inflater.unconsumed_tail
            if size > _MAX_INFLATED_BYTES:
                raise UnreadableImage(Reason.TOO_LARGE)


def _check(dataset: Dataset) -> None:
    """Refuses, from the header alone, what would not be one gray frame of sensible size."""
    if not dataset.get("PixelData"):
        raise UnreadableImage(Reason.NO_PIXELS)
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
        declared = codestream_size(dataset)
    except Exception:
        raise UnreadableImage(Reason.DAMAGED) from None
    if rows * columns > MAX_PIXELS:
        raise UnreadableImage(Reason.TOO_LARGE)
    if frames > 1:
        raise UnreadableImage(Reason.MULTI_FRAME)
    if rows * columns == 0 or (declared and declared != (rows, columns)):
        raise UnreadableImage(Reason.DAMAGED)
    if allocated not in (8, 16) or not 2 <= stored <= allocated:
        raise UnreadableImage(Reason.UNSUPPORTED)


def _decoding_reason(dataset: Dataset) -> Reason:
    try:
        decoder = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID)
    except NotImplementedError:
        return Reason.UNSUPPORTED
    return Reason.DAMAGED if decoder.is_available else Reason.UNSUPPORTED


def _from_colour(decoded: npt.NDArray[Any]) -> tuple[Pixels, int, Window | None]:
    pixels = gray_of(decoded)
    return pixels, int(np.iinfo(pixels.dtype).max), None


def _from_gray(decoded: npt.NDArray[Any], dataset: Dataset) -> tuple[Pixels, int, Window | None]:
    bits, signed = int(dataset.BitsStored), int(dataset.get("PixelRepresentation") or 0) == 1
    stored = decoded.astype(np.int32)
    padding = _padding(stored, dataset)
    first, max_value = -(2 ** (bits - 1)) if signed else 0, 2**bits - 1
    slope, intercept = _number(dataset, "RescaleSlope") or 1.0, _number(dataset, "RescaleIntercept") or 0.0
    if dataset.get("ModalityLUTSequence"):
        values, depth = _look_up(stored, dataset.ModalityLUTSequence[0])
        max_value, first, slope, intercept = 2**depth - 1, 0, 1.0, 0.0
    else:
        values = np.clip(stored, first, first + max_value)
    window = _window(dataset)
    sigmoid = window is not None and _text(dataset, "VOILUTFunction") == "SIGMOID"
    table = dataset.VOILUTSequence[0] if dataset.get("VOILUTSequence") else None
    if table is not None and (window is None or int(table.LUTDescriptor[2]) >= bits):
        physical = np.rint(slope * values + intercept).astype(np.int32)
        values, depth = _look_up(physical, table)
        max_value, window = 2**depth - 1, None
    elif sigmoid and window is not None:
        exponent = np.clip(-4 * (slope * values + intercept - window[0]) / window[1], -700, 700)
        values = np.rint(65535 / (1 + np.exp(exponent))).astype(np.int32)
        max_value, window = 65535, None
    else:
        values = values - first
        if window is not None:
            window = (window[0] - intercept - slope * first) / slope, window[1] / abs(slope)
        if slope < 0:
            values, window = _inverted(values, max_value, window)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        values, window = _inverted(values, max_value, window)
    values[padding] = 0
    pixels: Pixels = values.astype(np.uint8 if max_value <= 255 else np.uint16)
    return pixels, max_value, window


def _inverted(
    values: npt.NDArray[np.int32], max_value: int, window: Window | None
) -> tuple[npt.NDArray[np.int32], Window | None]:
    return max_value - values, window and (max_value - window[0], window[1])


def _window(dataset: Dataset) -> Window | None:
    """First stated window in modality values, as centre and width of LINEAR_EXACT; None if there is none.

    LINEAR (PS3.3 C.11.2.1.2.1) is LINEAR_EXACT with centre - 0.5 and width - 1.
    """
    centre, width = _number(dataset, "WindowCenter"), _number(dataset, "WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    if (_text(dataset, "VOILUTFunction") or "LINEAR") == "LINEAR":
        if width < 1:
            return None
        return centre - 0.5, max(width - 1, 1e-3)
    return centre, width


def _look_up(values: npt.NDArray[np.int32], table: Dataset) -> tuple[npt.NDArray[np.int32], int]:
    """Values through a lookup table (PS3.3 C.11.1.1.1, C.11.2.1.1) and the bits of its entries.

    Not pydicom's own: that one overflows for an 8-bit table behind 16-bit pixels and knows no 12-bit modality LUT.
    """
    count, first, depth = (int(v) for v in table.LUTDescriptor)
    count = count or 2**16
    if not 8 <= depth <= 16:
        raise UnreadableImage(Reason.UNSUPPORTED)
    raw = table.LUTData
    if isinstance(raw, bytes):
        raw = np.frombuffer(raw, dtype=np.uint8 if len(raw) in (count, count + 1) else "<u2")
    entries = np.atleast_1d(np.asarray(raw, dtype=np.int32))[:count]
    if len(entries) != count:
        raise UnreadableImage(Reason.DAMAGED)
    if first > 2**15 and values.min() < 0:
        first -= 2**16
    return np.clip(entries, 0, 2**depth - 1)[np.clip(values - first, 0, count - 1)], depth


def _padding(stored: npt.NDArray[np.int32], dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Pixels that only fill the rectangle (PS3.3 C.7.5.1.1.2)."""
    value, limit = _number(dataset, "PixelPaddingValue"), _number(dataset, "PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = value if limit is None else limit
    return (stored >= min(value, limit)) & (stored <= max(value, limit))


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        try:
            row, column = (float(v) for v in dataset.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if row > 0 and column > 0:
            return row, column
    return None


def _burned_in(dataset: Dataset) -> BurnedIn:
    word = _text(dataset, "BurnedInAnnotation")
    return "yes" if word == "YES" else "no" if word == "NO" else "unknown"


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = dataset.get(keyword)
    return str(value).strip() or None if value is not None else None


def _number(dataset: Dataset, keyword: str) -> float | None:
    """First value of a numeric attribute; None if absent, empty or no number."""
    value = dataset.get(keyword)
    if isinstance(value, pydicom.multival.MultiValue):
        value = value[0] if value else None
    try:
        number = float(value) if value is not None and value != "" else None
    except (TypeError, ValueError):
        return None
    return number if number is not None and np.isfinite(number) else None
