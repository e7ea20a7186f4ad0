"""Which classifiers are columns, which decoder stands first, and which images are held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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
from services.reproduce.mirror.material import Pool, column_of, entries

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
    with pytest.raises(ValueError, match="does not say whose images it reads: name mnist, phantom, ucsd"):
        entries()


def test_a_class_that_is_never_right_is_said_so(weights: Path, tmp_path: Path) -> None:
    digits(tmp_path / "data")
    column = column_of(entries()[0])
    with pytest.raises(ValueError, match=r"MNIST, ResNet-18: the classifier calls no image of '.' what it is"):
        column.led("test", 6)
