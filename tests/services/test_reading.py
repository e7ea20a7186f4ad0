"""Reading: what a case shows, what it hides, and how answers are kept."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from cfcore.images.encode import decode_png
from db.events import first_broken
from db.models import Pair, Reading, Study, StudyReader, Trial
from services import accounts, invitations, reading
from services.answers import STATES, AnswersRefused, asked_of, checked, is_complete
from services.reading import ReadingRefused
from services.workspace import Workspace
from tests.browser.studies import FINDINGS, RATINGS, add_reader, make_study, noise_pairs, protocol

PLAN: dict[str, Any] = {
    "findings": [{"key": f.key, "label": f.label, "kind": f.kind} for f in FINDINGS],
    "ratings": [
        {"key": r.key, "question": r.question, "low": r.low, "high": r.high, "points": r.points} for r in RATINGS
    ],
}
FULL = {
    "findings": {"line": "A", "shadow": "both", "rib": "cannot"},
    "ratings": {"realism": 4, "identity": 5},
    "comment": "",
}


@pytest.fixture
def reader(workspace: Workspace) -> int:
    return add_reader(workspace, make_study(workspace, noise_pairs(4, white=4095), white=4095))


def series_of(workspace: Workspace, account: int) -> str:
    return reading.reading_list(workspace, account)[0].series


def tokens_of(workspace: Workspace, account: int) -> list[str]:
    found = reading.progress(workspace, account, series_of(workspace, account))
    return [case["token"] for case in found["cases"]]


def rows(workspace: Workspace) -> list[Reading]:
    with workspace.session() as session:
        return list(session.scalars(sa.select(Reading).order_by(Reading.id)))


def test_a_case_holds_what_a_reader_needs_and_nothing_else(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[1]
    case = reading.case(workspace, reader, 7, token)
    assert set(case) == {
        "token", "title", "position", "total", "open", "questions", "pixels",
        "answers", "sequence", "seconds", "idle", "measures", "saved_at", "complete",
    }  # fmt: skip
    assert (case["title"], case["position"], case["total"]) == ("Chest radiographs, series 1", 1, 4)
    assert case["questions"]["findings"] == [{"key": f.key, "label": f.label} for f in FINDINGS]
    assert case["pixels"] | {"urls": 0} == {
        "urls": 0, "width": 80, "height": 96, "bytes": 2, "white": 4095, "window": None,
        "display": {"width": 80, "height": 96},
    }  # fmt: skip
    text = json.dumps(case).lower()
    for hidden in ("eigen", "v17", "v3", "pneumonia", "pseudonym", "original", "counterfactual", "secondary"):
        assert hidden not in text


def test_questions_are_the_same_for_every_case(workspace: Workspace, reader: int) -> None:
    cases = [reading.case(workspace, reader, 7, token) for token in tokens_of(workspace, reader)]
    assert len({json.dumps(case["questions"]) for case in cases}) == 1
    assert len({len(case["pixels"]["urls"][side]) for case in cases for side in "AB"}) == 1


def test_pixels_are_exact_little_endian_and_on_the_drawn_side(workspace: Workspace, reader: int) -> None:
    for token in tokens_of(workspace, reader):
        case = reading.case(workspace, reader, 7, token)
        with workspace.session() as session:
            trial = session.scalars(sa.select(Trial).where(Trial.token == token)).one()
            pair = session.get_one(Pair, trial.pair_id)
        for side in "AB":
            name = case["pixels"]["urls"][side].split("/")[3]
            raw = reading.pixels(workspace, reader, 7, name, side)
            key = pair.original_key if side == trial.original_side else pair.counterfactual_key
            values = np.frombuffer(raw, "<u2").reshape(96, 80)
            assert np.array_equal(values, decode_png(workspace.get(key)))


def test_eight_bit_pairs_come_as_one_byte_a_pixel(workspace: Workspace) -> None:
    account = add_reader(workspace, make_study(workspace, noise_pairs(1)))
    case = reading.case(workspace, account, 7, tokens_of(workspace, account)[0])
    name = case["pixels"]["urls"]["A"].split("/")[3]
    assert case["pixels"]["bytes"] == 1
    assert len(reading.pixels(workspace, account, 7, name, "A")) == 96 * 80


def test_a_picture_of_another_size_is_never_sent(workspace: Workspace, reader: int) -> None:
    with workspace.session() as session:
        session.execute(sa.update(Pair).values(width=81))
    case = reading.case(workspace, reader, 7, tokens_of(workspace, reader)[0])
    with pytest.raises(ValueError, match=r"\(96, 80\) pixels"):
        reading.pixels(workspace, reader, 7, case["pixels"]["urls"]["A"].split("/")[3], "A")


def test_pixel_names_hold_for_one_session_and_one_reader(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    name = reading.pixel_token(workspace, 7, token)
    other = accounts.ensure_account(workspace, "other", "O", "researcher")
    assert reading.pixels(workspace, reader, 7, name, "A")
    for account, session_id, asked, side in (
        (reader, 8, name, "A"),
        (other, 7, name, "A"),
        (reader, 7, name, "C"),
        (reader, 7, name[:-1] + ("0" if name[-1] != "0" else "1"), "A"),
        (reader, 7, token, "A"),
        (reader, 7, "", "A"),
    ):
        with pytest.raises(ReadingRefused) as refused:
            reading.pixels(workspace, account, session_id, asked, side)
        assert refused.value.status == 404


def test_nobody_reads_another_list(workspace: Workspace, reader: int) -> None:
    other = accounts.ensure_account(workspace, "other", "O", "reader")
    series, token = series_of(workspace, reader), tokens_of(workspace, reader)[0]
    assert reading.reading_list(workspace, other) == []
    for call in (
        lambda: reading.progress(workspace, other, series),
        lambda: reading.case(workspace, other, 7, token),
        lambda: reading.save_reading(workspace, other, token, 1, FULL, 1.0),
    ):
        with pytest.raises(ReadingRefused) as refused:
            call()
        assert refused.value.status == 404
    assert rows(workspace) == []


def test_readings_are_appended_and_the_highest_number_counts(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    first = reading.save_reading(workspace, reader, token, 1, {"findings": {"line": "B"}}, 2.5)
    second = reading.save_reading(workspace, reader, token, 4, FULL, 9)
    assert (first.sequence, first.complete, second.sequence, second.complete) == (1, False, 4, True)
    assert [(r.sequence, r.complete, r.seconds) for r in rows(workspace)] == [(1, False, 2.5), (4, True, 9.0)]
    case = reading.case(workspace, reader, 7, token)
    assert (case["sequence"], case["answers"], case["complete"]) == (4, FULL, True)
    assert case["saved_at"] == second.saved_at.isoformat()
    with workspace.session() as session:
        assert first_broken(session) is None


def test_the_same_number_with_the_same_answers_is_an_echo(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    saved = reading.save_reading(workspace, reader, token, 1, FULL, 2)
    again = reading.save_reading(workspace, reader, token, 1, {**FULL, "comment": ""}, 99)
    assert again == saved
    reading.save_reading(workspace, reader, token, 2, {**FULL, "comment": "x"}, 3)
    assert reading.save_reading(workspace, reader, token, 1, FULL, 2) == saved
    assert len(rows(workspace)) == 2


@pytest.mark.parametrize("sequence", [1, 2])
def test_a_number_that_is_taken_or_below_the_last_is_a_conflict(
    workspace: Workspace, reader: int, sequence: int
) -> None:
    token = tokens_of(workspace, reader)[0]
    reading.save_reading(workspace, reader, token, 2, FULL, 2)
    with pytest.raises(ReadingRefused) as refused:
        reading.save_reading(workspace, reader, token, sequence, {"comment": "other"}, 2)
    assert refused.value.status == 409
    assert (refused.value.details["sequence"], refused.value.details["answers"]) == (2, FULL)
    assert len(rows(workspace)) == 1


def test_many_at_once_write_one_row_a_number(workspace: Workspace, reader: int) -> None:
    tokens = tokens_of(workspace, reader)

    def save(job: tuple[str, int]) -> int:
        return reading.save_reading(workspace, reader, job[0], job[1], FULL, 1).sequence

    jobs = [(token, 1) for token in tokens for _ in range(6)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(save, jobs)) == [1] * len(jobs)
    assert len(rows(workspace)) == len(tokens)
    with workspace.session() as session:
        assert first_broken(session) is None


def test_progress_and_list_follow_the_answers(workspace: Workspace, reader: int) -> None:
    tokens = tokens_of(workspace, reader)
    series = series_of(workspace, reader)
    assert reading.progress(workspace, reader, series)["at"] == 0
    reading.save_reading(workspace, reader, tokens[0], 1, FULL, 1)
    reading.save_reading(workspace, reader, tokens[1], 1, {"comment": "later"}, 1)
    found = reading.progress(workspace, reader, series)
    assert [case["state"] for case in found["cases"]] == ["complete", "started", "open", "open"]
    assert found["at"] == 1
    line = reading.reading_list(workspace, reader)[0]
    assert (line.complete, line.total, line.label, line.open) == (1, 4, "R1", True)
    for token in tokens[1:]:
        reading.save_reading(workspace, reader, token, 2, FULL, 1)
    assert reading.progress(workspace, reader, series)["at"] is None
    # An answer may be taken back: then the case is open again.
    reading.save_reading(workspace, reader, tokens[0], 2, {"comment": ""}, 1)
    assert reading.progress(workspace, reader, series)["at"] == 0


def test_a_closed_study_shows_answers_and_takes_none(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    saved = reading.save_reading(workspace, reader, token, 1, FULL, 1)
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state="closed"))
    assert reading.save_reading(workspace, reader, token, 1, FULL, 1) == saved  # an echo is still owed
    with pytest.raises(ReadingRefused, match="closed") as refused:
        reading.save_reading(workspace, reader, token, 2, {"comment": "x"}, 1)
    assert refused.value.status == 423
    case = reading.case(workspace, reader, 7, token)
    assert case["open"] is False and case["answers"] == FULL
    assert reading.reading_list(workspace, reader)[0].open is False


def test_a_withdrawn_invitation_ends_reading_and_keeps_readings(workspace: Workspace, reader: int) -> None:
    token, series = tokens_of(workspace, reader)[0], series_of(workspace, reader)
    reading.save_reading(workspace, reader, token, 1, FULL, 1)
    with workspace.session() as session:
        member = session.scalars(sa.select(StudyReader.id)).one()
    invitations.revoke_reader(workspace, member, "test")
    assert reading.reading_list(workspace, reader) == []
    for call, status in (
        (lambda: reading.progress(workspace, reader, series), 404),
        (lambda: reading.case(workspace, reader, 7, token), 410),
        (lambda: reading.save_reading(workspace, reader, token, 2, FULL, 1), 410),
    ):
        with pytest.raises(ReadingRefused) as refused:
            call()  # type: ignore[no-untyped-call]
        assert refused.value.status == status
    assert len(rows(workspace)) == 1


def test_impossible_numbers_are_refused(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    numbers: list[tuple[Any, Any]] = [(0, 1.0), (-1, 1.0), (True, 1.0), ("1", 1.0), (2**31, 1.0)]
    for sequence, seconds in [*numbers, (1, -1), (1, float("nan")), (1, "1"), (1, True)]:
        with pytest.raises(ReadingRefused) as refused:
            reading.save_reading(workspace, reader, token, sequence, FULL, seconds)
        assert refused.value.status == 422, (sequence, seconds)


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ("text", "object"),
        ({"other": 1}, "other"),
        ({"findings": {"pneumonia": "A"}}, "pneumonia"),
        ({"findings": {"line": "a"}}, "“a”"),
        ({"findings": []}, "objects"),
        ({"ratings": {"realism": 0}}, "1 to 5"),
        ({"ratings": {"realism": 6}}, "1 to 5"),
        ({"ratings": {"realism": True}}, "1 to 5"),
        ({"ratings": {"realism": 3.0}}, "1 to 5"),
        ({"ratings": {"beauty": 3}}, "beauty"),
        ({"comment": 3}, "text"),
        ({"comment": "x" * 10_001}, "10000"),
    ],
)
def test_answers_that_the_protocol_does_not_know_are_named(answers: Any, named: str) -> None:
    with pytest.raises(AnswersRefused, match=named):
        checked(answers, PLAN)


answer_sets = st.fixed_dictionaries(
    {
        "findings": st.dictionaries(st.sampled_from([f.key for f in FINDINGS]), st.sampled_from(STATES)),
        "ratings": st.dictionaries(st.sampled_from([r.key for r in RATINGS]), st.integers(1, 5)),
        "comment": st.text(max_size=50),
    }
)


@given(answer_sets)
def test_what_the_protocol_knows_passes_unchanged(answers: dict[str, Any]) -> None:
    assert checked(answers, PLAN) == answers
    assert json.loads(json.dumps(checked(answers, PLAN))) == answers
    assert is_complete(answers, PLAN) == (len(answers["findings"]) == 3 and len(answers["ratings"]) == 2)


def test_the_protocol_of_a_study_has_the_shape_that_reading_expects() -> None:
    from dataclasses import asdict

    plan = asdict(protocol(("v1 +",)))
    assert checked(FULL, plan) == FULL and is_complete(FULL, plan)
    assert [finding["key"] for finding in asked_of(plan)["findings"]] == [f.key for f in FINDINGS]


LINES = {"A": {"heart": [10, 40, 50, 40], "chest": [2, 60, 78, 60]}}


def test_measurements_and_idle_time_are_kept_beside_the_answers(workspace: Workspace, reader: int) -> None:
    token = tokens_of(workspace, reader)[0]
    first = reading.save_reading(workspace, reader, token, 1, FULL, 9.0, idle=31.5, measures=LINES)
    (row,) = rows(workspace)
    assert row.idle_seconds == 31.5 and row.measures["A"]["ratio"] == pytest.approx(40 / 76, abs=1e-3)
    case = reading.case(workspace, reader, 7, token)
    assert case["idle"] == 31.5 and case["measures"] == row.measures
    # The echo of what is stored carries the ratio; it comes back without harm.
    assert reading.save_reading(workspace, reader, token, 1, FULL, 9.0, measures=row.measures) == first
    with pytest.raises(ReadingRefused) as refused:
        reading.save_reading(workspace, reader, token, 1, FULL, 9.0)
    assert refused.value.status == 409 and refused.value.details["measures"] == row.measures
    with pytest.raises(ReadingRefused, match="leaves the image"):
        reading.save_reading(workspace, reader, token, 2, FULL, 9.0, measures={"A": {"heart": [0, 0, 0, 97]}})


@pytest.mark.parametrize("comment", ["x" * 10_000, "😀" * 10_000, "שלום עולם 👩‍⚕️ مرحبا", "a\u202eb", "‮"])
def test_a_comment_in_any_script_up_to_the_limit_comes_back_whole(
    workspace: Workspace, reader: int, comment: str
) -> None:
    token = tokens_of(workspace, reader)[0]
    reading.save_reading(workspace, reader, token, 1, {**FULL, "comment": comment}, 1.0)
    assert reading.case(workspace, reader, 7, token)["answers"]["comment"] == comment


def test_every_refusal_that_readers_meet_has_a_code_for_their_language(workspace: Workspace, reader: int) -> None:
    from components.reading_room.component import catalogues

    token = tokens_of(workspace, reader)[0]
    codes = []
    for call in (
        lambda: reading.case(workspace, reader, 7, "nothing"),
        lambda: reading.progress(workspace, reader, "nothing"),
        lambda: reading.pixels(workspace, reader, 7, "x" * 96, "A"),
    ):
        with pytest.raises(ReadingRefused) as refused:
            call()
        codes.append(refused.value.details["code"])
    with workspace.session() as session:
        session.execute(sa.update(Study).values(state="closed"))
    with pytest.raises(ReadingRefused) as refused:
        reading.save_reading(workspace, reader, token, 1, FULL, 1.0)
    codes.append(refused.value.details["code"])
    with workspace.session() as session:
        session.execute(sa.update(StudyReader).values(revoked_at=sa.func.now()))
    with pytest.raises(ReadingRefused) as refused:
        reading.case(workspace, reader, 7, token)
    codes.append(refused.value.details["code"])
    assert codes == ["not_listed", "not_listed", "pixels", "closed", "withdrawn"]
    for texts in catalogues().values():
        assert {f"refused.{code}" for code in codes} <= set(texts)
