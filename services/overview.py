"""The state of a workspace at a glance, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from cfcore.wording import counted
from db.models import Dataset, Entry, Image, Model, Run
from services.accounts import is_demo
from services.study_views import StudySummary, list_studies
from services.workspace import Workspace


@dataclass(frozen=True)
class Overview:
    """Counts for the Home page. `waiting`: images that wait for a person's look before anything uses them."""

    demo: bool
    datasets: int
    images: int
    waiting: int
    classifiers: int
    generators: int
    runs_active: int
    runs_done: int
    entries: int
    studies: tuple[StudySummary, ...]


@dataclass(frozen=True)
class NextStep:
    """Something worth doing now: a page of the app ("data", "runs", ...), and why."""

    title: str
    text: str
    page: str
    study_id: int | None = None


def overview(workspace: Workspace) -> Overview:
    """Count what there is."""
    with workspace.session() as session:

        def count(table: type, *where: sa.ColumnElement[bool]) -> int:
            return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0

        return Overview(
            demo=is_demo(workspace),
            datasets=count(Dataset),
            images=count(Image),
            waiting=count(Image, Image.look == "waiting"),
            classifiers=count(Model, Model.kind == "classifier"),
            generators=count(Model, Model.kind != "classifier"),
            runs_active=count(Run, Run.state.in_(("queued", "running"))),
            runs_done=count(Run, Run.kind == "explain", Run.state == "done"),
            entries=count(Entry),
            studies=tuple(list_studies(workspace)),
        )


def next_steps(state: Overview) -> list[NextStep]:
    """At most three steps, the most pressing first; never empty."""
    steps = []
    if state.waiting:
        images = counted(state.waiting, "image")
        text = f"{images} may carry burned-in text. Until you have looked, nothing uses them."
        steps.append(NextStep("Look at waiting images", text, "data"))
    if not state.datasets:
        text = "PNG, JPEG or DICOM, by upload or from a folder of the server; or make phantom radiographs."
        steps.append(NextStep("Bring in radiographs", text, "data"))
    elif not state.classifiers:
        steps.append(NextStep("Train or add a classifier", "The model whose mind is to be changed.", "runs"))
    elif not state.runs_done:
        text = "Find the directions that change the classifier's mind, ranked by how much they do."
        steps.append(NextStep("Explain images", text, "runs"))
    for study in state.studies:
        if study.state == "locked" and study.total and study.done == study.total:
            text = f"“{study.title}”: {counted(study.total, 'reading')}, all in. Look at them, then close the study."
            steps.append(NextStep("See the results", text, "results", study.id))
        elif study.state == "locked" and study.total:
            text = f"“{study.title}”: {study.done} of {counted(study.total, 'reading')} so far."
            steps.append(NextStep("Follow the reading", text, "studies", study.id))
        elif study.state == "locked":
            text = f"“{study.title}” is locked and nobody is invited yet."
            steps.append(NextStep("Invite readers", text, "studies", study.id))
        elif study.state == "draft":
            text = f"“{study.title}” is a draft: settle the questions, look at the pairs, lock it."
            steps.append(NextStep("Finish the draft", text, "studies", study.id))
        elif study.state == "closed" and study.done:
            text = f"“{study.title}”: which finding appears under which eigenvector, and do readers agree?"
            steps.append(NextStep("Read the results", text, "results", study.id))
    if state.runs_done:
        text = "Pick an image and a direction, drag the strength, keep what is worth keeping."
        steps.append(NextStep("Explore", text, "explore"))
        if not state.studies:
            steps.append(NextStep("Design a study", "Show pairs to readers who do not know which is which.", "studies"))
    chosen: dict[str, NextStep] = {}
    for step in steps:
        chosen.setdefault(step.title, step)
    return list(chosen.values())[:3] or [NextStep("Explore", "Start a run first.", "runs")]
