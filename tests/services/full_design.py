"""A closed study with everything that a protocol can hold: four arms of two runs, every control, practice, single
images, repeats, guesses, every kind of question, simulated readers, a drop-out, and a scripted person."""

from __future__ import annotations

from typing import Any

import numpy as np
import sqlalchemy as sa
from pytest import MonkeyPatch

from cfcore.study.design.choices import Control, Design, Repeats, Training
from cfcore.study.design.crossing import crossed
from cfcore.study.protocol import Arm, Finding, Rating
from cfcore.study.questions import (
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Presence,
    SameDifferent,
    Sides,
    VisualAnalogue,
)
from cfcore.study.simulated import SimulatedReader
from db.models import Account, Pair, Run, Study, StudyReader, Trial
from services import pairs as pairs_service
from services import reading
from services.accounts import ensure_account
from services.invitations import invite_reader
from services.pairs import make_pairs
from services.rehearsal_readers import read_series
from services.schedule import write_trials
from services.studies import close_study, create_study, lock_study, study_view, update_draft
from services.study_design.training import set_truth
from services.workspace import Workspace
from tests.services.toy_study import finished_run, toy_engine

FINDINGS = (
    Finding("ctr", "Increased ratio"),
    Finding("effusion", "Effusion"),
    Finding("device", "Pacemaker", "secondary"),
)
RATINGS = (
    Rating("realism", "The difference looks real", "not at all", "entirely"),
    Rating("identity", "A and B show one patient", "surely not", "surely", 7),
)
QUESTIONS = (
    Sides(key="lines", text="New lines"),
    ForcedChoice(key="real", text="Which one is real?", right="original"),
    ForcedChoice(key="sharper", text="Which one is sharper?"),
    SameDifferent(key="person", text="Same person?"),
    FreeText(key="why", text="Why not?", only_if=Condition("person", ("different",)), required=False),
    Choice(key="lobe", text="Which lobe?", options=("upper", "lower"), right_for_original="upper",
           right_for_counterfactual="lower"),
    Likert(key="quality", text="Image quality", points=7),
    VisualAnalogue(key="change", text="How much differs?"),
    Number(key="width", text="Heart width", unit="mm", low=80, high=200, decimals=1),
    Mark(key="spot", text="Where?", shape="box", most=2, required=False),
    Confidence(key="sure", text="How sure?"),
    Presence(key="artefact", text="An artefact was there", ask="series"),
)  # fmt: skip
CONTROLS = tuple(Control(kind, 3) for kind in ("identical", "reconstruction", "filter", "patients"))
READERS = (
    SimulatedReader("R1", 0.9, 0.95, seconds=25.0),
    SimulatedReader("R2", 0.8, 0.9, side_bias=0.4, cannot=0.1),
    SimulatedReader("R3", 0.85, 0.85, lapse=0.06, choice=0.8),
    SimulatedReader("R4", 0.9, 0.9, fatigue=0.5, favourite="both", answer_bias=0.1),
    SimulatedReader("R5", 0.8, 0.9, cannot=0.05, stops_after=30),
)
COMMENTS = ("", "Ein Schatten 👩‍⚕️, sonst nichts", "תסנין בריאה", "=SUM(A1:A9)")


def arms_of(workspace: Workspace, run_id: int) -> tuple[Arm, ...]:
    """Two directions at two degrees of this run and of another one over the same images."""
    with workspace.session() as session:
        first = session.get_one(Run, run_id)
        other = Run(
            name="Second run", kind="explain", engine="brighten", state="done", dataset_id=first.dataset_id,
            progress=1.0, settings=first.settings, inputs={"weights": "def"}, versions=first.versions,
        )  # fmt: skip
        session.add(other)
        session.flush()
        other_id = other.id
    own = crossed([("v1 +", "v1 +")], [5, 10])
    return (*own, Arm("second", "Second run", run=other_id), Arm("second@4", "Second run, 4", run=other_id, degree=4))


def whole_study(workspace: Workspace, monkeypatch: MonkeyPatch, n_per_arm: int = 10) -> int:
    """The id of the study, read and closed."""
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    run_id = finished_run(workspace, 120)
    study_id = create_study(
        workspace, run_id, actor="ada", n_per_arm=n_per_arm, title="Everything", findings=FINDINGS, ratings=RATINGS,
        degree=8.0, seed=11,
    )  # fmt: skip
    update_draft(
        workspace, study_id, actor="ada", arms=arms_of(workspace, run_id), controls=CONTROLS, questions=QUESTIONS,
        repeats=Repeats(6, 5), training=Training(2, 0.8), guess_share=0.3, single_share=0.2,
        design=Design(len(READERS) + 1, order="Latin square"),
    )  # fmt: skip
    make_pairs(workspace, study_id, actor="ada")
    for pair in study_view(workspace, study_id).pairs:
        if pair.kind == "training":
            set_truth(workspace, pair.id, {"ctr": "counterfactual", "device": "neither"}, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    let_programs_read(workspace, study_id, READERS)
    invite_reader(workspace, study_id, "person@example.org", "A Person", "ada")
    let_a_person_read(workspace, "person@example.org")
    close_study(workspace, study_id, actor="ada")
    return study_id


def let_programs_read(workspace: Workspace, study_id: int, readers: tuple[SimulatedReader, ...], seed: int = 5) -> None:
    """Seat simulated readers in a locked study and let them read: the study itself, not a copy as in a rehearsal."""
    rng = np.random.default_rng(seed)
    accounts = [ensure_account(workspace, f"program-{one.key}", f"Program {one.key}", "reader") for one in readers]
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        seats = {
            account: (reading.series_name(workspace, write_trials(session, study, account, simulated=True).id), reader)
            for account, reader in zip(accounts, readers, strict=True)
        }
        arms = {arm["key"]: 0.2 + 0.2 * i for i, arm in enumerate(study.protocol["arms"])}
        pairs = list(session.scalars(sa.select(Pair).where(Pair.study_id == study_id).order_by(Pair.id)))
        keys = [finding["key"] for finding in study.protocol["findings"]]
        truth: dict[tuple[Any, str], tuple[bool, bool]] = {}
        for pair in pairs:
            for key in keys:
                before = bool(rng.random() < 0.25)
                after = before or bool(rng.random() < arms.get(pair.arm, 0.0))
                if pair.kind == "patients":
                    after = bool(rng.random() < 0.25)
                truth[pair.id, key] = (before, after)
    protocol = study_view(workspace, study_id).protocol
    read_series(workspace, seats, protocol, [pair.id for pair in pairs], truth, rng)


def let_a_person_read(workspace: Workspace, login: str) -> None:
    """Every case by fixed lots, with marks and comments, and one case left open in the middle."""
    rng = np.random.default_rng(3)
    with workspace.session() as session:
        seat, account = session.execute(
            sa.select(StudyReader, Account.id).join(Account, Account.id == StudyReader.account_id).where(
                Account.login == login
            )
        ).tuples().one()  # fmt: skip
        series = reading.series_name(workspace, seat.id)
        sides = {trial.token: trial for trial in session.scalars(sa.select(Trial).where(Trial.study_reader == seat))}
    for number, case in enumerate(reading.progress(workspace, account, series)["cases"]):
        if number == 20:
            continue
        shown = reading.case(workspace, account, 0, case["token"])
        answers = _person(shown, sides[case["token"]], number, rng)
        reading.save_reading(workspace, account, case["token"], 1, answers, round(float(rng.uniform(5, 60)), 1))


def _person(case: dict[str, Any], trial: Trial, number: int, rng: np.random.Generator) -> dict[str, Any]:
    asked, practises = case["questions"], trial.purpose == "training"
    right = {"ctr": "B" if trial.original_side == "A" else "A", "device": "neither"}
    findings = {one["key"]: str(rng.choice(asked["states"])) for one in asked["findings"]}
    findings |= {key: right[key] for key in findings.keys() & right.keys() if practises}
    given: dict[str, Any] = {}
    for one in asked["questions"]:
        given[one["key"]] = _answer(one, findings, rng)
    if given.get("person") != "different":
        given.pop("why", None)
    if not given.get("sure", True):
        given.pop("sure")
    ratings = {one["key"]: int(rng.integers(1, one["points"] + 1)) for one in asked["ratings"]}
    comment = COMMENTS[number % len(COMMENTS)] if asked["occasion"] == "pair" else ""
    return {"findings": findings, "ratings": ratings, "questions": given, "comment": comment}


def _answer(question: dict[str, Any], findings: dict[str, str], rng: np.random.Generator) -> Any:
    kind = question["kind"]
    if kind in ("likert", "confidence"):
        points = int(question["points"])
        if kind == "likert":
            return int(rng.integers(1, points + 1))
        return {key: int(rng.integers(1, points + 1)) for key, said in findings.items() if said != "cannot"}
    if kind == "vas":
        return int(rng.integers(0, 101))
    if kind == "number":
        return round(float(rng.uniform(80, 200)), 1)
    if kind == "text":
        return "Other ribs, “und” העצמות"
    if kind == "mark":
        x, y = (float(v) for v in rng.integers(0, 10, 2))
        side = str(rng.choice(["A", "B"]))
        return [{"side": side, "points": [[x, y], [x + 4, y + 6]]}] if rng.random() < 0.6 else []
    options = {"sides": ["A", "B", "both", "neither", "cannot"], "presence": ["present", "absent", "cannot"]}
    options |= {"forced_choice": ["A", "B"], "same": ["same", "different"], "choice": question.get("options", [])}
    if question["key"] == "guess":
        return str(rng.choice(["A", "B", "unsure"]))
    return str(rng.choice(options[kind]))
