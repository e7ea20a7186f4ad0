"""medXGAN at 128 px: trained by the worker's service, stored, read back, and images inverted and explained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import services.training.medxgan
from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.engines.medxgan import MedXGANConfig, MedXGANEngine
from cfcore.generators.medxgan import MedXGAN
from services.foreground import finish_run
from services.importing import Row, write_made
from services.models import add_model, load_classifier, load_generator, new_folder
from services.runs import start_run
from services.workspace import Workspace

SIDE = 128
NETWORKS = {"anatomy": 4, "pathology": 2, "channels": {4: 8, 8: 8, 16: 4, 32: 4, 64: 4}}


def squares(workspace: Workspace) -> int:
    """Dark noise, every other picture with a bright square; six pictures in training, four in test, two else."""
    rng = np.random.default_rng(0)

    def picture(i: int) -> tuple[np.ndarray, Row]:
        pixels = rng.integers(40, 110, (SIDE, SIDE), dtype=np.uint8)
        if i % 2:
            pixels[40:80, 48:88] += 120
        split = ("train", "train", "train", "val", "test", "test")[i // 2]
        return pixels, Row(patient=str(i), split=split, labels=["Square" if i % 2 else "No Square"], meta={})

    pictures = (picture(i) for i in range(12))
    return write_made(workspace, "squares", "square", {}, pictures, 12, lambda *_: None, "test").dataset_id


def untrained(workspace: Workspace, dataset: int) -> int:
    """A classifier of 128 px that has learned nothing: which class it sees does not matter here."""
    torch.manual_seed(1)
    path, folder = new_folder(workspace)
    save_classifier(folder, build_classifier("small-cnn", ("No Square", "Square"), SIDE, width=0.25), {"name": "C"})
    return add_model(workspace, "C", path, dataset_id=dataset)


def test_from_training_to_explanations_at_128_px(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services.training.medxgan, "SAMPLES", 20)  # its share of drawn classes is not looked at
    dataset = squares(workspace)
    classifier_id = untrained(workspace, dataset)
    settings = {"iterations": 3, "batch": 4, "positive": "Square", "networks": NETWORKS}
    run = finish_run(workspace, start_run(workspace, "train medxgan", "G", settings, 0, dataset, classifier_id))
    generator = load_generator(workspace, run.result["model_id"])
    assert isinstance(generator, MedXGAN) and generator.config.size == SIDE
    assert dataclasses.asdict(generator.config).items() >= NETWORKS.items() and np.isfinite(run.result["l1"])

    classifier = load_classifier(workspace, classifier_id)
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    target = 1 - int(classifier.logits(images).argmax(dim=1)[0])
    started = MedXGANEngine(classifier, generator, MedXGANConfig(steps=0, realisations=2))
    engine = MedXGANEngine.fit(
        classifier, images, target, MedXGANConfig(steps=30, realisations=2, rate=0.2), generator=generator
    )
    found = engine.explain(images, target, rendering="plain")
    before = started.draw(started.encode(images, target), images, {}, target)
    for drawn in (found.reconstruction, found.counterfactual):
        assert drawn.shape == images.shape and drawn.isfinite().all() and 0 <= drawn.min() <= drawn.max() <= 1
    apart = [(drawn - images).square().mean() for drawn in (found.reconstruction, before)]
    assert apart[0] < apart[1], "the search comes nearer than the code that it starts from"
    assert (found.counterfactual - found.reconstruction).abs().amax() > 1e-6
