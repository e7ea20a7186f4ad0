"""A researcher's own classifier, from upload to a model that runs can use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from db.events import record
from db.models import Model
from services.models import new_folder
from services.uploads import quarantine
from services.workspace import Workspace

LARGEST_FILE = 2 << 30
LONGEST_SPEC = 20_000


class ClassifierRefused(ValueError):
    """The file, its description or the person does not get a classifier in; the message says why and what to do."""


def example_spec() -> str:
    """The YAML that the editor starts with."""
    from cfcore.classifiers.spec import EXAMPLE

    return EXAMPLE


@contextmanager
def received(workspace: Workspace, upload: BinaryIO) -> Iterator[Path]:
    """An upload as a file in a quarantine folder, without its name; gone afterwards."""
    with quarantine(workspace) as held:
        path = held.folder / "upload"
        with path.open("wb") as file:
            shutil.copyfileobj(upload, file)
        yield path


def add_classifier(
    workspace: Workspace,
    name: str,
    weights_file: Path,
    spec_text: str,
    actor_may_run_code: bool,
    *,
    actor: str = "command line",
) -> int:
    """Check a classifier on a few images, copy it into the workspace, and return the model's id.

    Args:
        name: what people see; free in this workspace.
        weights_file: safetensors of a known architecture, or a TorchScript or torch.export program. Its name is not
            kept: names of files may carry patients.
        spec_text: the YAML of docs/classifiers.md.
        actor_may_run_code: the person has the right "may run code"; without it no program is even started.
        actor: who, for the event log.

    Raises:
        ClassifierRefused: the file, the YAML, the name or the missing right; nothing is kept.
    """
    from cfcore.classifiers.own import is_code, take_in
    from cfcore.classifiers.spec import read_spec

    name = name.strip()
    if not 0 < len(name) <= 80:
        raise ClassifierRefused("The classifier needs a name of 1 to 80 characters.")
    if len(spec_text) > LONGEST_SPEC:
        raise ClassifierRefused(f"The description is longer than {LONGEST_SPEC} characters: keep to the keys it knows.")
    if not weights_file.is_file():
        raise ClassifierRefused("There is no such file: give the path of the classifier's file.")
    if weights_file.stat().st_size > LARGEST_FILE:
        raise ClassifierRefused("The file is larger than 2 GiB: save the weights in half precision.")
    _refuse_taken(workspace, name)
    try:
        if is_code(weights_file) and not actor_may_run_code:
            raise ClassifierRefused(
                "This file is a program, and your account may not run code. Bring safetensors weights of a known "
                "architecture, or ask whoever runs this server to give your account the right “may run code”."
            )
        spec = read_spec(spec_text)
        path, folder = new_folder(workspace)
        try:
            checked = take_in(weights_file, folder, spec)
            card = {"name": name, **checked.card}
            (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")
            with workspace.session() as session:
                model = Model(name=name, kind="classifier", path=path, sha256=card["sha256"], card=card)
                session.add(model)
                session.flush()
                record(
                    session,
                    actor,
                    "classifier added",
                    f"model {model.id}",
                    sha256=card["sha256"],
                    architecture=card["architecture"],
                    format=card["format"],
                    protections=card.get("protections", []),
                )
                return model.id
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except ClassifierRefused:
        raise
    except sa.exc.IntegrityError as error:
        raise ClassifierRefused(f"A model called “{name}” was added meanwhile: choose another name.") from error
    except ValueError as error:
        raise ClassifierRefused(f"The classifier was not added: {error}.") from error


def _refuse_taken(workspace: Workspace, name: str) -> None:
    with workspace.session() as session:
        if session.scalar(sa.select(Model.id).where(Model.name == name)) is not None:
            raise ClassifierRefused(f"There is a model called “{name}” already: choose another name.")
