"""Trained models of a workspace: the shipped ones, the ones trained here, and how they are read back."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cfcore.generators.registry import generator_kind
from db.models import Model
from services.workspace import Workspace

if TYPE_CHECKING:
    from torch import nn

    from cfcore.classifiers.base import Classifier

SHIPPED_FOLDER = Path(__file__).parents[1] / "weights"
SHIPPED = "shipped:"


@dataclass(frozen=True)
class ModelView:
    """A model as pages show it; `card` says what it was trained on and how good it is."""

    id: int
    name: str
    kind: str
    card: dict[str, Any]
    sha256: str
    classifier_id: int | None
    created_at: datetime


def list_models(workspace: Workspace, kind: str | None = None) -> list[ModelView]:
    """All models, or those of one kind ("classifier" or a kind of generator), oldest first."""
    query = sa.select(Model).order_by(Model.id)
    if kind is not None:
        query = query.where(Model.kind == kind)
    with workspace.session() as session:
        return [
            ModelView(m.id, m.name, m.kind, m.card, m.sha256, m.classifier_id, m.created_at)
            for m in session.scalars(query)
        ]


def model_named(workspace: Workspace, name: str, kind: str) -> ModelView:
    """The model called `name`. Raises ValueError that lists the models of that kind."""
    found = list_models(workspace, kind)
    for model in found:
        if model.name == name:
            return model
    raise ValueError(f"no {kind} called {name!r}; there are: {', '.join(m.name for m in found) or 'none'}")


def register_shipped(workspace: Workspace) -> None:
    """Enter every model under weights/ that the workspace does not know yet; classifiers first, since a generator
    names the classifier that it was trained with."""
    cards = [(path.parent.name, json.loads(path.read_text())) for path in sorted(SHIPPED_FOLDER.glob("*/card.json"))]
    cards.sort(key=lambda item: item[1]["kind"] != "classifier")
    with workspace.session() as session:
        known = {model.path: model for model in session.scalars(sa.select(Model))}
        by_name = {model.name: model for model in known.values()}
        shipped: dict[str, Model] = {}
        for folder, card in cards:
            path = SHIPPED + folder
            classifier = shipped.get(card.get("classifier", ""))
            model = known.get(path)
            if model is None:
                model = Model(path=path, name=_free_name(card["name"], set(by_name)), kind=card["kind"])
                session.add(model)
            model.sha256, model.card = card["sha256"], card
            model.classifier_id = classifier.id if classifier else None
            session.flush()
            by_name[model.name] = shipped[card["name"]] = model


def new_folder(workspace: Workspace) -> tuple[str, Path]:
    """An empty folder for a model trained or added here: its path for the table, and where it is on disk."""
    path = f"models/{secrets.token_hex(8)}"
    folder = workspace.folder / path
    folder.mkdir(parents=True)
    return path, folder


def add_model(
    workspace: Workspace,
    name: str,
    path: str,
    *,
    classifier_id: int | None = None,
    dataset_id: int | None = None,
) -> int:
    """Enter the model folder `path` (see `new_folder`) under a free name and return its id.

    A name that is taken gets a number: training twice must not lose the second result.
    """
    card = json.loads((folder_of(workspace, path) / "card.json").read_text())
    with workspace.session() as session:
        free = _free_name(name, set(session.scalars(sa.select(Model.name))))
        model = Model(
            name=free,
            kind=card["kind"],
            path=path,
            sha256=card["sha256"],
            card=card,
            classifier_id=classifier_id,
            dataset_id=dataset_id,
        )
        session.add(model)
        session.flush()
        return model.id


def _free_name(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name} ({i})" for i in range(2, len(taken) + 3) if f"{name} ({i})" not in taken)


def folder_of(workspace: Workspace, path: str) -> Path:
    """Where a model's files are."""
    if path.startswith(SHIPPED):
        return SHIPPED_FOLDER / path.removeprefix(SHIPPED)
    return workspace.folder / path


def _row(workspace: Workspace, model_id: int) -> Model:
    with workspace.session() as session:
        model = session.get(Model, model_id)
    if model is None:
        raise ValueError(f"model {model_id} does not exist any more: choose another one")
    return model


def load_classifier(workspace: Workspace, model_id: int) -> Classifier:
    """The frozen classifier, loaded once a process. Raises ValueError where its files are not what the table says."""
    row = _row(workspace, model_id)
    return _classifier(str(folder_of(workspace, row.path)), row.sha256)


def load_generator(workspace: Workspace, model_id: int) -> nn.Module:
    """The frozen generator, loaded once a process. Raises ValueError where its files are not what the table says."""
    row = _row(workspace, model_id)
    return _generator(str(folder_of(workspace, row.path)), row.kind, row.sha256)


def generator_folder(workspace: Workspace, model_id: int) -> Path:
    """Where a generator's weights (and its discriminator's) are. Raises ValueError for an unknown id."""
    return folder_of(workspace, _row(workspace, model_id).path)


def _checked(folder: str, sha256: str) -> Path:
    """The folder, if card and weights file are the ones that were registered."""
    from cfcore.training.weights import WEIGHTS, model_sha256, read_card

    path = Path(folder)
    found = read_card(path)["sha256"]
    if found == sha256 and (path / WEIGHTS).exists():
        found = model_sha256(path)
    if found != sha256:
        raise ValueError(
            f"the weights in {path.name} are not the ones registered (SHA-256 {found[:12]}…, expected {sha256[:12]}…): "
            "restore them, or add the model anew"
        )
    return path


@lru_cache(maxsize=4)
def _classifier(folder: str, sha256: str) -> Classifier:
    from cfcore.classifiers.store import load_classifier as load

    return load(_checked(folder, sha256))


@lru_cache(maxsize=4)
def _generator(folder: str, kind: str, sha256: str) -> nn.Module:
    return generator_kind(kind).load(_checked(folder, sha256))
