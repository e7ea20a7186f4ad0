"""Which classifiers are columns, which decoder stands first, and which images are held out."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.generators.c3lt import C3LT
from cfcore.generators.c3lt import C3LTConfig as C3LTNetworks
from cfcore.generators.c3lt.model import save_c3lt
from cfcore.generators.mirror import MirrorDecoder, save_mirror
from cfcore.generators.mirror.model import config_for
from cfcore.generators.vae import VAE, VAEConfig
from cfcore.generators.vae.model import save_vae
from services.arrays import MNIST_FILE
from services.reproduce.mirror import material
from services.reproduce.mirror.array_sets import absent_sets, as_many
from services.reproduce.mirror.columns import column_of
from services.reproduce.mirror.material import Pool, entries, strangers

DIGITS = tuple("0123456789")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Untrained networks of the real classes under their cards, and forty digits of noise."""
    torch.manual_seed(0)
    folder = tmp_path / "weights"
    monkeypatch.setattr(material, "SHIPPED_FOLDER", folder)
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path / "data"))
    classifier = build_classifier("resnet18", DIGITS, 28, width=0.05)
    save_classifier(folder / "c", classifier, {"name": "MNIST, ResNet-18"})
    config = config_for(classifier, width=4, most=4, code=4)
    a_decoder(folder / "m", config, "MNIST, Mirror-CFE", "MNIST, ResNet-18")
    save_vae(folder / "v", VAE(VAEConfig(size=28, latent=4, width=16)), {"name": "V", "classifier": "MNIST, ResNet-18"})
    return folder


def a_decoder(folder: Path, config: Any, name: str, classifier: str, **recipe: float) -> None:
    save_mirror(folder, MirrorDecoder(config), {"name": name, "classifier": classifier, "recipe": recipe})


def digits(folder: Path, n: int = 400) -> None:
    folder.mkdir(parents=True)
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 255, (n, 28, 28), dtype=np.uint8)
    np.savez(folder / MNIST_FILE, images=images, labels=np.arange(n) % 10)


def idx_folder(folder: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Sixty training and thirty test images of noise; returns the test images and their classes."""
    folder.mkdir(parents=True)
    drawn, parts = np.random.default_rng(1), {}
    for stem, n in (("train", 60), ("t10k", 30)):
        images, labels = drawn.integers(0, 255, (n, 28, 28), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, n, 28, 28) + images.tobytes())
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, n) + labels.tobytes())
        parts[stem] = images, labels
    return parts["t10k"]


def test_a_classifier_with_a_decoder_is_a_column(weights: Path, tmp_path: Path) -> None:
    (entry,) = entries()
    assert entry.name == "mnist" and set(entry.rivals) == {"vae"}
    assert entry.absent_of(("vae", "c3lt")) == ["MNIST, ResNet-18: no C3LT (cfreader train c3lt)"]
    assert "set CFREADER_DATA to the folder that holds mnist10k.npz" in entry.missing()
    digits(tmp_path / "data")
    (entry,) = entries()
    assert entry.missing() == ""
    assert list(entry.inputs(("vae",))) == [
        "mnist classifier",
        "mnist decoder MNIST, Mirror-CFE",
        "mnist vae",
        MNIST_FILE,
    ]
    column = column_of(entry)
    assert column is column_of(entry) and set(column.networks) == {"mirror", "vae"}
    assert column.directions == ((3, 8), (8, 3), (4, 9), (9, 4), (5, 6), (6, 5)) and column.targets == [
        3,
        4,
        5,
        6,
        8,
        9,
    ]


def test_digits_are_those_of_the_pairs_in_the_split_of_seed_0(weights: Path, tmp_path: Path) -> None:
    digits(tmp_path / "data")
    column = column_of(entries()[0])
    test, val = column.pool("test"), column.pool("val")
    assert isinstance(test, Pool) and test.images.shape == (48, 1, 28, 28) and len(val.labels) == 24
    assert test.labels.bincount().tolist() == [0, 0, 0, 8, 8, 8, 8, 0, 8, 8] and test.images.max() <= 1
    assert column.pool("test") is test, "read once"
    seen = {image.numpy().tobytes() for image in test.images}
    assert not seen & {image.numpy().tobytes() for image in val.images}


def test_the_decoder_for_the_tables_stands_first(weights: Path) -> None:
    (entry,) = entries()
    card = entry.decoder.card["config"]
    config = config_for(build_classifier("resnet18", DIGITS, 28, width=0.05), width=4, most=4, code=4)
    assert card["width"] == 4
    more = weights.parent / "models"
    a_decoder(weights / "a", replace(config, variant="skip"), "MNIST, skip", "MNIST, ResNet-18", lam=1.5)
    a_decoder(more / "b", config, "MNIST, lam 2", "MNIST, ResNet-18", lam=2.0)
    a_decoder(more / "c", config, "MNIST, none", "MNIST, ResNet-18", triangulation_weight=0.0)
    (entry,) = entries(more)
    assert [m.name for m in entry.decoders] == ["MNIST, Mirror-CFE", "MNIST, lam 2", "MNIST, none", "MNIST, skip"]
    assert [m.name for m in entries()[0].decoders] == ["MNIST, Mirror-CFE", "MNIST, skip"]
    assert len(entry.inputs()) < len(entry.inputs(every=True))
    a_decoder(weights / "ablations" / "d", config, "MNIST, alike", "MNIST, ResNet-18")
    assert [m.name for m in entries()[0].ablations] == ["MNIST, alike"]
    (entry,) = entries(more)
    assert [m.name for m in entry.ablations] == ["MNIST, lam 2", "MNIST, none", "MNIST, alike"]
    assert "MNIST, alike" not in [m.name for m in entry.decoders]
    assert "mnist decoder MNIST, alike" in entry.inputs(every=True) and "MNIST, alike" not in str(entry.inputs())
    with pytest.raises(ValueError, match="there is no model in"):
        entries(weights / "m")


def test_phantoms_and_radiographs_are_columns_too(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "PHANTOMS", {"val": 6, "test": 6})
    for name, positive in (("Phantom effusion", "Effusion"), ("UCSD pneumonia", "Pneumonia")):
        classifier = build_classifier("resnet18", (f"No {positive}", positive), 64, width=0.05)
        save_classifier(weights / f"{name} c", classifier, {"name": f"{name}, ResNet"})
        config = config_for(classifier, width=4, most=4, code=4)
        a_decoder(weights / f"{name} m", config, f"{name}, Mirror-CFE", f"{name}, ResNet")
    latent = VAEConfig(size=64, latent=4, width=16)
    card = {"name": "C", "classifier": "Phantom effusion, ResNet"}
    save_c3lt(weights / "c3", C3LT(C3LTNetworks(latent, classes=2), VAE(latent)), card)
    found = entries()
    assert [e.name for e in found] == ["mnist", "phantom", "ucsd"]
    phantom = column_of(found[1])
    assert phantom.directions == ((1, 0), (0, 1)) and phantom.finding == "effusion"
    assert set(phantom.networks) == {"mirror", "c3lt"}
    pool = phantom.pool("val")
    assert len(pool.cases) == len(pool.images) == 6 and pool.images.shape[1:] == (1, 64, 64)
    assert "no radiographs" in found[2].missing()
    classifier = build_classifier("resnet18", ("No Atelectasis", "Atelectasis"), 64, width=0.05)
    save_classifier(weights / "z", classifier, {"name": "Phantom atelectasis, ResNet"})
    a_decoder(weights / "y", config_for(classifier, width=4), "Phantom atelectasis", "Phantom atelectasis, ResNet")
    assert [e.name for e in entries()] == ["mnist", "phantom_effusion", "phantom_atelectasis", "ucsd"]


def test_what_cannot_be_a_column_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "SHIPPED_FOLDER", tmp_path)
    with pytest.raises(ValueError, match="no Mirror-CFE decoder is shipped under weights/: train one"):
        entries()
    classifier = build_classifier("resnet18", ("a", "b"), 28, width=0.05)
    config = config_for(classifier, width=4, most=4, code=4)
    a_decoder(tmp_path / "m", config, "Toy", "Toys")
    with pytest.raises(ValueError, match=r"m/card\.json names the classifier 'Toys': not found"):
        entries()
    save_classifier(tmp_path / "c", classifier, {"name": "Toys"})
    with pytest.raises(ValueError, match="does not say whose images it reads: name mnist, fashion, blood, phantom"):
        entries()


def test_decoders_of_other_images_are_left_out_and_named(weights: Path) -> None:
    more = weights.parent / "models"
    two = build_classifier("resnet18", ("No Cardiomegaly", "Cardiomegaly"), 28, width=0.05)
    save_classifier(more / "h", two, {"name": "Hearts, DenseNet-121"})
    a_decoder(more / "i", config_for(two, width=4), "Hearts, Mirror-CFE", "Hearts, DenseNet-121")
    halves = build_classifier("resnet18", ("0", "3"), 28, width=0.05)
    save_classifier(more / "j", halves, {"name": "MNIST of two, ResNet-18"})
    a_decoder(more / "k", config_for(halves, width=4), "MNIST of two, Mirror-CFE", "MNIST of two, ResNet-18")
    other = build_classifier("resnet18", DIGITS, 28, width=0.04)
    save_classifier(more / "l", other, {"name": "Kuzushiji-MNIST, ResNet-18"})
    a_decoder(more / "m", config_for(other, width=4), "Kuzushiji-MNIST, Mirror-CFE", "Kuzushiji-MNIST, ResNet-18")
    assert [e.classifier.name for e in entries(more)] == ["MNIST, ResNet-18"]
    told = strangers(more)
    assert [line.split(": ")[0] for line in told] == [
        "Hearts, Mirror-CFE",
        "MNIST of two, Mirror-CFE",
        "Kuzushiji-MNIST, Mirror-CFE",
    ]
    assert all("/card.json does not say whose images it reads: name mnist, fashion" in line for line in told)


@pytest.mark.parametrize("called", [DIGITS, ("Shirt", "Coat", "sneaker", "boot")], ids=["numbers", "names"])
def test_fashion_is_a_column_where_a_user_has_it(weights: Path, tmp_path: Path, called: tuple[str, ...]) -> None:
    more = tmp_path / "models"
    classifier = build_classifier("resnet18", called, 28, width=0.05)
    save_classifier(more / "f", classifier, {"name": "Fashion-MNIST, ResNet-18"})
    a_decoder(more / "g", config_for(classifier, width=4), "Fashion-MNIST, Mirror-CFE", "Fashion-MNIST, ResNet-18")
    mnist, fashion = entries(more)
    assert (mnist.name, fashion.name) == ("mnist", "fashion")
    assert "set CFREADER_DATA to the folder that holds fashion-mnist" in fashion.missing()
    pictures, labels = idx_folder(tmp_path / "data" / "fashion-mnist")
    mnist, fashion = entries(more)
    assert fashion.missing() == "" and "fashion-mnist" in fashion.inputs(())
    column = column_of(fashion)
    index = {n: called.index(str(n)) for n in (4, 6, 7, 9)} if called == DIGITS else {6: 0, 4: 1, 7: 2, 9: 3}
    ways = [(4, 6), (6, 4), (7, 9), (9, 7)]
    if called == DIGITS:
        ways[2:2], index = [(0, 2), (2, 0)], index | {0: 0, 2: 2}
    assert column.directions == tuple((index[a], index[b]) for a, b in ways)
    pool, kept = column.pool("test"), np.isin(labels, list(index))
    assert torch.equal(pool.images[:, 0], torch.from_numpy(pictures[kept]) / 255)
    assert pool.labels.tolist() == [index[int(n)] for n in labels[kept]]
    assert absent_sets([e.source for e in entries(more)]) == absent_sets(["mnist", "fashion"])


def test_blood_cells_are_read_in_grey(weights: Path, tmp_path: Path) -> None:
    more, data = tmp_path / "models", tmp_path / "data"
    classifier = build_classifier("resnet18", ("erythroblast", "lymphocyte"), 28, width=0.05)
    save_classifier(more / "b", classifier, {"name": "BloodMNIST, ResNet-18"})
    a_decoder(more / "d", config_for(classifier, width=4), "Cells, Mirror-CFE", "BloodMNIST, ResNet-18")
    data.mkdir()
    red = np.zeros((16, 28, 28, 3), dtype=np.uint8)
    red[..., 0] = np.arange(16)[:, None, None]
    labels = (np.arange(16) % 8)[:, None]
    parts = {f"{split}_{what}": array for split in ("train", "val", "test") for what, array in
             (("images", red), ("labels", labels))}  # fmt: skip
    np.savez(data / "bloodmnist.npz", **parts)
    blood = column_of(entries(more)[1])
    pool = blood.pool("test")
    assert blood.name == "blood" and blood.directions == ((0, 1), (1, 0)) and pool.labels.tolist() == [0, 1, 0, 1]
    assert (pool.images * 255).amax(dim=(1, 2, 3)).round().tolist() == [1, 1, 3, 4]
    assert [line.split(":")[0] for line in absent_sets(["mnist", "blood"])] == ["Fashion-MNIST"]
    assert [line.split(":")[0] for line in absent_sets(["mnist"])] == ["Fashion-MNIST", "Blood-MNIST, in grey"]


def test_other_array_sets_take_as_many_images_as_digits() -> None:
    assert as_many({"mnist": 192, "ucsd": 60}, "fashion") == 192 and as_many({"mnist": 192, "ucsd": 60}, "ucsd") == 60


def test_a_class_that_is_never_right_is_said_so(weights: Path, tmp_path: Path) -> None:
    digits(tmp_path / "data")
    column = column_of(entries()[0])
    with pytest.raises(ValueError, match=r"MNIST, ResNet-18: the classifier calls no image of '.' what it is"):
        column.led("test", 6)
