"""kill -9 of the server in the middle of reading, and a cut network: no saved answer lost, none doubled."""

from __future__ import annotations

import random
from pathlib import Path

import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Page, expect

from db.events import first_broken
from db.models import Reading, Trial
from services.workspace import Workspace, open_workspace
from tests.browser.reading import at_case, open_room, sign_in
from tests.browser.server import Server
from tests.browser.studies import add_reader, make_study, noise_pairs

KILLS = 20
CUTS = 5
STATES = {"a": "A", "b": "B", "x": "both", "n": "neither", "q": "cannot"}
CASES = 13


def stored(workspace: Workspace) -> list[tuple[int, int, dict[str, object]]]:
    """Every reading as (position of the case, sequence, answers), oldest first."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(Trial.position, Reading.sequence, Reading.answers).join(Reading.trial).order_by(Reading.id)
        )
        return [(position, sequence, answers) for position, sequence, answers in rows]


def newest(workspace: Workspace) -> dict[int, dict[str, object]]:
    """The answers that count for each case."""
    best: dict[int, tuple[int, dict[str, object]]] = {}
    for position, sequence, answers in stored(workspace):
        if position not in best or best[position][0] < sequence:
            best[position] = (sequence, answers)
    return {position: answers for position, (_, answers) in best.items()}


def wait_until_saved(page: Page) -> None:
    expect(page.locator(".status.saved")).to_contain_text("Saved")


def test_no_answer_is_lost_or_doubled(tmp_path: Path, context: BrowserContext) -> None:
    """The reader answers without a pause, sometimes on while the server is gone. After most kills the browser goes on
    with what waits in it; after some the page is loaded anew and what waits comes from the machine's disk."""
    workspace = open_workspace(tmp_path / "workspace")
    add_reader(workspace, make_study(workspace, noise_pairs(CASES)))
    chance = random.Random(0)
    server = Server(tmp_path / "workspace", worker=False).start()
    given: dict[int, dict[str, dict[str, object]]] = {}
    confirmed: list[dict[int, dict[str, object]]] = []
    echoed: dict[tuple[str, int], object] = {}

    def heard(response: object) -> None:
        """Every answer that the server has confirmed, by what the browser sent."""
        request = response.request  # type: ignore[attr-defined]
        if request.url.endswith("/read/answer") and response.status == 200:  # type: ignore[attr-defined]
            sent = request.post_data_json
            echoed[sent["token"], sent["sequence"]] = sent["answers"]

    def press(row: int, case: int) -> None:
        """Answer a row (0 to 2 findings, 3 and 4 ratings) of the case on the screen and note it."""
        answers = given.setdefault(case, {"findings": {}, "ratings": {}})
        for key in ["Home", *["ArrowDown"] * row]:
            page.keyboard.press(key)
        key = chance.choice("abxnq" if row < 3 else "12345")
        page.keyboard.press(key)
        if row < 3:
            answers["findings"][("line", "shadow", "rib")[row]] = STATES[key]
        else:
            answers["ratings"][("realism", "identity")[row - 3]] = int(key)

    def interrupt(number: int) -> None:
        if number < KILLS:
            server.kill()
        else:
            context.set_offline(True)

    def mend(number: int) -> None:
        if number < KILLS:
            server.start()
        else:
            context.set_offline(False)

    try:
        page = context.new_page()
        page.on("response", heard)
        sign_in(page, server, "reader.one")
        open_room(page)
        number = 0
        for case in range(CASES):
            at_case(page, case + 1)
            breaks = {chance.randrange(0, 2), chance.randrange(2, 5)}
            for row in range(5):
                press(row, case)
                if row in breaks and number < KILLS + CUTS:
                    if chance.random() < 0.5:  # sometimes before the answer has left, sometimes after the echo
                        wait_until_saved(page)
                    interrupt(number)
                    if row < 4 and row + 1 not in breaks:
                        press(row + 1, case)
                        expect(page.locator(".status")).to_contain_text("waiting to be sent")
                        mend(number)
                    else:
                        mend(number)
                        if number < KILLS and number % 4 == 0:
                            page.reload()
                            at_case(page, case + 1)
                    wait_until_saved(page)
                    number += 1
                    confirmed.append(newest(workspace))
            page.keyboard.press("Enter")
        expect(page.get_by_text("You may go back to any case")).to_be_visible()
        assert number == KILLS + CUTS
    finally:
        server.stop()

    final = newest(workspace)
    assert {c: {k: a[k] for k in ("findings", "ratings")} for c, a in final.items()} == given
    rows = stored(workspace)
    assert len({(position, sequence) for position, sequence, _ in rows}) == len(rows)
    with workspace.session() as session:
        kept = {
            (token, sequence): answers
            for token, sequence, answers in session.execute(
                sa.select(Trial.token, Reading.sequence, Reading.answers).join(Reading.trial)
            )
        }
        assert first_broken(session) is None
    assert len(echoed) > CASES
    for name, answers in echoed.items():
        assert kept[name] == answers
    for earlier in confirmed:
        for position, answers in earlier.items():
            assert set(answers["findings"]) <= set(final[position]["findings"])  # type: ignore[call-overload]
    workspace.engine.dispose()
