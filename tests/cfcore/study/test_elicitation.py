import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.elicitation import alike, group_labels


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Pleural effusion", "pleural effusions", True),
        ("Effusion, pleural", "Pleural effusion", True),
        ("Signs of fluid overload", "fluid overload", True),
        ("Cardiomegaly", "cardiomegally", True),
        ("Cardiomegaly", "Enlarged heart", False),
        ("Pleural effusion", "Pericardial effusion", False),
        ("Narrow sulci", "Wide sulci", False),
        ("🫁", "🫁", True),
    ],
)
def test_labels_are_held_alike_by_their_words(one, other, same):
    assert alike(one, other) is same


def test_groups_keep_the_order_in_which_labels_came():
    labels = ["Pacemaker", "Pleural effusion", "pacemakers", "Older patient", "effusion, pleural"]
    assert group_labels(labels) == [[0, 2], [1, 4], [3]]
    assert group_labels([]) == []


@given(st.lists(st.text(max_size=20), max_size=8))
def test_every_label_is_in_exactly_one_group(labels):
    assert sorted(i for group in group_labels(labels) for i in group) == list(range(len(labels)))
