"""The reading routes: headers, statuses, bodies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.testclient import TestClient

from routes import all_routes
from routes.guard import Guard
from services.accounts import COOKIE, sign_in
from services.workspace import Workspace
from tests.browser.studies import PASSWORD, add_reader, make_study, noise_pairs


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = Starlette(
        routes=all_routes(),
        middleware=[Middleware(Guard, workspace=lambda: workspace), Middleware(GZipMiddleware, minimum_size=10)],
    )
    add_reader(workspace, make_study(workspace, noise_pairs(2)))
    with TestClient(app, base_url="http://localhost", headers={"origin": "http://localhost"}) as opened:
        opened.cookies.set(COOKIE, sign_in(workspace, "reader.one", PASSWORD))
        yield opened


def first_case(client: TestClient) -> dict[str, object]:
    series = client.get("/read/list").json()["series"][0]["series"]
    token = client.get(f"/read/{series}/cases").json()["cases"][0]["token"]
    return dict(client.get(f"/read/{series}/case/{token}").json())


def test_both_sides_come_under_the_same_headers(client: TestClient) -> None:
    urls: dict[str, str] = first_case(client)["pixels"]["urls"]  # type: ignore[index]
    a, b = (client.get(urls[side], headers={"accept-encoding": "gzip"}) for side in "AB")
    assert a.status_code == b.status_code == 200 and a.content != b.content
    assert dict(a.headers) == dict(b.headers)
    assert a.headers["content-length"] == str(96 * 80)
    assert not {"etag", "last-modified", "content-encoding"} & set(a.headers)
    assert a.headers["cache-control"] == "no-store"


def test_an_answer_is_echoed_with_its_number(client: TestClient) -> None:
    token = first_case(client)["token"]
    body = {"token": token, "sequence": 3, "answers": {"findings": {"line": "A"}}, "seconds": 1.5}
    echo = client.post("/read/answer", json=body)
    assert echo.status_code == 200 and echo.json()["sequence"] == 3 and not echo.json()["complete"]
    assert client.post("/read/answer", json=body).json() == echo.json()
    other = client.post("/read/answer", json=body | {"answers": {"comment": "x"}})
    assert other.status_code == 409 and other.json()["answers"]["findings"] == {"line": "A"}
    assert first_case(client)["sequence"] == 3


BODIES = (
    (b"", 400),
    (b"[]", 400),
    (b"{}", 400),
    (b'{"token": 1}', 400),
    (b'{"token": ["x"], "sequence": 1, "answers": {}, "seconds": 1}', 400),
    (b"[" * 100_000, 400),
    (b'{"token": "x", "sequence": 1, "answers": {}, "seconds": 1}', 404),
    (b'{"token": "x", "sequence": 0, "answers": {}, "seconds": 1}', 422),
    (b'{"token": "x", "sequence": 1, "answers": {}, "seconds": NaN}', 422),
    (b'{"token": "x", "comment": "' + b"x" * 270_000 + b'"}', 400),
)


def test_other_bodies_are_refused_with_a_reason(client: TestClient) -> None:
    for content, status in BODIES:
        answer = client.post("/read/answer", content=content)
        assert answer.status_code == status and answer.json()["error"], content[:60]


def test_unknown_names_are_not_found_and_say_why(client: TestClient) -> None:
    for path in ("/read/nothing/cases", "/read/nothing/case/x", "/read/pixels/x/A", "/read/pixels/x/original"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "list" in answer.json()["error"] or "again" in answer.json()["error"]
        assert answer.headers["cache-control"] == "no-store"


def test_the_longest_comment_in_the_widest_script_fits_through_the_door(client: TestClient) -> None:
    token, comment = first_case(client)["token"], "\U0001fac1" * 10_000
    body = {"token": token, "sequence": 1, "answers": {"comment": comment}, "seconds": 1}
    assert client.post("/read/answer", json=body).status_code == 200
    assert first_case(client)["answers"]["comment"] == comment  # type: ignore[index]
    body = {"token": token, "sequence": 2, "answers": {"comment": comment + "x"}, "seconds": 1}
    refused = client.post("/read/answer", json=body)
    assert refused.status_code == 422 and "10000 characters" in refused.json()["error"]


def test_lines_idle_time_and_events_come_with_a_case(client: TestClient) -> None:
    token = first_case(client)["token"]
    lines = {"B": {"heart": [10, 20, 40, 20], "chest": [5, 50, 65, 50]}}
    body = {"token": token, "sequence": 1, "answers": {}, "seconds": 4, "idle": 2.5, "measures": lines}
    assert client.post("/read/answer", json=body).status_code == 200
    again = first_case(client)
    assert again["idle"] == 2.5 and again["measures"]["B"]["ratio"] == 0.5  # type: ignore[index]
    event = {"number": 1, "kind": "shown", "value": {"view": "side"}, "seconds": 0}
    events = {"token": token, "visit": "ab" * 8, "events": [event]}
    kept = [client.post("/read/log", json=events) for _ in range(2)]
    assert kept[0].status_code == 200 and kept[0].content == kept[1].content
    assert client.post("/read/log", json=events | {"visit": "?"}).status_code == 422


def test_a_screen_is_checked_once_a_session(client: TestClient) -> None:
    series = client.get("/read/list").json()["series"][0]["series"]
    assert client.get(f"/read/{series}/cases").json()["check"] is True
    seen = {"dark": True, "bright": True, "ramp": True, "lines": True}
    sizes = {"width": 1, "height": 1, "inner_width": 1, "inner_height": 1, "colour_bits": 24}
    screen = {"browser": "x", "ratio": 1, **sizes}
    assert client.post(f"/read/{series}/check", json={"seen": seen}).status_code == 400
    assert client.post(f"/read/{series}/check", json={"seen": seen, "screen": screen}).json() == {"kept": True}
    assert client.get(f"/read/{series}/cases").json()["check"] is False


def test_the_page_is_dark_from_its_first_moment(client: TestClient) -> None:
    page = client.get("/read", headers={"accept": "text/html"}).text
    assert "#0c0e12" in page and "Opening the reading room" in page and '<div id="root">' in page
