"""The screen check: once a session, kept as seen, refused where it makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from db.events import first_broken
from services import accounts, reading
from services.reading import ReadingRefused
from services.sittings import screens
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

SEEN = {"dark": True, "bright": True, "ramp": True, "lines": False}
SCREEN: dict[str, Any] = {
    "browser": "Mozilla/5.0 (X11; Linux x86_64)",
    "ratio": 1.25,
    "width": 2560,
    "height": 1440,
    "inner_width": 2500,
    "inner_height": 1300,
    "colour_bits": 24,
}


@pytest.fixture
def reader(workspace: Workspace) -> int:
    return add_reader(workspace, make_study(workspace, noise_pairs(2)))


def session_of(workspace: Workspace) -> int:
    account = accounts.account_for_token(workspace, accounts.sign_in(workspace, "reader.one", PASSWORD))
    assert account is not None
    return account.session_id


def test_it_is_due_once_in_each_signed_in_session(workspace: Workspace, reader: int) -> None:
    series = reading.reading_list(workspace, reader)[0].series
    first, second = session_of(workspace), session_of(workspace)
    assert reading.progress(workspace, reader, series, first)["check"] is True
    reading.save_screen_check(workspace, reader, first, series, SEEN, SCREEN)
    assert reading.progress(workspace, reader, series, first)["check"] is False
    assert reading.progress(workspace, reader, series, second)["check"] is True
    (kept,) = screens(workspace, 1)
    assert (kept.reader, kept.seen, kept.screen, kept.passed) == ("R1", SEEN, SCREEN, False)
    with workspace.session() as session:
        assert first_broken(session) is None


def test_a_study_may_do_without(workspace: Workspace) -> None:
    from db.models import Study

    study_id = make_study(workspace, noise_pairs(2))
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        study.protocol = {**study.protocol, "viewing": {"screen_check": False, "views": ["side"]}}
    account = add_reader(workspace, study_id)
    series = reading.reading_list(workspace, account)[0].series
    found = reading.progress(workspace, account, series, session_of(workspace))
    assert found["check"] is False and found["viewing"]["views"] == ["side"]


@pytest.mark.parametrize(
    ("seen", "screen", "named"),
    [
        ({**SEEN, "extra": True}, SCREEN, "What was seen"),
        ({**SEEN, "dark": 1}, SCREEN, "What was seen"),
        ([], SCREEN, "What was seen"),
        (SEEN, {**SCREEN, "ratio": -1}, "ratio"),
        (SEEN, {**SCREEN, "width": True}, "width"),
        (SEEN, {**SCREEN, "browser": 7}, "browser"),
        (SEEN, {"browser": "x"}, "screen"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(
    workspace: Workspace, reader: int, seen: Any, screen: Any, named: str
) -> None:
    series = reading.reading_list(workspace, reader)[0].series
    with pytest.raises(ReadingRefused, match=named) as refused:
        reading.save_screen_check(workspace, reader, session_of(workspace), series, seen, screen)
    assert refused.value.status == 422
    assert screens(workspace, 1) == []


def test_a_browser_s_name_cannot_break_a_line_or_run_on(workspace: Workspace, reader: int) -> None:
    series = reading.reading_list(workspace, reader)[0].series
    told = {**SCREEN, "browser": "a\nb\x00" + "c" * 1000}
    reading.save_screen_check(workspace, reader, session_of(workspace), series, SEEN, told)
    assert screens(workspace, 1)[0].screen["browser"] == "ab" + "c" * 398


def test_nobody_checks_in_at_another_reader_s_series(workspace: Workspace, reader: int) -> None:
    other = add_reader(workspace, 1, "reader.two", "Dr. Two")
    series = reading.reading_list(workspace, reader)[0].series
    with pytest.raises(ReadingRefused) as refused:
        reading.save_screen_check(workspace, other, session_of(workspace), series, SEEN, SCREEN)
    assert refused.value.status == 404 and refused.value.details["code"] == "not_listed"
