"""How a case was looked at: appended once, in order, and nothing that is no such event."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.models import Trial, ViewingEvent
from services import reading
from services.reading import ReadingRefused
from services.viewing_log import MOST_AT_ONCE, add_events, viewing_log
from services.workspace import Workspace
from tests.browser.studies import add_reader, make_study, noise_pairs

VISIT = "0123456789abcdef"


def event(number: int, kind: str = "window", **value: Any) -> dict[str, Any]:
    return {"number": number, "kind": kind, "value": value, "seconds": 0.5 * number}


@pytest.fixture
def reader(workspace: Workspace) -> int:
    return add_reader(workspace, make_study(workspace, noise_pairs(2)))


def tokens(workspace: Workspace, account: int) -> list[str]:
    series = reading.reading_list(workspace, account)[0].series
    return [case["token"] for case in reading.progress(workspace, account, series)["cases"]]


def test_events_are_kept_once_and_in_order(workspace: Workspace, reader: int) -> None:
    first, second = tokens(workspace, reader)
    lot = [event(1, "shown", view="side", preset="standard"), event(2, centre=2048, width=4096, invert=False)]
    reading.log_viewing(workspace, reader, first, VISIT, lot)
    reading.log_viewing(workspace, reader, first, VISIT, [*lot, event(3, "zoom", scale=1.5, x=-3, y=0)])
    reading.log_viewing(workspace, reader, second, VISIT, [event(1, "flicker", front="B")])
    found = viewing_log(workspace, 1)
    assert [(e.position, e.number, e.kind) for e in found] == [
        (0, 1, "shown"),
        (0, 2, "window"),
        (0, 3, "zoom"),
        (1, 1, "flicker"),
    ]
    assert found[2].value == {"scale": 1.5, "x": -3, "y": 0} and found[2].seconds == 1.5
    assert {e.reader for e in found} == {"R1"}


@pytest.mark.parametrize(
    ("visit", "events", "named"),
    [
        ("short", [], "16 hex"),
        (VISIT, "text", "list"),
        (VISIT, [event(n) for n in range(1, MOST_AT_ONCE + 2)], "at most"),
        (VISIT, [{"number": 1}], "must have"),
        (VISIT, [event(1, "dance")], "“dance” is no kind"),
        (VISIT, [event(0)], "whole number"),
        (VISIT, [{**event(1), "seconds": -1}], "seconds"),
        (VISIT, [event(1, note="a name with spaces")], "few numbers"),
        (VISIT, [event(1, x=float("inf"))], "few numbers"),
        (VISIT, [event(1, nested={"a": 1})], "few numbers"),
    ],
)
def test_what_is_no_event_is_refused(workspace: Workspace, reader: int, visit: Any, events: Any, named: str) -> None:
    with pytest.raises(ReadingRefused, match=named) as refused:
        reading.log_viewing(workspace, reader, tokens(workspace, reader)[0], visit, events)
    assert refused.value.status == 422
    assert viewing_log(workspace, 1) == []


def test_a_case_does_not_grow_without_end(workspace: Workspace, reader: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.viewing_log.MOST_A_TRIAL", 3)
    token = tokens(workspace, reader)[0]
    reading.log_viewing(workspace, reader, token, VISIT, [event(1), event(2)])
    with pytest.raises(ReadingRefused, match="holds 2 events"):
        reading.log_viewing(workspace, reader, token, VISIT, [event(3), event(4)])


def test_another_reader_s_case_takes_no_events(workspace: Workspace, reader: int) -> None:
    other = add_reader(workspace, 1, "reader.two", "Dr. Two")
    with pytest.raises(ReadingRefused) as refused:
        reading.log_viewing(workspace, other, tokens(workspace, reader)[0], VISIT, [event(1)])
    assert refused.value.status == 404


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lots=st.lists(st.lists(st.integers(1, 12), max_size=6), max_size=6))
def test_lots_may_overlap_in_any_way(workspace: Workspace, reader: int, lots: list[list[int]]) -> None:
    """Resent lots overlap: each number of a visit is kept exactly once."""
    with workspace.session() as session:
        session.execute(sa.delete(ViewingEvent))
        trial = session.scalars(sa.select(Trial.id).order_by(Trial.id)).first()
        assert trial is not None
        for lot in lots:
            add_events(session, trial, VISIT, [event(n) for n in lot])
            session.flush()
        kept = sorted(session.scalars(sa.select(ViewingEvent.number)))
    assert kept == sorted({n for lot in lots for n in lot})
