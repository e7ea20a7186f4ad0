"""Data sets out of arrays: labels, splits that outlast a choice of classes, and a classifier of all of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cfcore.images.errors import ImportRefused
from db.models import Dataset, Image
from services.arrays import import_arrays
from services.cli.main import app
from services.images import read_pixels
from services.workspace import Workspace

N = 120


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Six classes, each with a bright bar at a place of its own."""
    labels = np.arange(N) % 6
    images = np.random.default_rng(0).integers(0, 60, (N, 28, 28), dtype=np.uint8)
    for i, label in enumerate(labels):
        images[i, 4 * label + 1 : 4 * label + 5] += 190
    path = tmp_path / "digits.npz"
    np.savez(path, images=images, labels=labels.astype(np.uint8))
    return path


def rows(workspace: Workspace, dataset_id: int) -> list[Image]:
    with workspace.session() as session:
        return list(session.scalars(sa.select(Image).where(Image.dataset_id == dataset_id).order_by(Image.id)))


def test_every_digit_is_its_own_patient(workspace: Workspace, digits: Path) -> None:
    result = import_arrays(workspace, digits, "mnist", seed=5)
    found = rows(workspace, result.dataset_id)
    assert len(found) == len({image.patient for image in found}) == result.imported == N
    assert Counter(image.labels[0] for image in found) == Counter({str(i): 20 for i in range(6)})
    counts = Counter((image.labels[0], image.split) for image in found)
    assert all(counts[str(i), s] == n for i in range(6) for s, n in (("train", 14), ("val", 2), ("test", 4)))
    with np.load(digits) as arrays:
        for image in found[:8]:
            np.testing.assert_array_equal(read_pixels(workspace, image), arrays["images"][image.meta["index"]])
    with workspace.session() as session:
        dataset = session.get_one(Dataset, result.dataset_id)
    assert dataset.meta["digit"]["seed"] == 5 and dataset.meta["digit"]["file"] == "digits.npz"


def test_some_classes_keep_the_splits_of_all(workspace: Workspace, digits: Path) -> None:
    every = rows(workspace, import_arrays(workspace, digits, "all").dataset_id)
    some = rows(workspace, import_arrays(workspace, digits, "some", only=[1, 4]).dataset_id)
    assert {image.labels[0] for image in some} == {"1", "4"} and len(some) == 40
    assert {(i.sha256, i.split) for i in some} <= {(i.sha256, i.split) for i in every}


def test_classes_can_be_named(workspace: Workspace, digits: Path) -> None:
    names = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal"]
    found = rows(workspace, import_arrays(workspace, digits, "fashion", label_names=names).dataset_id)
    assert [image.labels[0] for image in found[:6]] == names
    with pytest.raises(ImportRefused, match=r"2 label names were given, a, b\. Expected 6 or more"):
        import_arrays(workspace, digits, "again", label_names=["a", "b"])
    with pytest.raises(ImportRefused, match=r"digits\.npz has no image of 7. It has 0, 1, 2, 3, 4, 5"):
        import_arrays(workspace, digits, "again", only=[1, 7])
    with pytest.raises(ImportRefused, match="called 'fashion' already"):
        import_arrays(workspace, digits, "fashion")


def test_the_command_line(workspace: Workspace, digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = CliRunner().invoke(app, ["mnist", str(digits), "--name", "pair", "--digits", "3, 5", "--json"])
    assert call.exit_code == 0 and json.loads(call.stdout)["imported"] == 40
    bad = CliRunner().invoke(app, ["mnist", str(digits), "--name", "x", "--digits", "three"])
    assert bad.exit_code == 1 and "--digits takes whole numbers" in bad.output
    monkeypatch.setenv("CFREADER_DATA", str(digits.parent))
    digits.rename(digits.parent / "mnist10k.npz")
    assert CliRunner().invoke(app, ["mnist", "--name", "default"]).exit_code == 0
    monkeypatch.setenv("CFREADER_DATA", str(digits.parent / "elsewhere"))
    gone = CliRunner().invoke(app, ["mnist", "--name", "gone"])
    assert gone.exit_code == 1 and "mnist10k.npz. Give an npz file" in " ".join(gone.output.split())


def test_colours_are_taken_in_grey_on_demand(workspace: Workspace, tmp_path: Path) -> None:
    red = np.zeros((20, 28, 28, 3), dtype=np.uint8)
    red[..., 0] = 200
    np.savez(tmp_path / "cells.npz", images=red, labels=np.arange(20, dtype=np.uint8) % 2)
    call = CliRunner().invoke(app, ["mnist", str(tmp_path / "cells.npz"), "--name", "cells"])
    assert call.exit_code == 1 and "(--grey)" in call.output
    call = CliRunner().invoke(app, ["mnist", str(tmp_path / "cells.npz"), "--name", "cells", "--grey", "--json"])
    assert call.exit_code == 0, call.output
    dataset_id = json.loads(call.stdout)["dataset"]
    assert {int(read_pixels(workspace, image).max()) for image in rows(workspace, dataset_id)} == {60}
    with workspace.session() as session:
        assert session.get_one(Dataset, dataset_id).meta["digit"]["grey"] is True
