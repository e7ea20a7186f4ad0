"""A run of Mirror-CFE on the test scene, with a small network in place of the scene's classifier."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import services.models
from cfcore.images.encode import encode_png
from db.models import Dataset, Image, Model
from services.runs import start_run
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace, sha256
from tests.cfcore.graded import small_decoder, trained_classifier


def install(replace: pytest.MonkeyPatch | None = None) -> None:
    """Let every classifier be the trained small one, every generator an untrained decoder for it."""
    made = small_decoder(trained_classifier()).eval()
    for name, found in (("load_classifier", trained_classifier()), ("load_generator", made)):
        if replace is None:
            setattr(services.models, name, lambda *_, found=found: found)
        else:
            replace.setattr(services.models, name, lambda *_, found=found: found)


def mirror_run(workspace: Workspace, per_class: int = 4) -> tuple[int, list[int], list[int]]:
    """A finished run towards "bright"; the ids of dark images, and of bright ones."""
    with workspace.session() as session:
        dataset = Dataset(name="grays")
        classifier = Model(
            name="Graded",
            kind="classifier",
            path="none",
            sha256="0" * 64,
            card={"class_names": ["dark", "middle", "bright"]},
        )
        session.add_all([dataset, classifier])
        session.flush()
        decoder = Model(name="M", kind="mirror", path="none", sha256="1" * 64, card={}, classifier_id=classifier.id)
        session.add(decoder)
        made = []
        for split in ("val", "test"):
            for i in range(2 * per_class):
                level = (0.2, 0.8)[i % 2] + 0.005 * i
                data = encode_png(np.full((24, 24), round(255 * level), np.uint8))
                made.append(
                    Image(
                        dataset=dataset,
                        file_key=workspace.put(data, ".png"),
                        patient=f"{split}{i}",
                        split=split,
                        labels=[("dark", "bright")[i % 2]],
                        width=24,
                        height=24,
                        max_value=255,
                        look="not needed",
                        sha256=sha256(data),
                    )
                )
        session.add_all(made)
        session.flush()
        dark, bright = ([image.id for image in made if name in image.labels] for name in ("dark", "bright"))
        ids = dataset.id, classifier.id, decoder.id
    settings = {
        "engine": "mirror",
        "target": "bright",
        "images": {"split": "test", "n": per_class, "seed": 1, "predicted": "dark"},
        "fit_split": "val",
        "fit_n": per_class,
        "config": {},
    }
    run_id = start_run(workspace, "explain", "Mirror", settings, 0, *ids)
    assert lease.take(workspace, "test")
    run = queue.next_run(workspace, "test")
    assert run is not None
    do(workspace, run, "test", threading.Event())
    lease.release(workspace, "test")
    return run_id, dark, bright
