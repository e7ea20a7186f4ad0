"""A detail layer for a generator that is there already."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence

import torch

from cfcore.engines.base import Progress, silent
from cfcore.generators.stylex.detail import fit_detail
from cfcore.generators.stylex.model import add_detail, load_plain
from cfcore.training.weights import CARD, DETAIL, read_card
from services.datasets import dataset_named
from services.models import add_model, generator_folder, load_classifier, model_named, new_folder
from services.training import held_out_quality, load_pictures
from services.workspace import Workspace


def train_detail(
    workspace: Workspace,
    generator: str,
    datasets: Sequence[str],
    components: int = 256,
    *,
    name: str | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> int:
    """Fit a detail layer on the training images of `datasets` and store the generator with it as a new model; one that
    has a layer gets another. Quality is measured on the test split of the first data set. Returns the model's id.

    Raises:
        ValueError: no such generator or data set, too few images, or an impossible number of components.
    """
    view = model_named(workspace, generator, "stylex")
    found = [dataset_named(workspace, one) for one in datasets]
    if not found:
        raise ValueError("a detail layer needs at least one data set to be fitted on")
    if view.classifier_id is None:
        raise ValueError(f"{generator!r} does not name its classifier, by which its pictures are judged")
    source = generator_folder(workspace, view.id)
    model, classifier = load_plain(source), load_classifier(workspace, view.classifier_id)
    model.requires_grad_(False).eval()
    size = model.config.size
    # By id: a layer that several classifiers share is the same whichever data set comes first.
    images = torch.cat([load_pictures(workspace, id, "train", size) for id in sorted({one.id for one in found})])
    detail = fit_detail(model, images, components, torch.Generator().manual_seed(seed), progress)
    card = read_card(source)
    rows = card.get("class_rows", range(model.config.classes))
    held_out = load_pictures(workspace, found[0].id, "test", size)
    quality, without = held_out_quality(model, detail, rows, classifier, held_out)
    path, folder = new_folder(workspace)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(DETAIL))
    words = [f"--generator {shlex.quote(view.name)}", *(f"--dataset {shlex.quote(one)}" for one in datasets)]
    card |= {
        "name": name or view.name,
        "test": quality | {"n": len(held_out)},
        "detail": {
            "components": len(detail.axes),
            "test_without": without,
            "command": f"cfreader train detail {' '.join(words)} --components {components} --seed {seed}",
        },
    }
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
    add_detail(folder, detail)
    return add_model(workspace, card["name"], path, classifier_id=view.classifier_id, dataset_id=found[0].id)
