"""The form before the first case, and what a colleague's browser may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from routes import all_routes
from routes.guard import Guard
from routes.profile import texts
from services import accounts, reading, study_members
from services.accounts import COOKIE
from services.reader_profiles import CONSENT, reader_profiles, set_desk
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs

GIVEN = {"specialty": "Radiology", "years": "12", "ethics_number": "", "consent": "yes"}


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    everything = Route("/{path:path}", lambda request: PlainTextResponse("streamlit"))
    app = Starlette(routes=[*all_routes(), everything], middleware=[Middleware(Guard, workspace=lambda: workspace)])
    here = {"origin": "http://localhost"}
    with TestClient(app, base_url="http://localhost", follow_redirects=False, headers=here) as opened:
        yield opened


@pytest.fixture
def study(workspace: Workspace) -> int:
    study_id = make_study(workspace, noise_pairs(2))
    set_desk(workspace, study_id, actor="test", consent_text="<b>I</b> agree.", ethics_number="EK 7")
    return study_id


def sign_in(client: TestClient, workspace: Workspace, login: str) -> None:
    client.cookies.set(COOKIE, accounts.sign_in(workspace, login, PASSWORD))


def test_the_form_stands_before_the_first_case_and_opens_it(
    client: TestClient, workspace: Workspace, study: int
) -> None:
    account = add_reader(workspace, study)
    sign_in(client, workspace, "reader.one")
    series = reading.reading_list(workspace, account)[0].series
    cases = client.get(f"/read/{series}/cases").json()
    case = f"/read/{series}/case/{cases['cases'][0]['token']}"
    assert cases["profile"] == f"/profile/{series}" and client.get(case).status_code == 428
    form = client.get(cases["profile"], headers={"accept": "text/html"})
    assert form.status_code == 200 and "&lt;b&gt;I&lt;/b&gt; agree." in form.text and "EK 7" in form.text
    assert form.headers["cache-control"] == "no-store"
    refused = client.post(cases["profile"], data=GIVEN | {"years": "a few", "specialty": 'X"><script>'})
    assert refused.status_code == 422 and "years of experience" in refused.text and "<script>" not in refused.text
    answer = client.post(cases["profile"], data=GIVEN)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/read?series={series}")
    assert client.get(case).status_code == 200 and client.get(f"/read/{series}/cases").json()["profile"] is None
    assert reader_profiles(workspace, study)["R1"].years == 12


@pytest.mark.parametrize(
    ("headers", "query", "word"),
    [({"accept-language": "de-AT,en"}, "", "Fachrichtung"), ({}, "?lang=de", "Fachrichtung"), ({}, "", "Specialty")],
)
def test_the_form_speaks_the_readers_language(
    client: TestClient, workspace: Workspace, study: int, headers: dict[str, str], query: str, word: str
) -> None:
    account = add_reader(workspace, study)
    sign_in(client, workspace, "reader.one")
    series = reading.reading_list(workspace, account)[0].series
    assert word in client.get(f"/profile/{series}{query}", headers=headers).text


def test_every_language_has_every_text() -> None:
    catalogues = texts()
    assert {"en", "de"} <= set(catalogues)
    specialties = [words["profile.specialties"].split("|") for words in catalogues.values()]
    assert len({len(names) for names in specialties}) == 1 and all(len(set(names)) == 10 for names in specialties)
    for words in catalogues.values():
        assert words.keys() == catalogues["en"].keys() and all(words.values())
    assert catalogues["en"]["profile.consent.text"] == CONSENT


@pytest.mark.parametrize(("spoken", "specialty"), [("en", "Radiography"), ("de", "Kinderradiologie")])
def test_the_usual_consent_is_kept_as_the_reader_saw_it(
    client: TestClient, workspace: Workspace, study: int, spoken: str, specialty: str
) -> None:
    set_desk(workspace, study, actor="test", consent_text="  ")
    account = add_reader(workspace, study)
    sign_in(client, workspace, "reader.one")
    address = f"/profile/{reading.reading_list(workspace, account)[0].series}"
    usual = texts()[spoken]["profile.consent.text"]
    form = client.get(address, headers={"accept-language": spoken}).text
    assert usual in form and f'<option value="{specialty}">' in form
    # The form sends its own language, whatever the browser's is by then.
    client.post(address, data=GIVEN | {"lang": spoken}, headers={"accept-language": "fr"})
    assert reader_profiles(workspace, study)["R1"].consent_text == usual


def test_somebody_elses_form_and_a_foreign_page_are_refused(
    client: TestClient, workspace: Workspace, study: int
) -> None:
    account = add_reader(workspace, study)
    add_reader(workspace, study, "second", "Dr. Two")
    series = reading.reading_list(workspace, account)[0].series
    assert client.get(f"/profile/{series}").status_code == 401
    sign_in(client, workspace, "second")
    assert client.get(f"/profile/{series}").headers["location"] == "/read"
    assert client.post(f"/profile/{series}", data=GIVEN).headers["location"] == "/read"
    foreign = client.post(f"/profile/{series}", data=GIVEN, headers={"origin": "http://elsewhere.org"})
    assert foreign.status_code == 403 and reader_profiles(workspace, study) == {}


@pytest.mark.parametrize(("part", "rehearses"), [("monitor", 403), ("co-editor", 200)])
def test_a_colleague_reaches_the_studio_but_rehearses_only_as_co_editor(
    client: TestClient, workspace: Workspace, study: int, part: str, rehearses: int
) -> None:
    link = study_members.invite_member(workspace, study, "mate", "Mate", part, "test")
    welcome = client.get(link)
    assert "given a part in a reader study" in welcome.text and "open your desk" in welcome.text
    answer = client.post(link, data={"password": PASSWORD, "again": PASSWORD})
    assert answer.headers["location"] == "/"
    assert client.get("/", headers={"accept": "text/html"}).text == "streamlit"
    assert client.get(f"/rehearse/{study}/cases").status_code == rehearses
    assert client.get(f"/rehearse/{study}/pixels/0/A").status_code == rehearses
    other = make_study(workspace, noise_pairs(2), seed=5)
    assert client.get(f"/rehearse/{other}/cases").status_code == 403
    assert client.get("/views/scene").status_code == 403
    assert client.get("/read/list").json()["series"] == []
    gone = client.get(link)
    assert gone.status_code == 410 and "has been used" in gone.text
