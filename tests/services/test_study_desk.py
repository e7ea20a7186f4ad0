"""The study desk: links, profiles, progress, and who may see and do what, asked of the services themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from db.events import first_broken
from db.models import Account, Event, Invitation, Study, StudyReader, now
from services import (
    accounts,
    invitations,
    pairs,
    reader_profiles,
    reading,
    studies,
    study_desk,
    study_links,
    study_members,
)
from services.accounts import AccountError
from services.permissions import RIGHTS, NotAllowed, may, require
from services.reader_profiles import ProfileRefused
from services.reading import ReadingRefused
from services.report.job import start_report
from services.report.looks import take_look
from services.reporting import write_report
from services.study_views import study_view
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

PROFILE = {"specialty": "Radiology", "years": "7,5", "ethics_number": "", "consent": True}


@pytest.fixture
def study(workspace: Workspace) -> int:
    return make_study(workspace, noise_pairs(4))


def token_of(link: str) -> str:
    return link.removeprefix("/invite/")


def reader_id(workspace: Workspace, label: str = "R1") -> int:
    with workspace.session() as session:
        return session.scalars(sa.select(StudyReader.id).where(StudyReader.label == label)).one()


def member(workspace: Workspace, study_id: int, part: str) -> int:
    """An account with this part, password set."""
    link = study_members.invite_member(workspace, study_id, f"the.{part}", part.capitalize(), part, "test")
    invitations.accept_invitation(workspace, token_of(link), PASSWORD)
    with workspace.session() as session:
        return session.scalars(sa.select(Account.id).where(Account.login == f"the.{part}")).one()


def test_an_expired_link_works_again_once_extended(workspace: Workspace, study: int) -> None:
    link = invitations.invite_reader(workspace, study, "r1", "R", "test")
    with workspace.session() as session:
        session.execute(sa.update(Invitation).values(expires_at=now() - timedelta(days=1)))
    assert "expired on" in str(invitations.why_dead(workspace, token_of(link)))
    until = study_links.extend_link(workspace, reader_id(workspace), 30, "test")
    assert timedelta(days=29) < until - now() <= timedelta(days=30)
    assert invitations.why_dead(workspace, token_of(link)) is None
    invitations.accept_invitation(workspace, token_of(link), PASSWORD)
    with pytest.raises(AccountError, match="no unused link"):
        study_links.extend_link(workspace, reader_id(workspace), 30, "test")
    with pytest.raises(AccountError, match="1 to 365"):
        study_links.extend_link(workspace, reader_id(workspace), 0, "test")


def test_a_new_link_ends_the_old_one_and_every_dead_link_says_why(workspace: Workspace, study: int) -> None:
    old = invitations.invite_reader(workspace, study, "r1", "R", "test")
    new = study_links.reissue_link(workspace, reader_id(workspace), "test")
    assert new != old and "replaced" in str(invitations.why_dead(workspace, token_of(old)))
    with pytest.raises(AccountError, match="replaced"):
        invitations.accept_invitation(workspace, token_of(old), PASSWORD)
    study_links.revoke_link(workspace, reader_id(workspace), "test")
    with pytest.raises(AccountError, match="withdrawn"):
        invitations.accept_invitation(workspace, token_of(new), PASSWORD)
    again = study_links.reissue_link(workspace, reader_id(workspace), "test")
    invitations.accept_invitation(workspace, token_of(again), PASSWORD)
    with pytest.raises(AccountError, match="has been used"):
        invitations.accept_invitation(workspace, token_of(again), "another password")
    assert "not complete" in str(invitations.why_dead(workspace, token_of(again)[:-1]))
    assert study_links.reissue_link(workspace, reader_id(workspace), "test") == "/read"


def test_a_link_withdrawn_in_the_middle_of_reading_loses_nothing(workspace: Workspace, study: int) -> None:
    account = add_reader(workspace, study)
    series = reading.reading_list(workspace, account)[0].series
    first, second = (case["token"] for case in reading.progress(workspace, account, series)["cases"][:2])
    answers = {"findings": {"line": "A"}, "ratings": {}, "comment": "begun"}
    reading.save_reading(workspace, account, first, 1, answers, 5.0)
    invitations.revoke_reader(workspace, reader_id(workspace), "test")
    with pytest.raises(ReadingRefused, match="has been withdrawn") as refused:
        reading.save_reading(workspace, account, second, 1, answers, 5.0)
    assert refused.value.status == 410 and reading.reading_list(workspace, account) == []
    with pytest.raises(AccountError, match="withdrawn"):
        study_links.reissue_link(workspace, reader_id(workspace), "test")
    study_links.restore_reader(workspace, reader_id(workspace), "test")
    assert reading.case(workspace, account, 1, first)["answers"]["comment"] == "begun"
    # What waited in the browser is taken now.
    assert reading.save_reading(workspace, account, second, 1, answers, 5.0).sequence == 1


def test_the_desk_shows_how_far_everybody_is(workspace: Workspace, study: int) -> None:
    account = add_reader(workspace, study)
    invitations.invite_reader(workspace, study, "second", "Dr. Two", "test")
    series = reading.reading_list(workspace, account)[0].series
    token = reading.progress(workspace, account, series)["cases"][0]["token"]
    whole = {
        "findings": {"line": "A", "shadow": "neither", "rib": "cannot"},
        "ratings": {"realism": 3, "identity": 5},
        "comment": "",
    }
    for sequence, seconds in enumerate((4.0, 11.0), 1):
        reading.save_reading(workspace, account, token, sequence, whole, seconds)
    accounts.sign_in(workspace, "reader.one", PASSWORD)
    found = study_desk.desk(workspace, study, "test")
    one, two = found.readers
    assert (one.done, one.total, one.median_seconds, one.link.state) == (1, 4, 11.0, "none")
    assert one.last_saved and one.last_signed_in and one.last_active == max(one.last_saved, one.last_signed_in)
    assert (two.done, two.median_seconds, two.last_active, two.link.state) == (0, None, None, "open")
    assert (found.done, found.total, found.title) == (1, 8, "Chest radiographs, series 1")


def test_a_reader_tells_a_profile_before_the_first_case(workspace: Workspace, study: int) -> None:
    account = add_reader(workspace, study)
    series = reading.reading_list(workspace, account)[0].series
    token = reading.progress(workspace, account, series)["cases"][0]["token"]
    assert reading.progress(workspace, account, series)["profile"] is None
    reader_profiles.set_desk(workspace, study, actor="test", consent_text="I agree.", ethics_number="EK 7/2026")
    assert reading.progress(workspace, account, series)["profile"] == f"/profile/{series}"
    with pytest.raises(ReadingRefused, match="who you are") as asked:
        reading.case(workspace, account, 1, token)
    assert asked.value.status == 428
    reader_profiles.save_profile(workspace, reader_id(workspace), PROFILE)
    assert reading.case(workspace, account, 1, token)["position"] == 0
    profile = reader_profiles.reader_profiles(workspace, study)["R1"]
    assert (profile.specialty, profile.years, profile.ethics_number) == ("Radiology", 7.5, "EK 7/2026")
    assert profile.consent_text == "I agree." and now() - profile.consented_at < timedelta(minutes=5)
    # A new wording asks nobody again and changes nothing that was agreed to.
    reader_profiles.set_desk(workspace, study, actor="test", consent_text="Another text.")
    assert reader_profiles.reader_profiles(workspace, study)["R1"].consent_text == "I agree."
    assert reading.progress(workspace, account, series)["profile"] is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"specialty": "  "}, "specialty"),
        ({"specialty": "x" * 201}, "specialty"),
        ({"years": "many"}, "years of experience"),
        ({"years": "-1"}, "years of experience"),
        ({"years": "nan"}, "years of experience"),
        ({"consent": False}, "consent"),
        ({"ethics_number": "9" * 201}, "ethics number"),
        ({"specialty": "radio\x00logy"}, "cannot be stored"),
    ],
)
def test_what_is_no_profile_is_refused_by_name(
    workspace: Workspace, study: int, wrong: dict[str, Any], named: str
) -> None:
    add_reader(workspace, study)
    with pytest.raises(ProfileRefused, match=named):
        reader_profiles.save_profile(workspace, reader_id(workspace), PROFILE | wrong)
    assert reader_profiles.reader_profiles(workspace, study) == {}


def test_names_and_profiles_stay_out_of_the_log(workspace: Workspace, study: int) -> None:
    add_reader(workspace, study, "some.body", "Dr. Some Body")
    reader_profiles.save_profile(workspace, reader_id(workspace), PROFILE | {"specialty": "Rare specialty"})
    with workspace.session() as session:
        logged = str([event.data for event in session.scalars(sa.select(Event))])
        assert "Rare" not in logged and "Body" not in logged and first_broken(session) is None


def test_each_part_has_its_rights_and_no_other(workspace: Workspace, study: int) -> None:
    other = make_study(workspace, noise_pairs(2), seed=9)
    for part, rights in RIGHTS.items():
        account = member(workspace, study, part)
        for right in ("design", "readers", "results", "masked results", "progress", "adjudicate"):
            assert may(workspace, account, study, right) == (right in rights), (part, right)
            assert not may(workspace, account, other, right)
    reader = add_reader(workspace, study)
    boss = accounts.ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    assert not may(workspace, reader, study, "progress") and not may(workspace, 999, study, "progress")
    assert may(workspace, boss, study, "adjudicate")
    with workspace.session() as session:
        session.get_one(Account, boss).active = False
    assert not may(workspace, boss, study, "progress")


def test_a_part_that_was_taken_away_is_gone_at_once(workspace: Workspace, study: int) -> None:
    account = member(workspace, study, "monitor")
    assert study_desk.desk(workspace, study, account).total == 0
    view = study_members.members(workspace, study)[0]
    assert (view.part, view.signed_up) == ("monitor", True)
    study_members.remove_member(workspace, view.id, "test")
    assert study_members.members(workspace, study) == []
    assert study_members.parts_by_study(workspace, account) == []
    with pytest.raises(NotAllowed, match="see how far"):
        study_desk.desk(workspace, study, account)
    with pytest.raises(AccountError, match="any more"):
        study_members.remove_member(workspace, view.id, "test")


def test_the_services_refuse_what_a_part_does_not_allow(workspace: Workspace, study: int) -> None:
    add_reader(workspace, study)
    reader = reader_id(workspace)
    monitor, editor = (f"account {member(workspace, study, part)}" for part in ("monitor", "co-editor"))
    calls: list[Callable[[str], object]] = [
        lambda who: reader_profiles.set_desk(workspace, study, actor=who),
        lambda who: invitations.invite_reader(workspace, study, "another", "Another", who),
        lambda who: study_links.reissue_link(workspace, reader, who),
        lambda who: study_links.restore_reader(workspace, reader, who),
        lambda who: study_links.revoke_link(workspace, reader, who),
        lambda who: invitations.revoke_reader(workspace, reader, who),
        lambda who: study_members.invite_member(workspace, study, "mate", "Mate", "monitor", who),
    ]
    for call in calls:
        with pytest.raises(NotAllowed, match="manage the readers"):
            call(monitor)
        call(editor)
    with workspace.session() as session, pytest.raises(NotAllowed, match="see the results"):
        require(session, monitor, study, "results")


def test_a_copy_asks_as_the_study_did_and_a_draft_goes_with_all_that_hangs_on_it(
    workspace: Workspace, study: int
) -> None:
    reader_profiles.set_desk(workspace, study, actor="test", consent_text="I agree.", ethics_number="EK 7")
    copy = studies.copy_study(workspace, study, actor="test")
    found = reader_profiles.desk_settings(workspace, copy)
    assert (found.ask_profile, found.consent_text, found.ethics_number) == (True, "I agree.", "EK 7")
    member(workspace, copy, "monitor")
    studies.delete_draft(workspace, copy, actor="test")
    assert reader_profiles.desk_settings(workspace, study).ask_profile
    with workspace.session() as session:
        assert session.scalars(sa.select(Study.id)).all() == [study]


def test_only_who_designs_changes_a_study_and_only_researchers_make_new_ones(workspace: Workspace, study: int) -> None:
    statistician, editor = (f"account {member(workspace, study, part)}" for part in ("statistician", "co-editor"))
    boss = accounts.ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    calls: list[Callable[[str], object]] = [
        lambda who: studies.update_draft(workspace, study, actor=who, notes=who),
        lambda who: studies.preview(workspace, study, actor=who),
        lambda who: studies.lock_study(workspace, study, actor=who),
        lambda who: studies.amend_study(workspace, study, actor=who, reason="r", notes="n"),
        lambda who: studies.close_study(workspace, study, actor=who),
        lambda who: studies.delete_draft(workspace, study, actor=who),
        lambda who: pairs.make_pairs(workspace, study, actor=who),
    ]
    for call in calls:
        with pytest.raises(NotAllowed, match="change this study"):
            call(statistician)
    with workspace.session() as session:
        session.get_one(Study, study).state = "draft"
    studies.update_draft(workspace, study, actor=editor, notes="by the co-editor")
    assert study_view(workspace, study).protocol.notes == "by the co-editor"
    with pytest.raises(NotAllowed, match="researchers only"):
        studies.copy_study(workspace, study, actor=editor)
    with pytest.raises(NotAllowed, match="researchers only"):
        studies.create_study(workspace, 1, actor=editor)
    assert studies.copy_study(workspace, study, actor=f"account {boss}") > study


def test_reports_and_looks_are_for_who_may_see_results(workspace: Workspace, study: int) -> None:
    monitor = f"account {member(workspace, study, 'monitor')}"
    for call in (
        lambda: take_look(workspace, study, actor=monitor, reason="curious"),
        lambda: start_report(workspace, study, actor=monitor),
        lambda: write_report(workspace, study, actor=monitor),
    ):
        with pytest.raises(NotAllowed, match="see the results"):
            call()


def test_no_part_for_who_reads_and_no_reading_for_who_has_a_part(workspace: Workspace, study: int) -> None:
    add_reader(workspace, study)
    with pytest.raises(AccountError, match="reader's account"):
        study_members.invite_member(workspace, study, "reader.one", "x", "chair", "test")
    member(workspace, study, "monitor")
    with pytest.raises(AccountError, match="another part"):
        invitations.invite_reader(workspace, study, "the.monitor", "x", "test")
    boss = accounts.ensure_account(workspace, "boss", "Boss", "researcher", PASSWORD)
    with pytest.raises(AccountError, match="may do this already"):
        study_members.invite_member(workspace, study, "boss", "Boss", "monitor", "test")
    assert study_members.invite_member(workspace, study, "boss", "Boss", "chair", "test") == "/"
    assert study_members.parts_by_study(workspace, boss)[0].parts == ("chair",)
    with pytest.raises(AccountError, match="another part"):
        invitations.invite_reader(workspace, study, "boss", "Boss", "test")
    with pytest.raises(AccountError, match="unknown"):
        study_members.invite_member(workspace, study, "x1", "x", "king", "test")
