"""Single-file NIfTI-1 volumes (.nii, .nii.gz): voxels, and where they lie in the head.

A reader of our own, because templates need no more than this: nibabel would come with nilearn alone, and a template
of the user's own should not need it. Source: the NIfTI-1.1 standard (nifti1.h), by its byte offsets.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

HEADER = 348
LARGEST = 1 << 28  # voxels; a template of 1 mm has some 10 million

_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume and its place.

    voxels: (i, j, k) float32, slope and intercept applied.
    affine: (4, 4) float64, from voxel indices to mm: right, anterior, superior (RAS+).
    sha256: of the file's bytes.
    """

    voxels: npt.NDArray[np.float32]
    affine: npt.NDArray[np.float64]
    sha256: str


class NotNifti(ValueError):
    """A file that cannot be read as one volume; the message names it and the remedy."""


def read_nifti(path: Path) -> Volume:
    """The volume in a NIfTI-1 file.

    Raises:
        FileNotFoundError: no such file.
        NotNifti: another format, a cut file, more than one volume, colour or complex voxels, no orientation.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no template at {path}: give a .nii or .nii.gz file, or 'procedural'")
    stored = path.read_bytes()
    data = _unpacked(stored, path)
    if len(data) < HEADER:
        raise NotNifti(f"{path} is not a NIfTI file: it has {len(data)} bytes, a header alone has {HEADER}")
    order = next((o for o in "<>" if struct.unpack_from(o + "i", data)[0] == HEADER), None)
    if order is None or data[344:348] != b"n+1\0":
        raise NotNifti(f"{path} is not a single-file NIfTI-1 image: convert it, for example with dcm2niix")
    dim = struct.unpack_from(order + "8h", data, 40)
    shape = dim[1:4]
    if dim[0] < 3 or min(shape) < 2 or any(d > 1 for d in dim[4 : dim[0] + 1]):
        raise NotNifti(f"{path} has the dimensions {dim[1 : dim[0] + 1]}: one volume of three dimensions is needed")
    code = struct.unpack_from(order + "h", data, 70)[0]
    if code not in _TYPES:
        raise NotNifti(f"{path} has voxels of NIfTI type {code}: save it with whole or floating point numbers")
    kind = np.dtype(order + _TYPES[code])
    offset, slope, intercept = struct.unpack_from(order + "3f", data, 108)
    count = int(np.prod(shape, dtype=np.int64))
    if count > LARGEST or not HEADER <= offset < len(data) or len(data) < int(offset) + count * kind.itemsize:
        raise NotNifti(f"{path} is cut short or too large: its header speaks of {shape} voxels. Copy it again")
    raw = np.frombuffer(data, kind, count, int(offset)).reshape(shape, order="F")
    voxels = raw.astype(np.float32)
    if slope not in (0.0, 1.0) or intercept:
        with np.errstate(all="ignore"):  # what is too large is refused below
            voxels = voxels * np.float32(slope or 1.0) + np.float32(intercept)
    if not np.isfinite(voxels).all():
        raise NotNifti(f"{path} holds voxels that are no numbers: replace them by 0")
    return Volume(voxels, _affine(data, order, path), hashlib.sha256(stored).hexdigest())


def _unpacked(stored: bytes, path: Path) -> bytes:
    """The bytes of the volume, at most as many as the largest volume has."""
    if stored[:2] != b"\x1f\x8b":
        return stored
    reader = zlib.decompressobj(wbits=31)
    try:
        data = reader.decompress(stored, 8 * LARGEST + 4096)
    except zlib.error as error:
        raise NotNifti(f"{path} is a damaged gzip file: copy it again") from error
    return data


def _affine(data: bytes, order: str, path: Path) -> npt.NDArray[np.float64]:
    """The s-form where there is one, else the q-form (nifti1.h, methods 3 and 2)."""
    by_quaternion, by_matrix = struct.unpack_from(order + "2h", data, 252)
    affine = np.eye(4)
    if by_matrix > 0:
        affine[:3] = np.array(struct.unpack_from(order + "12f", data, 280)).reshape(3, 4)
    elif by_quaternion > 0:
        side, *spacing = struct.unpack_from(order + "4f", data, 76)
        b, c, d, *offset = struct.unpack_from(order + "6f", data, 256)
        a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        affine[:3, :3] = turn * np.array([spacing[0], spacing[1], spacing[2] * (-1.0 if side < 0 else 1.0)])
        affine[:3, 3] = offset
    else:
        raise NotNifti(f"{path} does not say how it lies in the head (no sform, no qform): set its orientation")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine)) < 1e-6:
        raise NotNifti(f"{path} has an orientation matrix that cannot be inverted: set its orientation")
    return affine


def write_nifti(path: Path, voxels: npt.NDArray[np.uint8], affine: npt.NDArray[np.float64]) -> None:
    """Writes (i, j, k) uint8 voxels as NIfTI-1; gzip where the name ends in .gz. The same bytes every time."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, HEADER)
    struct.pack_into("<8h", header, 40, 3, *voxels.shape, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 2, 8)
    struct.pack_into("<4f", header, 76, 1.0, *np.linalg.norm(affine[:3, :3], axis=0))
    struct.pack_into("<3f", header, 108, 352.0, 1.0, 0.0)
    struct.pack_into("<2h", header, 252, 0, 2)
    struct.pack_into("<12f", header, 280, *affine[:3].ravel())
    header[344:348] = b"n+1\0"
    data = bytes(header) + voxels.tobytes(order="F")
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
