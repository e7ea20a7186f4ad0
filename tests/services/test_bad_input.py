"""What people and machines do wrong to a study: nothing is lost, nothing crashes, and it is told."""

from __future__ import annotations

import json
import re
import threading

import pytest
import sqlalchemy as sa

from cfcore.reports.html import study_report
from cfcore.reports.tidy import read_long
from db.models import Pair, PlannedTrial, Reading, Study, StudyReader, Trial
from services import accounts, invitations, reading
from services import pairs as pairs_service
from services.accounts import AccountError
from services.pairs import make_pairs
from services.report.bundle import data_files, long_csv
from services.report.content import report_content
from services.results import results
from services.studies import StudyRefused, close_study, create_study, lock_study, study_view
from services.workspace import Workspace
from tests.browser.studies import add_reader, make_study, noise_pairs
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine

PASSWORD = "a long enough password"
# As long as a comment may be, in three scripts.
LONG = ("Ein Schatten 👩‍⚕️ <b>, “תסנין בריאה”, ظل في الرئة & so on. " * 200)[:10_000]


@pytest.fixture
def draft(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=2)
    make_pairs(workspace, study_id, actor="ada")
    return study_id


def test_an_arm_that_has_lost_its_cases_bars_the_lock(workspace: Workspace, draft: int) -> None:
    with workspace.session() as session:
        own = session.scalars(sa.select(Pair.id).where(Pair.arm == "v2+")).all()
        session.execute(sa.delete(PlannedTrial).where(PlannedTrial.pair_id.in_(own)))
        session.execute(sa.delete(Pair).where(Pair.id.in_(own)))
    assert [p for p in study_view(workspace, draft).problems if "has 0 pairs, the protocol asks for 2" in p]
    with pytest.raises(StudyRefused, match="“v2 \\+” has 0 pairs"):
        lock_study(workspace, draft, actor="ada")


def test_an_arm_that_nobody_has_read_is_told_as_such(workspace: Workspace, draft: int) -> None:
    lock_study(workspace, draft, actor="ada")
    add_readers(workspace, draft, 2)
    read_all(workspace, draft, lambda *_: "appears")
    with workspace.session() as session:
        unread = sa.select(Trial.id).join(Pair, Pair.id == Trial.pair_id).where(Pair.arm == "v2+")
        session.execute(sa.delete(Reading).where(Reading.trial_id.in_(unread)))
    close_study(workspace, draft, actor="ada")
    found = results(workspace, draft)
    empty = found.findings[found.findings["arm"] == "v2+"]
    assert (empty["readings"] == 0).all() and empty["share"].isna().all() and empty["ac1"].isna().all()
    assert set(empty["share_note"]) == {"no reading"} and (empty["missing"] == 4).all()
    told = json.loads(data_files(found, {})["results.json"])
    assert all(row["share"] is None for row in told["tables"]["findings"] if row["arm"] == "v2+")
    page = study_report(report_content(workspace, found, pictures=False))
    assert not re.search(r"\bnan\b|>None<", page) and "v2 +" in page


def test_a_very_long_comment_in_three_scripts_comes_through_to_report_and_export(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    account = add_reader(workspace, study)
    series = reading.reading_list(workspace, account)[0].series
    token = reading.progress(workspace, account, series)["cases"][0]["token"]
    answers = {
        "findings": dict.fromkeys(("line", "shadow", "rib"), "neither"),
        "ratings": {"realism": 1, "identity": 5},
    }
    reading.save_reading(workspace, account, token, 1, {**answers, "comment": LONG}, 4.0)
    close_study(workspace, study, actor="ada")
    found = results(workspace, study)
    said = read_long(long_csv(found)).answers
    assert list(said.loc[said["kind"] == "comment", "answer"]) == [LONG]
    page = study_report(report_content(workspace, found, pictures=False))
    assert "&lt;b&gt;" in page and "<b>," not in page and "ظل في الرئة" in page and page.count("תסנין בריאה") > 150


def test_two_clicks_on_one_link_at_once_open_one_door(workspace: Workspace) -> None:
    study = make_study(workspace, noise_pairs(2))
    token = invitations.invite_reader(workspace, study, "r@example.org", "Dr. R", "ada").rsplit("/", 1)[1]
    together, told = threading.Barrier(2), []

    def click(password: str) -> None:
        together.wait()
        try:
            told.append(
                accounts.account_for_token(workspace, invitations.accept_invitation(workspace, token, password))
            )
        except AccountError as error:
            told.append(str(error))

    clicks = [threading.Thread(target=click, args=(f"{PASSWORD} {i}",)) for i in range(2)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join(60)
    refused = [one for one in told if isinstance(one, str)]
    assert len(told) == 2 and len(refused) == 1 and "it works once" in refused[0]
    with workspace.session() as session:
        assert session.scalar(sa.select(sa.func.count(StudyReader.id))) == 1
        assert session.scalars(sa.select(Study.state)).one() == "locked"
