"""Images in arrays: what is read, into which splits, and what is refused by name."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cfcore.images.arrays import IDX, read_arrays
from cfcore.images.errors import ImportRefused

Bytes = npt.NDArray[np.uint8]


def pictures(n: int, *more: int) -> Bytes:
    return np.random.default_rng(n).integers(0, 256, (n, 28, 28, *more), dtype=np.uint8)


def digits(n: int) -> Bytes:
    return (np.arange(n) % 10).astype(np.uint8)


def idx(folder: Path, name: str, values: Bytes, *, packed: bool = True) -> None:
    head = struct.pack(f">{values.ndim + 1}I", 2051 if values.ndim == 3 else 2049, *values.shape)
    data = head + values.tobytes()
    if packed:
        (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    else:
        (folder / name).write_bytes(data)


def idx_folder(folder: Path, *, packed: bool = True) -> Path:
    for (images, labels), n in zip(IDX.values(), (80, 20), strict=True):
        idx(folder, images, pictures(n), packed=packed)
        idx(folder, labels, digits(n), packed=packed)
    return folder


def test_an_npz_is_split_alike_in_every_class(tmp_path: Path) -> None:
    path = tmp_path / "digits.npz"
    np.savez(path, images=pictures(300), labels=digits(300))
    found = read_arrays(path, 3)
    assert found.layout == "npz"
    np.testing.assert_array_equal(found.images, pictures(300))
    np.testing.assert_array_equal(found.labels, digits(300))
    splits = np.array(found.splits)
    for digit in range(10):
        of_it = splits[found.labels == digit].tolist()
        assert [of_it.count(split) for split in ("train", "val", "test")] == [21, 3, 6]
    assert read_arrays(path, 3).splits == found.splits != read_arrays(path, 4).splits


def test_medmnist_keeps_its_splits(tmp_path: Path) -> None:
    path = tmp_path / "pneumoniamnist.npz"
    parts = {"train": 7, "val": 2, "test": 3}
    arrays: dict[str, Any] = {f"{split}_images": pictures(n) for split, n in parts.items()}
    arrays |= {f"{split}_labels": digits(n)[:, None] for split, n in parts.items()}
    np.savez(path, **arrays)
    found = read_arrays(path)
    assert (found.layout, found.splits) == ("medmnist", ["train"] * 7 + ["val"] * 2 + ["test"] * 3)
    assert found.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 0, 1, 2]
    np.testing.assert_array_equal(found.images[7:9], pictures(2))


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_keep_their_test_set(tmp_path: Path, packed: bool) -> None:
    found = read_arrays(idx_folder(tmp_path, packed=packed))
    assert (found.layout, found.images.shape) == ("idx", (100, 28, 28))
    assert found.splits[80:] == ["test"] * 20 and found.splits.count("val") == 10
    assert sorted(found.labels[np.array(found.splits) == "val"]) == list(range(10))
    np.testing.assert_array_equal(found.images[80:], pictures(20))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"images": pictures(3)},
            "a.npz has no array labels, only images. Expected images and labels, or train_images",
        ),
        ({"train_images": pictures(3)}, "no array train_labels"),
        ({"images": pictures(3, 3), "labels": digits(3)}, r"in colour, \(3, 28, 28, 3\).*ask for them in grey"),
        (
            {"images": pictures(3) / 255, "labels": digits(3)},
            r"is \(3, 28, 28\) float64. Expected \(n, height, width\)",
        ),
        ({"images": pictures(3), "labels": digits(4)}, r"labels in a.npz is \(4,\) uint8.*one whole number an image"),
        ({"images": pictures(3), "labels": np.eye(3)}, r"labels in a.npz is \(3, 3\)"),
        ({"images": pictures(3), "labels": np.array([0, 1, 700])}, "go from 0 to 700. Expected class numbers from 0"),
    ],
)
def test_what_is_missing_or_misshapen_is_named(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ImportRefused, match=message):
        read_arrays(tmp_path / "a.npz")


def test_colours_are_read_in_grey_where_that_is_asked(tmp_path: Path) -> None:
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [90, 90, 90]], dtype=np.uint8)
    images = np.broadcast_to(colours[:, None, None], (4, 28, 28, 3))
    np.savez(tmp_path / "a.npz", images=images, labels=digits(4))
    found = read_arrays(tmp_path / "a.npz", grey=True)
    assert found.images.dtype == np.uint8 and found.images.shape == (4, 28, 28)
    assert found.images[:, 0, 0].tolist() == [76, 150, 29, 90]
    with pytest.raises(ImportRefused, match=r"in colour, \(4, 28, 28, 3\).*ask for them in grey \(--grey\)"):
        read_arrays(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=images / 255, labels=digits(4))
    with pytest.raises(ImportRefused, match=r"Expected \(n, height, width\) uint8"):
        read_arrays(tmp_path / "b.npz", grey=True)


def test_files_that_are_no_arrays(tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match=r"There is no .*b\.npz. Give an npz file"):
        read_arrays(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_text("letters")
    with pytest.raises(ImportRefused, match=r"c\.npz cannot be read as npz"):
        read_arrays(tmp_path / "c.npz")
    np.save(tmp_path / "d.npy", pictures(2))
    with pytest.raises(ImportRefused, match=r"d\.npy is a single array"):
        read_arrays(tmp_path / "d.npy")
    with np.errstate(all="ignore"):
        np.savez(tmp_path / "e.npz", images=np.array([{}], dtype=object), labels=digits(1))
    with pytest.raises(ImportRefused, match=r"e\.npz cannot be read"):
        read_arrays(tmp_path / "e.npz")


def test_a_folder_without_the_four_files(tmp_path: Path) -> None:
    idx_folder(tmp_path)
    name = "t10k-labels-idx1-ubyte"
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(b"\0\0\0\1"))
    with pytest.raises(ImportRefused, match=f"{name}.gz is no such idx file"):
        read_arrays(tmp_path)
    (tmp_path / f"{name}.gz").unlink()
    with pytest.raises(ImportRefused, match=f"has no {name}.gz. Put the four idx files"):
        read_arrays(tmp_path)
