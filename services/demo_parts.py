"""What the demo workspace is made of; each part is made once and found again by a later call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import sqlalchemy as sa

from cfcore.engines.catalogue import METHODS
from cfcore.study.protocol import FINDING_LISTS, Protocol
from cfcore.study.schedule import Trial as PlannedTrial
from cfcore.study.simulated import SimulatedReader, simulate_study
from cfcore.wording import direction_name
from db.models import Dataset, Entry, Image, Reading, Run, Study, StudyReader, Trial
from services.accounts import DEMO_LOGINS, ensure_account
from services.answers import checked, is_complete
from services.demo_truth import describe_truth, truth_of
from services.importing import import_phantom
from services.invitations import invite_reader
from services.models import ModelView, list_models, register_shipped
from services.notebook import keep
from services.pairs import make_pairs
from services.result_truth import measure_study
from services.runs import run_view, start_run
from services.schedule import write_trials
from services.studies import close_study, create_study, lock_study, protocol_of, study_view, update_draft
from services.workspace import Workspace

Progress = Callable[[float, str], None]

ACTOR = "demo"
PATHOLOGY = "cardiomegaly"
ENGINE = "eigenfind"
DATASET, RUN = "Phantom cardiomegaly, 512 px", "EigenFind, cardiomegaly phantom"
FINISHED, WAITING = "Cardiomegaly, three eigenvectors, simulated readers", "Cardiomegaly, open for the demo reader"
# Far from the seeds that the shipped weights were trained on.
SEED = 910_000
READERS = (
    SimulatedReader("R1", sensitivity=0.92, specificity=0.97, agreement=0.7, seconds=34.0),
    SimulatedReader("R2", sensitivity=0.85, specificity=0.95, agreement=0.7, cannot=0.02, seconds=27.0),
    SimulatedReader("R3", sensitivity=0.80, specificity=0.90, agreement=0.5, side_bias=0.05, seconds=41.0),
)


class DemoRefused(ValueError):
    """The demo cannot be prepared here; the message says why and what to do."""


def fill(workspace: Workspace, progress: Progress, size: int, n_images: int) -> None:
    """Make every part that is not there yet: accounts, models, images, run, two studies, three notebook entries."""
    progress(0.0, "accounts and models")
    ensure_account(workspace, DEMO_LOGINS["researcher"], "Demo researcher", "researcher")
    ensure_account(workspace, DEMO_LOGINS["reader"], "Demo reader", "reader")
    register_shipped(workspace)
    classifier, generator = shipped_pair(workspace)
    dataset_id = _dataset(workspace, size, n_images, _part(progress, 0.02, 0.40))
    run_id = _run(workspace, dataset_id, classifier, generator, _part(progress, 0.40, 0.75))
    finished = _finished_study(workspace, run_id, _part(progress, 0.75, 0.90))
    _waiting_study(workspace, run_id, _part(progress, 0.90, 0.97))
    progress(0.97, "notebook")
    _entries(workspace, run_id, finished)


def shipped_pair(workspace: Workspace) -> tuple[ModelView, ModelView]:
    """The shipped classifier of the demo's phantoms and the generator that was trained against it."""
    models = {model.id: model for model in list_models(workspace)}
    for generator in models.values():
        classifier = models.get(generator.classifier_id or 0)
        name = classifier.name.casefold() if classifier else ""
        if classifier and generator.kind == METHODS[ENGINE].generator_kind and "phantom" in name and PATHOLOGY in name:
            return classifier, generator
    raise DemoRefused(
        "No phantom classifier with its generator is shipped under weights/: get the whole repository, or train them "
        "with `cfreader train classifier` and `cfreader train stylex`."
    )


def _part(progress: Progress, start: float, end: float) -> Progress:
    return lambda share, message: progress(start + (end - start) * min(1.0, share), message)


def _dataset(workspace: Workspace, size: int, n_images: int, progress: Progress) -> int:
    with workspace.session() as session:
        found = session.scalar(sa.select(Dataset.id).where(Dataset.name == DATASET))
    dataset_id = (
        found
        or import_phantom(
            workspace, DATASET, n_images, size, SEED, PATHOLOGY, progress=progress, actor=ACTOR
        ).dataset_id
    )
    # No image of this set was seen in training, so none is needed as training data here: a few rank the directions
    # (val), all others can be read (test).
    with workspace.session() as session:
        images = session.scalars(sa.select(Image).where(Image.dataset_id == dataset_id).order_by(Image.id))
        for i, image in enumerate(images):
            image.split = "val" if i % 4 == 0 else "test"
    return dataset_id


def _run(workspace: Workspace, dataset_id: int, classifier: ModelView, generator: ModelView, progress: Progress) -> int:
    with workspace.session() as session:
        found = session.scalar(sa.select(Run.id).where(Run.name == RUN, Run.dataset_id == dataset_id))
        images = session.scalar(sa.select(sa.func.count()).where(Image.dataset_id == dataset_id, Image.split == "val"))
    names = classifier.card["class_names"]
    settings = {
        "engine": ENGINE,
        # With the authors' basis one of the three eigenvectors widened the heart, with this one all three do.
        "config": {"basis": "balanced"},
        "target": names[-1],
        "images": {"split": "test", "n": 16, "seed": 1},
        "fit_split": "val",
        "fit_n": images or 1,
        "rendering": "detail transfer",
    }
    run_id = found or start_run(
        workspace, "explain", RUN, settings, 1, dataset_id, classifier.id, generator.id, actor=ACTOR
    )
    _until_done(workspace, run_id, progress)
    return run_id


def _until_done(workspace: Workspace, run_id: int, progress: Progress) -> None:
    """Work in this process unless a server's worker holds the lease, which then does the run for us."""
    from services.worker.loop import work
    from services.worker.supervise import new_holder

    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(workspace, new_holder(), stopping), daemon=True)
    thread.start()
    try:
        while (run := run_view(workspace, run_id)).state in ("queued", "running"):
            progress(run.progress, run.message or "the run waits for its turn")
            time.sleep(0.2)
    finally:
        stopping.set()
        thread.join(30)
    if run.state != "done":
        raise DemoRefused(f"The demo's run ended as “{run.state}”: {run.message} Run `cfreader demo` again.")


def _locked(workspace: Workspace, run_id: int, title: str, notes: str, progress: Progress, **settings: Any) -> int:
    """The study called `title`, made and locked as far as that is not done yet (an earlier call may have been cut)."""
    with workspace.session() as session:
        study_id = session.scalar(sa.select(Study.id).where(Study.title == title))
    if study_id is None:
        study_id = create_study(workspace, run_id, actor=ACTOR, title=title, findings=PATHOLOGY, **settings)
    view = study_view(workspace, study_id)
    if view.state == "draft":
        if not view.pairs:
            make_pairs(workspace, study_id, actor=ACTOR, progress=progress)
        update_draft(workspace, study_id, actor=ACTOR, notes=notes)
        lock_study(workspace, study_id, actor=ACTOR)
    return study_id


def _finished_study(workspace: Workspace, run_id: int, progress: Progress) -> int:
    keys = [finding.key for finding in FINDING_LISTS[PATHOLOGY]]
    notes, title = describe_truth(READERS, keys), "Chest radiographs, series 1"
    study_id = _locked(workspace, run_id, FINISHED, notes, progress, seed=3, n_per_arm=10, reader_title=title)
    view = study_view(workspace, study_id)
    if not view.readers:
        _simulate(workspace, study_id)
    if view.state != "closed":
        close_study(workspace, study_id, actor=ACTOR)
    _until_done(workspace, measure_study(workspace, study_id, actor=ACTOR), progress)
    return study_id


def _simulate(workspace: Workspace, study_id: int) -> None:
    """Three readers of known skill and agreement work through their schedules, all or nothing."""
    accounts = [
        ensure_account(workspace, f"simulated-{i}", f"Simulated reader {i}", "reader")
        for i in range(1, len(READERS) + 1)
    ]
    truth = truth_of(workspace, study_id)
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        protocol = protocol_of(study)
        rng = np.random.default_rng([study.seed, 77])
        own = [write_trials(session, study, account, simulated=True) for account in accounts]
        readers = [replace(reader, key=row.label) for reader, row in zip(READERS, own, strict=True)]
        trials = {row.label: _trials(session, row) for row in own}
        schedules = {
            label: [PlannedTrial(t.position, t.pair_id, "A" if t.original_side == "A" else "B") for t in rows]
            for label, rows in trials.items()
        }
        keys = [finding.key for finding in protocol.findings]
        answers = simulate_study(readers, schedules, truth, keys, rng, protocol.ratings)
        for answer in answers:
            trial = trials[answer["reader"]][answer["position"]]
            session.add(_reading(trial, answer, protocol, study.protocol))


def _trials(session: Any, reader: StudyReader) -> list[Trial]:
    return list(session.scalars(sa.select(Trial).where(Trial.study_reader_id == reader.id).order_by(Trial.position)))


def _reading(trial: Trial, answer: dict[str, Any], protocol: Protocol, stored: dict[str, Any]) -> Reading:
    given = {"findings": answer["answers"], "ratings": answer["ratings"], "comment": ""}
    clean = checked(given, stored)
    return Reading(
        trial_id=trial.id, sequence=1, answers=clean, complete=is_complete(clean, stored), seconds=answer["seconds"]
    )


def _waiting_study(workspace: Workspace, run_id: int, progress: Progress) -> None:
    notes, title = "Demo study: waits for the demo reader.", "Chest radiographs, series 2"
    study_id = _locked(workspace, run_id, WAITING, notes, progress, seed=8, n_per_arm=4, reader_title=title)
    if not study_view(workspace, study_id).readers:
        invite_reader(workspace, study_id, DEMO_LOGINS["reader"], "Demo reader", ACTOR)


def _entries(workspace: Workspace, run_id: int, study_id: int) -> None:
    """Three kept views: one image explored, the run, the results."""
    with workspace.session() as session:
        if session.scalar(sa.select(Entry.id).where(Entry.author == ACTOR).limit(1)) is not None:
            return
    from services.explore import explore
    from services.pictures import triptych_png
    from services.result_picture import findings_png
    from services.results import results

    found = results(workspace, study_id)
    run = run_view(workspace, run_id)
    pair = max(found.study.pairs, key=lambda pair: pair.p_counterfactual - pair.p_source)
    arm = next(arm.name for arm in found.study.protocol.arms if arm.key == pair.arm)
    degree = found.study.protocol.degree
    view = explore(workspace, run_id, pair.image_id, arm, degree, "detail transfer")
    keep(
        workspace,
        "explore",
        f"{direction_name(arm)} at degree {degree:g}",
        {"run": run_id, "image": pair.image_id, "direction": arm, "degree": degree, "rendering": "detail transfer"},
        note=(
            f"The strongest change of the study: p of {run.settings['target']} goes from {view.p_source:.2f} "
            f"to {view.p_counterfactual:.2f}. The reconstruction alone gives {view.p_reconstruction:.2f}: "
            "that part is the generator's error, the rest is the direction."
        ),
        picture=triptych_png(view.original, view.counterfactual),
        study_id=study_id,
        author=ACTOR,
    )
    best = ", ".join(f"{direction_name(d.name)} ({100 * d.explained:.0f} %)" for d in run.directions[:3])
    keep(
        workspace,
        "run",
        "Three directions carry the classifier",
        {"run": run_id},
        note=f"Share of the ranking images that flip under each direction alone: {best}.",
        study_id=study_id,
        author=ACTOR,
    )
    line = found.headline
    keep(
        workspace,
        "results",
        "What simulated readers saw",
        {"study": study_id, "digest": found.study.digest or ""},
        note=(
            f"{line.readings_done} readings, AC1 over all findings {line.ac1}. The readers are **simulated**: their "
            "truth is the phantom measured back, so this table checks the tool, not the classifier."
        ),
        picture=findings_png(found),
        study_id=study_id,
        author=ACTOR,
    )
