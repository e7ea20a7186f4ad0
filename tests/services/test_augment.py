"""Drawn images as a data set and as training data, on small networks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
import torch
from typer.testing import CliRunner

from cfcore.classifiers.store import build_classifier, save_classifier
from cfcore.classifiers.trunk import SmallCNN
from cfcore.generators.medxgan import MedXGAN, MedXGANConfig, save_medxgan
from cfcore.images.errors import ImportRefused
from db.models import Dataset, Image
from services import augment as module
from services.augment import Request, compare, write_samples
from services.brain import import_brains
from services.cli.main import app
from services.images import read_pixels
from services.models import add_model, new_folder
from services.workspace import Workspace

SIZE = 32


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A data set, an untrained generator, and an untrained classifier that calls half of its drawings diseased."""
    import_brains(workspace, "brains", 60, SIZE, 2, "procedural")
    torch.manual_seed(0)
    classifier = build_classifier("small-cnn", ("Healthy", "Lesion"), SIZE, width=0.1).eval()
    model = MedXGAN(MedXGANConfig(size=SIZE, anatomy=4, pathology=2, channels={4: 8, 8: 8, 16: 8})).eval()
    torch.nn.init.normal_(model.decoder.first.weight, std=2.0)
    assert isinstance(classifier, SmallCNN)
    with torch.no_grad():
        # Half precision is what is stored; a power of two survives it.
        classifier.half().float()
        model.half().float()
        people = torch.randn(64, 4)
        drawn = torch.cat([model.decode(people, share * torch.randn(64, 2)) for share in (0.0, 1.0)])
        classifier.last.weight *= 2 ** torch.log2(8 / classifier.logits(drawn)[:, 1].std()).round()
        classifier.last.bias -= classifier.logits(drawn)[:, 1].median()
    path, folder = new_folder(workspace)
    save_classifier(folder, classifier, {"name": "C"})
    classifier_id = add_model(workspace, "C", path)
    path, folder = new_folder(workspace)
    save_medxgan(folder, model, {"name": "G, medXGAN", "classifier": "C"})
    add_model(workspace, "G", path, classifier_id=classifier_id)
    return workspace


def test_drawn_images_become_a_data_set(ready: Workspace) -> None:
    made = write_samples(ready, Request("G", n=8, boundary=True), "drawn")
    assert made.imported == 8
    with ready.session() as session:
        dataset = session.scalars(sa.select(Dataset).where(Dataset.name == "drawn")).one()
        images = list(session.scalars(sa.select(Image).where(Image.dataset_id == dataset.id).order_by(Image.id)))
    assert dataset.kind == "generated" and dataset.meta["generated"]["near_boundary"] is True
    assert dataset.meta["generated"]["generator"] == "G, medXGAN"
    assert [image.labels for image in images] == [["Healthy"], ["Lesion"]] * 4
    assert all(image.split == "train" and 0.4 < image.meta["generated"]["p"] < 0.6 for image in images)
    assert len({image.patient for image in images}) == 8 and read_pixels(ready, images[0]).shape == (SIZE, SIZE)
    with pytest.raises(ImportRefused):
        write_samples(ready, Request("G", n=8), "drawn")


def test_training_with_and_without_drawn_images(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_on: list[int] = []
    batches = module.Batches

    def counted(images: torch.Tensor, *rest: Any, **more: Any) -> Any:
        trained_on.append(len(images))
        return batches(images, *rest, **more)

    monkeypatch.setattr(module, "Batches", counted)
    request = Request("G", n=10, seeds=2, architecture="small-cnn", width=0.1, iterations=3, batch=8)
    told: list[tuple[float, str]] = []
    found = compare(ready, request, "brains", progress=lambda share, message: told.append((share, message)))
    assert [share for share, _ in told] == sorted(share for share, _ in told) and told[-1][0] == 1.0
    kinds = [message.split(",")[0].split(": ")[1] for _, message in told]
    assert list(dict.fromkeys(kinds)) == ["drawing", "real", "augmented"] and told[-1][1].startswith("seed 2 of 2")
    assert trained_on == [42, 52] * 2, "70 % of 60, and these with ten more, for each seed"
    figures = found["figures"]
    assert (figures["real_n"], figures["drawn_n"], figures["test_n"]) == (42, 10, 12) and figures["drawn_tried"] >= 10
    differences = [row["auc_augmented"] - row["auc_real"] for row in found["rows"]]
    assert figures["auc_difference"] == pytest.approx(sum(differences) / 2)
    assert figures["auc_difference_low"] <= figures["auc_difference"] <= figures["auc_difference_high"]
    assert [row["seed"] for row in found["rows"]] == [0, 1] and found["name"] == "augment--g-medxgan--brains"
    assert compare(ready, request, "brains")["figures"] == figures, "the same seeds give the same figures"


def test_the_commands(ready: Workspace) -> None:
    run = CliRunner().invoke(app, ["augment", "G", "--dataset", "brains", "--quick", "--json"], catch_exceptions=False)
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout)
    assert found["settings"]["iterations"] == 20 and found["settings"]["architecture"] == "small-cnn"
    assert {"auc_real", "auc_augmented", "auc_difference"} <= set(found["figures"])
    few = ["augment", "G", "--dataset", "brains", "--quick", "--near-boundary", "--n", "4", "--iterations", "2"]
    run = CliRunner().invoke(app, few, catch_exceptions=False)
    head, *rows = run.stdout.splitlines()
    assert "AUC, real" in head and [row.split()[0] for row in rows[:2]] == ["0", "1"]
    assert len(rows[0].split()) == 5 and rows[2].startswith("auc_real ")
    run = CliRunner().invoke(app, ["augment", "G", "--name", "drawn", "--n", "4"], catch_exceptions=False)
    assert run.output.splitlines()[-1] == "Drew 4 images as 'drawn'."


def test_what_cannot_be_done_is_said(ready: Workspace) -> None:
    for arguments, answer in (
        (["G"], "say either --name"),
        (["G", "--name", "a", "--dataset", "brains"], "say either --name"),
        (["H", "--name", "a"], "no generator called 'H'; there are: "),
        (["G", "--dataset", "brains", "--seeds", "1"], "at least 2 give an interval"),
        (["G", "--dataset", "brains", "--architecture", "alexnet"], "cannot be trained here: choose --architecture"),
        (["G", "--dataset", "brains", "--cached"], "run the command once without --cached"),
    ):
        run = CliRunner().invoke(app, ["augment", *arguments])
        assert run.exit_code == 1 and answer in run.output
