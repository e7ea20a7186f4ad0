"""What every training run has: the loop with its settings, the card of the model, the figures of the run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from cfcore.engines.base import Progress
from cfcore.training.batches import Batches
from cfcore.training.fabric import build_fabric
from cfcore.training.loop import Schedule, train
from cfcore.training.task import Task
from db.models import Dataset, Model, Run
from services.runs import training_folder, versions
from services.workspace import Workspace

LOOP_DEFAULTS: dict[str, Any] = {
    "seconds": None,
    "accumulate": 1,
    "precision": "32-true",
    "patience": None,
    "tensorboard": False,
}


def run_loop(
    workspace: Workspace, run: Run, task: Task, batches: Batches, settings: dict[str, Any], progress: Progress
) -> list[dict[str, float]]:
    """The loop with the run's settings (`LOOP_DEFAULTS`): time limit, micro-batches, precision, early stop, logs."""
    folder = training_folder(workspace, run.id)
    schedule = Schedule(
        int(settings["iterations"]),
        seconds=settings["seconds"],
        accumulate=int(settings["accumulate"]),
        patience=settings["patience"],
    )
    fabric = build_fabric(
        settings["precision"], tensorboard=folder / "tensorboard" if settings["tensorboard"] else None
    )
    return train(task, batches, schedule, folder, fabric=fabric, progress=progress)


OPTIONS = (
    "classifier", "positive", "negative", "architecture", "width", "size", "iterations", "batch", "seconds", "recipe",
    "start_from",
)  # fmt: skip
LOOP_OPTIONS = ("accumulate", "precision", "patience")


def command_of(run: Run, dataset: str, settings: dict[str, Any], more: Sequence[str] = ()) -> str:
    """The command line that repeats a training, with `more` options of its kind; changed widths it cannot say,
    the card's settings do."""
    options = {"dataset": dataset, "name": run.name}
    options |= {key: settings[key] for key in OPTIONS if settings.get(key) is not None}
    options |= {key: settings[key] for key in LOOP_OPTIONS if settings[key] != LOOP_DEFAULTS[key]}
    words = [f"--{key.replace('_', '-')} {shlex.quote(str(value))}" for key, value in options.items()]
    return f"cfreader {run.kind} {' '.join([*words, *more])} --seed {run.seed}"


def loss_options(settings: dict[str, Any]) -> list[str]:
    """Changed losses on the command line, of trainings that take them there."""
    return [f"--loss {name}={value}" for name, value in settings["losses"].items()]


def card_of(
    workspace: Workspace,
    run: Run,
    settings: dict[str, Any],
    more: Sequence[str] = (),
    pair: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """What is said of every trained model.

    Args:
        more: options of the command line that only this kind of training has.
        pair: ids of the data set and the classifier, where they are not the run's own.
    """
    with workspace.session() as session:
        dataset = session.get_one(Dataset, run.dataset_id)
        ids = {"classifier": run.classifier_id, "start_from": settings.get("start_from")}
        names: dict[str, Any] = {key: session.get_one(Model, id).name for key, id in ids.items() if id is not None}
        command = command_of(run, dataset.name, settings | names, more)
        if pair is not None:
            dataset = session.get_one(Dataset, pair[0])
            names["classifier"] = session.get_one(Model, pair[1]).name
    return {
        "command": command,
        **({"classifier": names["classifier"]} if "classifier" in names else {}),
        "dataset": dataset.name,
        "dataset_meta": dataset.meta,
        "settings": settings,
        "seed": run.seed,
        "versions": versions(),
    }


def finish(workspace: Workspace, run: Run, losses: list[dict[str, float]], figures: dict[str, Any]) -> None:
    thinned = losses[:: max(1, len(losses) // 200)]
    with workspace.session() as session:
        row = session.get_one(Run, run.id)
        grid = training_folder(workspace, run.id) / "grid.png"
        key = workspace.put(grid.read_bytes(), ".png") if grid.exists() else None
        row.result = {"losses": thinned, "grid": key} | figures
        row.versions = versions()


def sum_of_trainings(card: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Images and hours of both trainings together, and which weights were gone on from."""
    return {
        "images_seen": card["images_seen"] + before.get("images_seen", 0),
        "hours": round(card["hours"] + before.get("hours", 0.0), 2),
        "started_from": {key: before.get(key) for key in ("name", "sha256", "command", "images_seen", "hours")},
    }
