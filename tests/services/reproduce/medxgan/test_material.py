"""Which generators are columns, and which images are held out for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig, save_medxgan
from cfcore.images.brain import procedural_template
from services.reproduce import brains
from services.reproduce.material import data_hash, missing_data
from services.reproduce.medxgan import material
from services.reproduce.medxgan.material import Column, HeldOut, column_of, held_out, shipped_medxgan
from tests.services.reproduce.test_material import shipped

from .conftest import CHANNELS


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Untrained networks of the real classes under their cards, and no data folder."""
    monkeypatch.setattr(material, "SHIPPED_FOLDER", tmp_path / "weights")
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path))
    brains._templates.cache_clear()
    return tmp_path / "weights"


def a_pair(folder: Path, name: str, negative: str, positive: str, meta: dict | None = None) -> None:
    torch.manual_seed(0)
    classifier = build_classifier("small-cnn", (negative, positive), 64, width=0.1)
    save_classifier(folder / f"{name}-c", classifier, {"name": f"{name}, small CNN"})
    model = MedXGAN(MedXGANConfig(size=64, anatomy=4, pathology=2, channels=CHANNELS))
    card = {"name": f"{name}, medXGAN", "classifier": f"{name}, small CNN", "dataset_meta": meta}
    save_medxgan(folder / f"{name}-g", model, card)


def test_every_shipped_generator_is_a_column(weights: Path) -> None:
    with pytest.raises(ValueError, match="no medXGAN generator is shipped under weights/"):
        shipped_medxgan()
    a_pair(weights, "UCSD pneumonia", "No Finding", "Pneumonia")
    a_pair(weights, "MRI lesion", "Healthy", "Lesion")
    a_pair(weights, "Phantom effusion", "No Effusion", "Effusion")
    found = shipped_medxgan()
    columns = [column_of(g, found) for g in found]
    assert [(c.name, c.end) for c in columns] == [("phantom", ""), ("mri", "_mri"), ("ucsd", "_ucsd")]
    assert columns[0].engine is column_of(found[0], found).engine, "the latents are remembered"
    assert columns[0].engine.config.steps == 10_000 and columns[0].classifier.class_names[1] == "Effusion"
    a_pair(weights, "Phantom cardiomegaly", "No Cardiomegaly", "Cardiomegaly")
    assert [column_of(g, shipped_medxgan()).name for g in shipped_medxgan()] == [
        "cardiomegaly",
        "effusion",
        "mri",
        "ucsd",
    ]


def test_slices_are_those_of_the_templates_that_the_generator_saw(weights: Path) -> None:
    own = procedural_template()
    template = {"name": own.name, "sha256": own.sha256, "licence": own.licence}
    a_pair(weights, "MRI lesion", "Healthy", "Lesion", {"brain": {"templates": [template]}})
    a_pair(
        weights, "MRI other", "Healthy", "Tumour", {"brain": {"templates": [template | {"sha256": "x", "name": "Y"}]}}
    )
    known, other = shipped_medxgan()
    assert missing_data(known) == "" and data_hash(known)["template procedural"] == own.sha256
    assert "its slices were drawn from Y, here are procedural (set CFREADER_DATA" in missing_data(other)
    found = held_out(known, 6)
    assert found.labels.tolist() == [0, 1, 0, 1, 0, 1] and found.images.shape == (6, 1, 64, 64)
    region = found.changed("lesion")
    assert region is not None and region.flatten(1).any(dim=1).tolist() == [False, True] * 3
    part = found.take(torch.tensor([1, 3]))
    assert part.labels.tolist() == [1, 1] and part.masks is not None and part.masks.all(dim=0).sum() < part.masks.sum()


def test_phantoms_know_what_their_finding_changed() -> None:
    found = held_out(shipped(source="phantom", finding="effusion", key="effusion"), 6)
    region = found.changed("effusion")
    assert region is not None and region.shape == found.images.shape
    filled = [c.patient.factors.effusion_left + c.patient.factors.effusion_right > 0.05 for c in found.cases]
    assert filled == (found.labels == 1).tolist() and 0 < sum(filled) < 6
    assert region[found.labels == 1].flatten(1).any(dim=1).all()
    assert region[:, :, :20].float().mean() < 0.02, "fluid lies low"
    kept = found.take((found.labels == 1).nonzero()[:, 0])
    assert all(case.label == 1 for case in kept.cases) and len(kept) == sum(filled)


def test_radiographs_have_no_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data" / "cxr"
    (folder / "ucsd224").mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((80, 80), 60 * i + 60, np.uint8)).save(folder / "ucsd224" / f"{i}.png")
    rows = [
        "path,finding_labels,split",
        *(f"ucsd224/{i}.png,{'Pneumonia' if i else 'No Finding'},test" for i in range(3)),
    ]
    (folder / "labels.csv").write_text("\n".join(rows))
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path / "data"))
    found = held_out(shipped(name="Toy with three"), 2)
    assert isinstance(found, HeldOut) and found.labels.tolist() == [0, 1] and found.changed("pneumonia") is None


def test_the_engine_remembers_what_it_inverted(column: Column) -> None:
    images = column.held_out(4).images
    told: list[str] = []
    z1, z2 = column.latents(images, lambda share, message: told.append(message))
    assert z1.shape == (4, 2) and z2.shape == (4, 3) and told == ["phantom: inverting image 1 of 4"]
    again = column.latents(images)
    assert torch.equal(again[0], z1) and torch.equal(again[1], z2)
    assert (z2[0] == 0).all() and (z2[1] != 0).any(), "C calls the first negative"
