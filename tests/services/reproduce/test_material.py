"""Shipped generators found by their cards, and images that no training has seen."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from cfcore.classifiers.base import Classifier
from services.reproduce import material
from services.reproduce.material import (
    Shipped,
    evenly,
    missing_data,
    phantom_cases,
    radiographs,
    shipped_generators,
    source_images,
)


class Half(Classifier):
    """Calls images above a mean of 0.5 positive."""

    class_names = ("No Finding", "Pneumonia")
    channels = 1
    size = (64, 64)

    def __init__(self, limit: float = 0.5) -> None:
        super().__init__()
        self.limit = limit

    def logits(self, images: Tensor) -> Tensor:
        margin = images.mean(dim=(1, 2, 3)) - self.limit
        return torch.stack([torch.zeros_like(margin), margin], dim=1)


def shipped(**changes: Any) -> Shipped:
    nowhere = Path("nowhere")
    content: dict[str, Any] = {
        "key": "ucsd", "name": "Toy", "source": "ucsd", "finding": "pneumonia", "shortcut": False, "size": 64,
        "classes": ("No Finding", "Pneumonia"), "folder": nowhere, "classifier_folder": nowhere,
    }  # fmt: skip
    return Shipped(**(content | changes))


def card(folder: Path, slug: str, **content: Any) -> None:
    (folder / slug).mkdir(parents=True)
    (folder / slug / "card.json").write_text(json.dumps(content | {"sha256": slug}))


def a_pair(folder: Path, words: str, negative: str, positive: str, size: int = 64) -> None:
    slug = words.replace(" ", "-")
    card(folder, f"{slug}-c", kind="classifier", name=f"{words}, C", class_names=[negative, positive])
    card(folder, f"{slug}-g", kind="stylex", name=f"{words}, G", classifier=f"{words}, C", config={"size": size})


def test_cards_tell_whose_images_a_generator_draws(tmp_path: Path) -> None:
    a_pair(tmp_path, "NIH chest effusion", "No Finding", "Effusion")
    a_pair(tmp_path, "UCSD pneumonia", "No Finding", "Pneumonia")
    a_pair(tmp_path, "Phantom shortcut", "No cardiomegaly", "Cardiomegaly")
    a_pair(tmp_path, "Phantom effusion", "No effusion", "Effusion", size=128)
    a_pair(tmp_path, "Phantom heart", "No cardiomegaly", "Cardiomegaly")
    found = shipped_generators(tmp_path)
    assert [(g.key, g.source, g.shortcut) for g in found] == [
        ("cardiomegaly", "phantom", False),
        ("cardiomegaly_shortcut", "phantom", True),
        ("effusion_128px", "phantom", False),
        ("nih_effusion", "nih", False),
        ("ucsd", "ucsd", False),
    ]
    assert found[0].inputs == {
        "cardiomegaly generator": "Phantom-heart-g",
        "cardiomegaly classifier": "Phantom-heart-c",
    }


def test_a_coupled_data_set_makes_a_shortcut_generator_whatever_its_name(tmp_path: Path) -> None:
    classes = ["No effusion", "Effusion"]
    card(tmp_path, "c", kind="classifier", name="Phantom C", class_names=classes)
    for slug, couple in (("plain", {}), ("coupled", {"pacemaker": [0.6, 0.05]})):
        meta = {"phantom": {"pathology": "effusion", "couple": couple}}
        card(tmp_path, slug, kind="stylex", name=slug, classifier="Phantom C", config={"size": 64}, dataset_meta=meta)
    assert [(g.key, g.shortcut) for g in shipped_generators(tmp_path)] == [
        ("effusion", False),
        ("effusion_shortcut", True),
    ]


def test_a_card_that_tells_too_little_is_named(tmp_path: Path) -> None:
    card(tmp_path, "lonely", kind="stylex", name="Phantom", classifier="gone", config={"size": 64})
    with pytest.raises(ValueError, match=r"lonely/card\.json names the classifier 'gone'"):
        shipped_generators(tmp_path)
    other = tmp_path / "other"
    a_pair(other, "Knee", "No Finding", "Fracture")
    with pytest.raises(ValueError, match="does not say whose images it draws"):
        shipped_generators(other)


def test_the_shipped_ones_are_found_and_sound() -> None:
    for generator in shipped_generators():
        classifier, network = generator.load()
        assert network.config.size == generator.size == classifier.size[0]
        assert tuple(classifier.class_names) == generator.classes


def test_phantom_patients_are_new_and_half_of_them_positive() -> None:
    toy = shipped(source="phantom", finding="cardiomegaly", shortcut=True)
    cases = list(islice(phantom_cases(toy, 71), 400))
    assert cases[:5] == list(islice(phantom_cases(toy, 71), 5))
    assert {case.patient.seed // 1_000_000 for case in cases} == {71}
    assert 160 < sum(case.label for case in cases) < 240
    pacemakers = [np.mean([c.patient.factors.pacemaker for c in cases if c.label == label]) for label in (0, 1)]
    assert pacemakers[0] < 0.15 and pacemakers[1] > 0.45


def test_only_images_that_the_classifier_calls_healthy_are_taken() -> None:
    toy = shipped(source="phantom", finding="cardiomegaly")
    classifier = Half(0.55)
    found = source_images(toy, classifier, "test", 20)
    assert len(found) == len(found.cases) == 20
    assert (classifier.logits(found.images).argmax(dim=1) == 0).all()
    ranked = source_images(toy, classifier, "rank", 5)
    assert {c.patient.seed for c in ranked.cases}.isdisjoint(c.patient.seed for c in found.cases)
    with pytest.raises(ValueError, match="hardly any phantom"):
        source_images(toy, Half(0.0), "rank", 1)


@pytest.fixture
def radiograph_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data" / "cxr"
    (folder / "ucsd224").mkdir(parents=True)
    rows = ["path,finding_labels,split"]
    for i, (labels, split) in enumerate(
        [("No Finding", "test"), ("Pneumonia|Effusion", "test"), ("Edema", "test"), ("No Finding", "val")]
    ):
        Image.fromarray(np.full((100, 100), 40 * i + 60, np.uint8)).save(folder / "ucsd224" / f"{i}.png")
        rows.append(f"ucsd224/{i}.png,{labels},{split}")
    (folder / "labels.csv").write_text("\n".join([*rows, "nih64/9.png,No Finding,test"]))
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path / "data"))
    return folder


def test_radiographs_of_a_split_with_one_of_the_two_labels(radiograph_folder: Path) -> None:
    images, labels = radiographs(shipped(), "test")
    assert images.shape == (2, 1, 64, 64) and labels.tolist() == [0, 1]
    assert images.mean(dim=(1, 2, 3)).tolist() == pytest.approx([60 / 255, 100 / 255])
    assert len(source_images(shipped(), Half(0.3), "test", 9)) == 1
    with pytest.raises(ValueError, match="no image of the train split"):
        radiographs(shipped(), "train")
    with pytest.raises(ValueError, match="calls no image of this split 'No Finding'"):
        source_images(shipped(), Half(0.0), "test", 9)


def test_absent_data_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path))
    assert "set CFREADER_DATA" in missing_data(shipped())
    assert missing_data(shipped(source="phantom")) == "" and material.data_hash(shipped()) == {}
    with pytest.raises(FileNotFoundError, match="no radiographs at"):
        radiographs(shipped(), "test")


def test_thinning_keeps_both_ends() -> None:
    assert evenly(torch.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly(torch.arange(3), 5).tolist() == [0, 1, 2]
