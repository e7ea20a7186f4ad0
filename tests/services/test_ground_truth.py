"""What the labels of a data set say an image truly is, for one classifier."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from db.models import Image
from services.ground_truth import GroundTruth, labels_of
from services.workspace import Workspace
from tests.services import shift_engine

ONE = GroundTruth.of(("No Effusion", "Effusion"), {"settings": {"positive": "Effusion", "negative": None}})
PAIR = GroundTruth.of(("Normal", "Pneumonia"), {"settings": {"positive": "Pneumonia", "negative": "Normal"}})
THREE = GroundTruth.of(("0", "1", "2"), {"settings": {"classes": ["0", "1", "2"]}})


@pytest.mark.parametrize(
    ("truths", "labels", "expected"),
    [
        (ONE, ["Effusion"], 1),
        (ONE, ["No effusion"], 0),  # the negative class has no label of its own
        (ONE, ["Atelectasis"], 0),
        (ONE, ["Effusion", "Atelectasis"], 1),
        (ONE, [], None),
        (PAIR, ["Pneumonia"], 1),
        (PAIR, ["Normal"], 0),
        (PAIR, ["Effusion"], None),
        (PAIR, ["Normal", "Pneumonia"], None),
        (THREE, ["2"], 2),
        (THREE, ["2", "odd"], 2),
        (THREE, ["1", "2"], None),
        (THREE, ["odd"], None),
    ],
)
def test_the_class_that_labels_tell(truths: GroundTruth, labels: list[str], expected: int | None) -> None:
    assert truths.class_of(labels) == expected


def test_a_classifier_without_settings_reads_its_second_class_against_the_rest() -> None:
    assert GroundTruth.of(["Dark", "Bright"], {}) == GroundTruth(("Dark", "Bright"), True)


@pytest.mark.parametrize(
    ("truths", "labels", "needed"),
    [
        (ONE, {"No Effusion", "Atelectasis"}, "labelled Effusion, so"),
        (PAIR, {"Effusion"}, "labelled Normal or Pneumonia, so"),
        (THREE, set(), "labelled 0 or 1 or 2, so their ground truth is unknown: labels are none"),
    ],
)
def test_labels_that_do_not_name_the_classes(truths: GroundTruth, labels: set[str], needed: str) -> None:
    assert not truths.known_by(labels)
    with pytest.raises(ValueError, match=f"no image of 'set' is {needed}"):
        truths.check("set", labels)
    assert truths.known_by(labels | {truths.names[1]})
    truths.check("set", labels | {truths.names[1]})


def test_the_labels_of_one_data_set(place: Workspace) -> None:
    ids = shift_engine.scene(place)
    with place.session() as session:
        session.scalars(sa.select(Image).order_by(Image.id)).all()[3].labels = ["Grau, größer", 'a "quoted" one']
    with place.session() as session:
        assert labels_of(session, ids["dataset"]) == {"Dark", "Bright", "Grau, größer", 'a "quoted" one'}
        assert labels_of(session, ids["dataset"] + 1) == set()
