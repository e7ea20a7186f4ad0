"""Practice cases of phantoms know their right answers, and feedback says what is truly in the images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import sqlalchemy as sa

from cfcore.images.phantom import Factors, Measurement, Patient, render
from cfcore.study.design.choices import Training
from cfcore.study.protocol import Finding
from db.models import Event, Image, Pair, Study, StudyReader
from services import pairs as pairs_service
from services import reading
from services.invitations import invite_reader
from services.pairs import make_pairs
from services.studies import StudyRefused, create_study, lock_study, study_view, update_draft
from services.study_design.phantom_training import has_phantoms, take_phantom_answers
from services.study_design.training import set_truth
from services.study_views import PairView
from services.workspace import Workspace
from tests.browser.studies import make_study
from tests.services.toy_study import finished_run, toy_engine

FINDINGS = (
    Finding("ctr", "Increased cardiothoracic ratio", "main"),
    Finding("effusion", "Pleural effusion"),
    Finding("kinks", "No rule says when this is there"),
)
PLAIN = Factors(cardiothoracic_ratio=0.42)
WIDE = dataclasses.replace(PLAIN, cardiothoracic_ratio=0.58)

MEASURED = (
    Measurement(True, "", 0.5, cardiothoracic_ratio=0.42),
    Measurement(True, "", 0.5, cardiothoracic_ratio=0.58),
)


def pixels(factors: Factors) -> np.ndarray:
    return np.round(255 * np.asarray(render(Patient(7, factors), 128))).astype(np.uint8)


@pytest.fixture
def draft(workspace: Workspace) -> int:
    """A draft with two practice cases: a heart that widens, and one whose picture and factors disagree."""
    study = make_study(workspace, [(pixels(PLAIN), pixels(WIDE)), (pixels(WIDE), pixels(WIDE))], findings=FINDINGS)
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
        for pair in session.scalars(sa.select(Pair)):
            pair.kind, pair.arm = "training", "training"
            image = session.get_one(Image, pair.image_id)
            image.meta = {"phantom": {"factors": dataclasses.asdict(PLAIN)}}
    return study


def truths(workspace: Workspace, study: int) -> list[dict[str, list[bool]] | None]:
    return [pair.truth for pair in study_view(workspace, study).pairs]


def test_answers_are_what_was_drawn_and_what_is_measured(workspace: Workspace, draft: int) -> None:
    assert has_phantoms(workspace, draft) and take_phantom_answers(workspace, draft, actor="ada") == 2
    first, second = truths(workspace, draft)
    assert first == {"ctr": [False, True], "effusion": [False, False]}
    # It measures as a wide heart and was drawn as a slim one: that finding is not scored.
    assert second == {"effusion": [False, False]}
    with workspace.session() as session:
        assert session.scalars(sa.select(Event).where(Event.kind == "training answers measured")).one()


def test_a_researchers_own_answer_is_no_longer_called_the_truth(workspace: Workspace, draft: int) -> None:
    take_phantom_answers(workspace, draft, actor="ada")
    pair = study_view(workspace, draft).pairs[0]
    set_truth(workspace, pair.id, {"ctr": "counterfactual", "effusion": "neither"}, actor="ada")
    assert study_view(workspace, draft).pairs[0].meta["truth_from"] == "phantom", "saved as it was"
    set_truth(workspace, pair.id, {"ctr": "both"}, actor="ada")
    changed = study_view(workspace, draft).pairs[0]
    assert "truth_from" not in changed.meta and changed.meta["engine"] == "eigenfind"


def test_a_locked_study_keeps_its_answers_and_no_phantom_has_none(workspace: Workspace, draft: int) -> None:
    with workspace.session() as session:
        for image in session.scalars(sa.select(Image)):
            image.meta = {}
    assert not has_phantoms(workspace, draft) and take_phantom_answers(workspace, draft, actor="ada") == 0
    assert truths(workspace, draft) == [None, None]
    with workspace.session() as session:
        session.get_one(Study, draft).state = "locked"
    with pytest.raises(StudyRefused, match="locked"):
        take_phantom_answers(workspace, draft, actor="ada")


def test_pairs_that_are_made_bring_their_truth_and_the_reader_is_told(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2, findings=FINDINGS[:1])
    update_draft(workspace, study, actor="ada", training=Training(1, 1.0))
    with workspace.session() as session:
        for image in session.scalars(sa.select(Image)):
            image.meta = {**image.meta, "phantom": {"factors": dataclasses.asdict(PLAIN)}}
    seen: list[PairView] = []

    def measured(_: Workspace, pairs: list[PairView]) -> list[tuple[Measurement, Measurement]]:
        seen.extend(pairs)
        return [MEASURED]

    monkeypatch.setattr("services.study_design.phantom_training.measured_sides", measured)
    make_pairs(workspace, study, actor="ada")
    (practised,) = [pair for pair in study_view(workspace, study).pairs if pair.kind == "training"]
    assert [pair.id for pair in seen] == [practised.id] and practised.truth == {"ctr": [False, True]}
    lock_study(workspace, study, actor="ada")
    invite_reader(workspace, study, "rita", "Rita", "ada")
    with workspace.session() as session:
        reader = session.scalars(sa.select(StudyReader).where(StudyReader.study_id == study)).one()
        account, trial = reader.account_id, next(t for t in reader.trials if t.purpose == "training")
        token, side = trial.token, trial.original_side
    answers = {"findings": {"ctr": side}, "ratings": {"realism": 3, "identity": 3}, "comment": ""}
    (told,) = reading.save_reading(workspace, account, token, 1, answers, 3.0).feedback
    assert told["known"] is True and told["correct"] is False and told["right"] == ("B" if side == "A" else "A")
