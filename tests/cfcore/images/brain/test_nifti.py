"""NIfTI volumes: what is written comes back, other files are refused by name."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from cfcore.images.brain import NotNifti, read_nifti, write_nifti

VOXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0.5, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


@pytest.mark.parametrize("name", ["t.nii", "t.nii.gz"])
def test_what_is_written_comes_back(tmp_path: Path, name: str) -> None:
    write_nifti(tmp_path / name, VOXELS, AFFINE)
    volume = read_nifti(tmp_path / name)
    assert volume.voxels.dtype == np.float32
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.affine, AFFINE)


def changed(path: Path, offset: int, code: str, *values: float) -> Path:
    write_nifti(path, VOXELS, AFFINE)
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, offset, *values)
    path.write_bytes(bytes(data))
    return path


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    path = changed(tmp_path / "t.nii", 108, "<3f", 352.0, 0.5, -3.0)
    np.testing.assert_array_equal(read_nifti(path).voxels, VOXELS * 0.5 - 3)


def test_big_endian(tmp_path: Path) -> None:
    write_nifti(tmp_path / "t.nii", VOXELS, AFFINE)
    data = bytearray((tmp_path / "t.nii").read_bytes())
    for offset, code, size in ((0, "i", 4), (40, "8h", 16), (70, "2h", 4), (76, "8f", 32), (108, "3f", 12)):
        data[offset : offset + size] = struct.pack(">" + code, *struct.unpack_from("<" + code, data, offset))
    for offset, code, size in ((252, "2h", 4), (280, "12f", 48)):
        data[offset : offset + size] = struct.pack(">" + code, *struct.unpack_from("<" + code, data, offset))
    (tmp_path / "t.nii").write_bytes(bytes(data))
    volume = read_nifti(tmp_path / "t.nii")
    np.testing.assert_array_equal(volume.voxels, VOXELS)
    np.testing.assert_allclose(volume.affine, AFFINE)


def test_orientation_by_quaternion(tmp_path: Path) -> None:
    # A quarter turn about the third axis, voxels of 2, 3 and 4 mm, the third axis flipped (qfac -1).
    path = changed(tmp_path / "t.nii", 252, "<2h", 1, 0)
    data = bytearray(path.read_bytes())
    struct.pack_into("<4f", data, 76, -1.0, 2.0, 3.0, 4.0)
    struct.pack_into("<6f", data, 256, 0.0, 0.0, np.sqrt(0.5), 7.0, 8.0, 9.0)
    path.write_bytes(bytes(data))
    expected = [[0, -3, 0, 7], [2, 0, 0, 8], [0, 0, -4, 9], [0, 0, 0, 1]]
    np.testing.assert_allclose(read_nifti(path).affine, expected, atol=1e-6)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no template at .*gone.nii.*procedural"):
        read_nifti(tmp_path / "gone.nii")
    (tmp_path / "letter.nii").write_text("Dear reader, " * 40)
    with pytest.raises(NotNifti, match=r"letter.nii is not a single-file NIfTI-1 image"):
        read_nifti(tmp_path / "letter.nii")
    (tmp_path / "short.nii").write_bytes(b"abc")
    with pytest.raises(NotNifti, match=r"short.nii is not a NIfTI file: it has 3 bytes"):
        read_nifti(tmp_path / "short.nii")
    (tmp_path / "torn.nii.gz").write_bytes(b"\x1f\x8b" + gzip.compress(b"x" * 400)[4:])
    with pytest.raises(NotNifti, match=r"torn.nii.gz is a damaged gzip file"):
        read_nifti(tmp_path / "torn.nii.gz")


@pytest.mark.parametrize(
    "offset, code, values, message",
    [
        (40, "<8h", (4, 2, 3, 4, 5, 1, 1, 1), "one volume of three dimensions"),
        (40, "<8h", (3, 20, 30, 40, 1, 1, 1, 1), "cut short or too large"),
        (70, "<h", (128,), "NIfTI type 128"),
        (252, "<2h", (0, 0), "does not say how it lies"),
        (280, "<4f", (0, 0, 0, 0), "cannot be inverted"),
    ],
)
def test_unusable_headers(tmp_path: Path, offset: int, code: str, values: tuple[float, ...], message: str) -> None:
    path = changed(tmp_path / "t.nii", offset, code, *values)
    with pytest.raises(NotNifti, match=message):
        read_nifti(path)


def test_damaged_headers_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.nii"
    write_nifti(path, VOXELS, AFFINE)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        data = bytearray(whole[: int(rng.integers(100, len(whole) + 1))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, min(len(data), 348), 3):
            data[at] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            assert read_nifti(path).voxels.ndim == 3
        except NotNifti as error:
            assert "t.nii" in str(error)
            refused += 1
    assert 50 < refused < 400
