"""What Home proposes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.overview import Overview, next_steps
from services.study_views import StudySummary

THEN = datetime(2026, 11, 1, tzinfo=UTC)
STUDY = StudySummary(7, "Heart size", "Series 1", "locked", ("v1 -",), 10, 1, False, 0, 10, THEN, THEN, None)
READY = Overview(False, 1, 30, 0, 1, 1, 0, 1, 0, (STUDY,))


@pytest.mark.parametrize(
    ("state", "done", "total", "title", "page"),
    [
        ("draft", 0, 0, "Finish the draft", "studies"),
        ("locked", 0, 0, "Invite readers", "studies"),
        ("locked", 0, 10, "Follow the reading", "studies"),
        ("locked", 9, 10, "Follow the reading", "studies"),
        ("locked", 10, 10, "See the results", "results"),
        ("closed", 10, 10, "Read the results", "results"),
    ],
)
def test_the_step_follows_the_study(state: str, done: int, total: int, title: str, page: str) -> None:
    study = replace(STUDY, state=state, done=done, total=total)
    step = next_steps(replace(READY, studies=(study,)))[0]
    assert (step.title, step.page, step.study_id) == (title, page, 7)


def test_one_of_anything_is_no_plural() -> None:
    one = replace(STUDY, done=1, total=1)
    look, results, *_ = next_steps(replace(READY, waiting=1, studies=(one,)))
    assert look.text.startswith("1 image may carry") and "1 reading, all in" in results.text


def test_an_empty_workspace_starts_with_images() -> None:
    steps = next_steps(Overview(False, 0, 0, 0, 0, 0, 0, 0, 0, ()))
    assert [step.title for step in steps] == ["Bring in radiographs"]
