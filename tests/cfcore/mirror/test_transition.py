"""Names of animation files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cfcore.mirror.transition import Transition, file_path, plain_name

DIGITS = tuple("0123456789")
NOTHING = np.zeros((1, 2))
WAY = Transition(np.zeros((2, 2), np.float32), np.zeros((1, 2, 2), np.float32), NOTHING[0, :1], NOTHING, NOTHING,
                 NOTHING[0, :1], None, "9", "4", "4")  # fmt: skip


def test_files_are_named_as_in_the_paper() -> None:
    assert str(file_path(WAY, "mnist", 31, DIGITS, "mp4")) == "mnist/49/no31_9_(GT_4)_to_4_error.mp4"
    right = replace(WAY, source="Coat", target="T-shirt/top", truth="Coat")
    path = file_path(right, "f mnist", 5, ("T-shirt/top", "Trouser", "Coat"), "gif")
    assert str(path) == "f-mnist/02/no5_Coat_(GT_Coat)_to_T-shirt-top_correct.gif"
    many = tuple(f"class {i}" for i in range(12))
    assert file_path(replace(right, source=many[11], target=many[3]), "x", 1, many, "gif").parent.name == "3-11"


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        ("../../etc", "etc"),
        ("No_Effusion", "No-Effusion"),
        ("a/b\\c: d", "a-b-c-d"),
        ("..", "unnamed"),
        ("é" * 99, "é" * 30),
    ],
)
def test_a_label_cannot_leave_its_folder(label: str, plain: str) -> None:
    assert plain_name(label) == plain
