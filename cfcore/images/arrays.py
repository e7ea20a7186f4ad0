"""Labelled images in arrays: an npz of digits, MedMNIST's npz, idx files as MNIST and Fashion-MNIST come in."""

from __future__ import annotations

import gzip
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .errors import ImportRefused
from .image import Pixels
from .splits import split_patients, take_validation

MOST_LABELS = 50
PLAIN = ("images", "labels")
MEDMNIST = {split: (f"{split}_images", f"{split}_labels") for split in ("train", "val", "test")}
IDX = {
    split: (f"{stem}-images-idx3-ubyte", f"{stem}-labels-idx1-ubyte")
    for split, stem in (("train", "train"), ("test", "t10k"))
}
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_IMAGES_MAGIC, _LABELS_MAGIC = 2051, 2049


@dataclass(frozen=True)
class ArraySet:
    """Grey images of one size with one label each.

    Attributes:
        images: (n, h, w) uint8. labels: (n,) whole numbers from 0.
        splits: "train", "val" or "test", one an image.
        layout: "npz", "medmnist" or "idx".
    """

    images: Pixels
    labels: npt.NDArray[np.int64]
    splits: list[str]
    layout: str


def read_arrays(path: Path, seed: int = 0, *, grey: bool = False) -> ArraySet:
    """An npz with `images` and `labels`, one of MedMNIST (Yang et al. 2023), or a folder of idx files (.gz or not).

    MedMNIST's splits are its own. Of idx files the test set is their own, and every eighth training image, alike in
    every class, becomes validation. Otherwise 70 / 10 / 20 % by `cfcore.images.splits.split_patients` with `seed`,
    every image a patient of its own. `grey`: images in colour, (n, h, w, 3) uint8, are read in grey: the luma of ITU-R
    BT.601, 0.299 R + 0.587 G + 0.114 B, rounded.

    Raises:
        ImportRefused: nothing there, or an array is missing, misshapen or in colour; names it and the remedy.
    """
    if path.is_dir():
        return _idx(path, seed)
    if not path.is_file():
        raise ImportRefused(
            f"There is no {path}. Give an npz file with images and labels, one of MedMNIST, or a folder of idx files."
        )
    try:
        found = np.load(path, allow_pickle=False)
        arrays = {} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ImportRefused(f"{path.name} cannot be read as npz ({error}). Save it again with numpy.savez.") from error
    if isinstance(found, np.ndarray):
        raise ImportRefused(f"{path.name} is a single array. Save images and labels together: numpy.savez.")
    found.close()
    if "train_images" in arrays:
        return _medmnist(path.name, arrays, grey)
    images, labels = _checked(path.name, *_pair(path.name, arrays, PLAIN), PLAIN, grey)
    return ArraySet(images, labels, _own_splits(labels, seed), "npz")


def _medmnist(name: str, arrays: Mapping[str, npt.NDArray[np.generic]], grey: bool) -> ArraySet:
    parts = {split: _checked(name, *_pair(name, arrays, keys), keys, grey) for split, keys in MEDMNIST.items()}
    return _joined(parts, "medmnist")


def _idx(folder: Path, seed: int) -> ArraySet:
    parts = {}
    for split, (images, labels) in IDX.items():
        pictures = _idx_file(folder, images, _IMAGES_MAGIC, 3)
        parts[split] = _checked(folder.name, pictures, _idx_file(folder, labels, _LABELS_MAGIC, 1), (images, labels))
    held = take_validation({str(i): f"{label:03d}" for i, label in enumerate(parts["train"][1])}, seed)
    found = _joined(parts, "idx")
    splits = ["val" if split == "train" and str(i) in held else split for i, split in enumerate(found.splits)]
    return ArraySet(found.images, found.labels, splits, "idx")


def _idx_file(folder: Path, name: str, magic: int, axes: int) -> npt.NDArray[np.uint8]:
    """An idx file (LeCun, Cortes & Burges): magic number, one big-endian length an axis, then the bytes."""
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise ImportRefused(f"{folder} has no {name}.gz. Put the four idx files of the data set into one folder.")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found, *shape = struct.unpack(f">{axes + 1}I", data[: 4 * (axes + 1)])
        if found != magic:
            raise ValueError(f"it begins with {found}, expected {magic}")
        return np.frombuffer(data, np.uint8, offset=4 * (axes + 1)).reshape(shape)
    except (ValueError, OSError, EOFError, struct.error) as error:
        raise ImportRefused(f"{path.name} is no such idx file ({error}). Copy it again from its source.") from error


def _pair(
    name: str, arrays: Mapping[str, npt.NDArray[np.generic]], keys: tuple[str, str]
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    missing = [key for key in keys if key not in arrays]
    if missing:
        raise ImportRefused(
            f"{name} has no array {' and '.join(missing)}, only {', '.join(sorted(arrays)) or 'none'}. Expected images "
            "and labels, or train_images, train_labels and the same for val and test (MedMNIST)."
        )
    return arrays[keys[0]], arrays[keys[1]]


def _checked(
    name: str,
    images: npt.NDArray[np.generic],
    labels: npt.NDArray[np.generic],
    keys: tuple[str, str],
    grey: bool = False,
) -> tuple[Pixels, npt.NDArray[np.int64]]:
    what, told = keys
    if images.ndim == 4 and images.shape[3] == 3:
        if not grey:
            raise ImportRefused(
                f"{what} in {name} are in colour, {images.shape}. Grey images are imported: ask for them in grey "
                "(--grey), or save them in grey."
            )
        if images.dtype == np.uint8:
            images = np.rint(images.astype(np.float32) @ LUMA).astype(np.uint8)
    if images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape:
        raise ImportRefused(
            f"{what} in {name} is {images.shape} {images.dtype}. Expected (n, height, width) uint8, 0 black, 255 white."
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ImportRefused(
            f"{told} in {name} is {labels.shape} {labels.dtype}. Expected one whole number an image, ({len(images)},)."
        )
    whole = labels.astype(np.int64)
    if whole.min() < 0 or whole.max() >= MOST_LABELS:
        raise ImportRefused(
            f"{told} in {name} go from {whole.min()} to {whole.max()}. Expected class numbers from 0 to "
            f"{MOST_LABELS - 1}."
        )
    return images.astype(np.uint8, copy=False), whole


def _own_splits(labels: npt.NDArray[np.int64], seed: int) -> list[str]:
    split = split_patients({str(i): f"{label:03d}" for i, label in enumerate(labels)}, seed)
    return [split[str(i)] for i in range(len(labels))]


def _joined(parts: Mapping[str, tuple[Pixels, npt.NDArray[np.int64]]], layout: str) -> ArraySet:
    sizes = {images.shape[1:] for images, _ in parts.values()}
    if len(sizes) > 1:
        raise ImportRefused(f"The splits have images of different sizes, {sorted(sizes)}. Save them at one size.")
    return ArraySet(
        np.concatenate([images for images, _ in parts.values()]),
        np.concatenate([labels for _, labels in parts.values()]),
        [split for split, (images, _) in parts.items() for _ in range(len(images))],
        layout,
    )
