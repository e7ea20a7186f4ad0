"""Data sets from arrays: MNIST, Fashion-MNIST, MedMNIST."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cfcore.images.arrays import ArraySet, read_arrays
from cfcore.images.errors import ImportRefused
from cfcore.images.image import Pixels
from services.importing import ImportResult, Progress, Row, free_name, write_made
from services.reproduce.material import data_folder
from services.workspace import Workspace

MNIST_FILE = "mnist10k.npz"


def import_arrays(
    workspace: Workspace,
    path: Path | None,
    name: str,
    *,
    only: Sequence[int] | None = None,
    label_names: Sequence[str] | None = None,
    seed: int = 0,
    grey: bool = False,
    progress: Progress = lambda share, message: None,
    actor: str = "system",
) -> ImportResult:
    """Imports labelled grey images out of arrays as a new data set; every image is a patient of its own.

    Args:
        path: as `cfcore.images.arrays.read_arrays` reads it; None: mnist10k.npz in the data folder ($CFREADER_DATA).
        only: class numbers to take; all without it. The splits are those of the whole file, so that an image has the
            same one in every data set that is made of the file with one seed.
        label_names: what classes 0, 1, ... are called; by default their digits.
        grey: take images in colour in grey.

    Raises:
        ImportRefused: the name is taken, no such class, too few names, or as `read_arrays`.
    """
    name = free_name(workspace, name)
    path = data_folder() / MNIST_FILE if path is None else path
    found = read_arrays(path, seed, grey=grey)
    classes = sorted(set(found.labels.tolist()))
    names = list(label_names) if label_names else [str(i) for i in range(classes[-1] + 1)]
    if len(names) <= classes[-1] or len(set(names)) < len(names):
        raise ImportRefused(
            f"{len(names)} label names were given, {', '.join(names)}. Expected {classes[-1] + 1} or more, each once, "
            f"for classes 0 to {classes[-1]}."
        )
    if absent := [str(i) for i in only or () if i not in classes]:
        raise ImportRefused(f"{path.name} has no image of {', '.join(absent)}. It has {', '.join(map(str, classes))}.")
    chosen = [int(i) for i in np.flatnonzero(np.isin(found.labels, classes if only is None else list(only)))]
    made = {"file": path.name, "layout": found.layout, "seed": seed, "only": only and list(only), "names": names}
    made |= {"grey": True} if grey else {}
    pictures = _pictures(found, chosen, names)
    return write_made(workspace, name, "digit", made, pictures, len(chosen), progress, actor)


def _pictures(found: ArraySet, chosen: Sequence[int], names: Sequence[str]) -> Iterator[tuple[Pixels, Row]]:
    for i in chosen:
        labels = [names[found.labels[i]]]
        meta = {"source": "array", "index": i}
        yield found.images[i], Row(patient=f"array:{i}", split=found.splits[i], labels=labels, meta=meta)
