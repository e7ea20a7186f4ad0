"""Blinding by difference: the same reading with sides swapped and arms exchanged must look the same from outside."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Response, WebSocket, expect

from db.models import Image, Pair, Study, Trial
from services.workspace import Workspace, open_workspace
from tests.browser.pages import profile
from tests.browser.reading import at_case, open_room, sign_in
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs

CASES = 4
ARMS = ("v17 +", "v3 -")
# What must not reach a reader: method, direction, class, patient, and the names of what stands on a side.
HIDDEN = re.compile(
    rb"eigen|stylex|v17|v3 -|\bv3\b|pneumonia|healthy|pseudonym|original|counterfactual|reconstruction|logit"
    rb"|flipped|p_source",
    re.IGNORECASE,
)
OURS = re.compile(r"/(read|auth)(/|\?|$)")


@dataclass
class Record:
    """Everything that one reader's browser received."""

    tokens: dict[str, str] = field(default_factory=dict)
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    pixels: dict[str, tuple[dict[str, str], bytes]] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def mask(text: str, tokens: dict[str, str]) -> str:
    """Random tokens by the place at which they stand, the clock by "now": everything else stays."""
    for token, name in tokens.items():
        text = text.replace(token, name)
    text = re.sub(r"\b[0-9a-f]{24}\b", "SERIES", text)
    text = re.sub(r"(?<=CASE\d)[0-9a-f]{64}", "MAC", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", "NOW", text)
    return re.sub(r'"seconds": ?[\d.]+', '"seconds":0', text)


def read_study(browser: Browser, server: Server) -> Record:
    """One reader reads every case with the same keys; each answer is saved before the next."""
    record = Record()
    responses: list[Response] = []
    sockets: list[WebSocket] = []
    context = profile(browser, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.on("response", lambda response: responses.append(response))

    def listen(socket: WebSocket) -> None:
        sockets.append(socket)
        socket.on(
            "framereceived", lambda data: record.frames.append(data if isinstance(data, bytes) else data.encode())
        )

    page.on("websocket", listen)
    form = context.request.get(f"{server.url}/auth/sign-in")  # a form's body is gone once it has been sent
    record.answers["form"] = (form.status, {}, form.body())
    sign_in(page, server, "reader.one")
    open_room(page)
    for number in range(CASES):
        at_case(page, number + 1)
        for key in "axq25":
            with page.expect_response("**/read/answer"):
                page.keyboard.press(key)
        page.keyboard.press("Enter")
    expect(page.get_by_text("You may go back to any case")).to_be_visible()
    page.wait_for_load_state("networkidle")

    assert sockets
    for response in responses:
        if response.url.endswith("/cases"):
            for place, case in enumerate(response.json()["cases"]):
                record.tokens[case["token"]] = f"CASE{place}"
    for response in responses:
        path = re.sub(r"^blob:.*", "blob", response.url.removeprefix(server.url))
        record.paths.append(mask(path, record.tokens))
        if not OURS.search(path) or path.startswith("/auth/") or response.status == 303:
            continue
        headers = {name: value for name, value in response.all_headers().items() if name != "date"}
        name = mask(f"{response.request.method} {path}", record.tokens)
        if path.startswith("/read/pixels/"):
            record.pixels[name] = (headers, response.body())
            continue
        headers.pop("content-length", None)
        body = mask(response.text(), record.tokens)
        if path == "/read/answer":
            sent = json.loads(response.request.post_data or "{}")
            name += f" {mask(sent['token'], record.tokens)} {sent['sequence']}"
        record.answers[name] = (response.status, headers, body.encode())
    context.close()
    return record


def exchange(workspace: Workspace) -> None:
    """Swap every side and exchange the arms, and with them everything else that a reader must not learn."""
    with workspace.session() as session:
        for trial in session.scalars(sa.select(Trial)):
            trial.original_side = "B" if trial.original_side == "A" else "A"
        for pair in session.scalars(sa.select(Pair)):
            pair.arm = ARMS[1 - ARMS.index(pair.arm)]
            pair.p_counterfactual, pair.flipped = 0.2, False
            pair.patient = f"other-{pair.patient}"
            pair.meta = {"engine": "stylex", "degree": 3}
        for image in session.scalars(sa.select(Image)):
            image.labels, image.patient = ["Healthy"], f"other-{image.patient}"
        for study in session.scalars(sa.select(Study)):
            study.title = "Something else entirely"


@pytest.fixture(scope="module")
def records(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Record]:
    found = []
    for name in ("as drawn", "exchanged"):
        folder = tmp_path_factory.mktemp("blinding") / "workspace"
        workspace = open_workspace(folder)
        add_reader(workspace, make_study(workspace, noise_pairs(CASES, white=4095), ARMS, white=4095))
        if name == "exchanged":
            exchange(workspace)
        with Server(folder, worker=False) as server:
            found.append(read_study(browser, server))
        workspace.engine.dispose()
    return found[0], found[1]


def test_the_two_streams_differ_only_in_tokens_clock_and_pixels(records: tuple[Record, Record]) -> None:
    drawn, exchanged = records
    assert drawn.answers.keys() == exchanged.answers.keys()
    for name, answer in drawn.answers.items():
        assert answer == exchanged.answers[name], name
    assert len(drawn.answers) > CASES * 6
    assert sorted(set(drawn.paths)) == sorted(set(exchanged.paths))


def test_pixels_come_in_equal_sizes_under_equal_headers(records: tuple[Record, Record]) -> None:
    drawn, exchanged = records
    assert len(drawn.pixels) == 2 * CASES and drawn.pixels.keys() == exchanged.pixels.keys()
    for name, (headers, body) in drawn.pixels.items():
        other = name[:-1] + ("B" if name.endswith("A") else "A")
        assert headers == drawn.pixels[other][0] == exchanged.pixels[name][0]
        assert len(body) == len(drawn.pixels[other][1]) == int(headers["content-length"])
        assert body == exchanged.pixels[other][1] != exchanged.pixels[name][1]  # the exchange did take place
        assert not {"etag", "last-modified", "content-encoding"} & set(headers)
        assert headers["cache-control"] == "no-store"


def test_nothing_hidden_is_named_anywhere(records: tuple[Record, Record]) -> None:
    for record in records:
        assert record.frames
        for frame in record.frames:
            assert not (found := HIDDEN.search(frame)), frame[max(found.start() - 60, 0) : found.end() + 60]
        for name, (_, headers, body) in record.answers.items():
            if "/read?" not in name and not name.endswith("/read"):  # that one is Streamlit's own page
                text = name.encode() + json.dumps(headers).encode() + body
                assert not (found := HIDDEN.search(text)), (name, found)


def test_websocket_frames_say_the_same(records: tuple[Record, Record]) -> None:
    """The words in the frames, without ids, numbers and times, are the same set."""
    drawn, exchanged = (
        {
            re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}|\d+", b"#", word)
            for frame in record.frames
            for word in re.findall(rb"[ -~]{12,}", frame)
        }
        for record in records
    )
    assert drawn == exchanged
