"""One study with everything in it, from its design to the printed report: four arms of two runs, every control,
practice, repeats and guesses; five simulated readers, and two people at the keyboard of a real browser."""

from __future__ import annotations

import html
import io
import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from cfcore.images.encode import encode_png
from cfcore.reports.emoji import named_emoji
from db.models import Dataset, Image, Pair, Reading, Run, Study, StudyReader, Trial
from services.runs import start_run
from services.studies import study_view
from services.study_design.locking import integrity
from services.study_design.training import set_truth
from services.workspace import Workspace, open_workspace, sha256
from tests.browser import journey
from tests.browser.pages import SLOW, button, choose, from_list, pick, press, settled, shot, type_in, visit
from tests.browser.pdf_pages import words_of
from tests.browser.reading import at_case, enter_room
from tests.browser.server import ROOT, Server
from tests.browser.studies import noise_picture
from tests.pages.shift_app import work
from tests.services import shift_engine
from tests.services.full_design import READERS, let_programs_read
from tests.services.recount_tables import check_every_number

# The last one gives up on the way.
PROGRAMS = (*READERS[:4], replace(READERS[4], stops_after=9))
PEOPLE = ("Dr. Adler", "Dr. Brandt")
ARMS = ("up", "down", "up@3#2", "up@6#2")
PER_ARM = 3
# 12 counted cases, 4 controls, 1 for practice, 2 again, 2 guesses.
CASES = 4 * PER_ARM + 4 + 1 + 2 + 2
COMMENT = "Ein Schatten 🫁, ظل في الرئة"
KEYS = {"A": "a", "B": "b", "both": "x", "neither": "n"}


def two_runs(workspace: Workspace) -> None:
    """Finished runs of the test method, one to degree 10 and one to degree 4, on dark pictures of 60 patients."""
    with workspace.session() as session:
        dataset = Dataset(name="Pictures")
        session.add(dataset)
        for i in range(60):
            data = encode_png((noise_picture(i) * 0.6).astype("uint8"))
            image = Image(
                dataset=dataset, file_key=workspace.put(data, ".png"), patient=f"pseudonym{i:03d}",
                split="val" if i % 6 == 0 else "test", labels=["Dark"], width=80, height=96, max_value=255,
                sha256=sha256(data),
            )  # fmt: skip
            session.add(image)
        session.flush()
        dataset_id = dataset.id
    classifier = shift_engine.scene(workspace, images=1)["classifier"]
    for name, degree in (("Strong", 10.0), ("Gentle", 4.0)):
        settings = shift_engine.settings(4, degree=degree)
        start_run(workspace, "explain", name, settings, 0, dataset_id, classifier)
    work(workspace)


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Workspace]]:
    """A server that knows the test method, with two finished runs."""
    (tmp_path / "sitecustomize.py").write_text("from tests.services import shift_engine\nshift_engine.install()\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    shift_engine.known(monkeypatch)
    workspace = open_workspace(tmp_path / "workspace")
    server = Server(tmp_path / "workspace")
    two_runs(workspace)
    try:
        yield server.start(timeout=240), workspace
    finally:
        server.stop()
        workspace.engine.dispose()


def add_choice(page: Page, label: str, option: str) -> None:
    """In a box that takes several."""
    box = page.get_by_test_id("stMultiSelect").filter(has=page.get_by_text(label, exact=True))
    listed = page.get_by_role("option", name=option, exact=True)
    from_list(box.get_by_role("button", name="Open"), listed)
    # Escape would take the choice back.
    page.keyboard.press("Tab")
    settled(page)
    expect(box.get_by_text(option, exact=True)).to_be_visible()


def add_arms(page: Page, run: str, degrees: str, n: int) -> None:
    """From another run, under "More arms"; the fold says afterwards that there are `n`, and stays open."""
    page.get_by_text("More arms: other degrees").click()
    choose(page, "Run", run)
    add_choice(page, "Directions", "up")
    type_in(page, "Degrees, parted by commas", degrees)
    press(page, "Add these arms")
    expect(page.get_by_text(f"More arms: other degrees, renderings, runs ({n})")).to_be_visible(timeout=SLOW)
    settled(page)
    expect(page.get_by_role("button", name="Add these arms")).to_be_visible()


def design(page: Page) -> None:
    """A draft of the first run, arms of both, every control, practice, repeats, guesses, seven readers."""
    visit(page, "Studies")
    press(page, "New study")
    choose(page, "Finished run", "Strong")
    type_in(page, "Title, for researchers", "Everything at once")
    press(page, "Create draft")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Everything at once", timeout=SLOW)
    settled(page)
    pick(page, "2 Images and arms")
    add_arms(page, "Gentle", "3, 6", 2)
    add_choice(page, "Arms (directions, best first)", "down")
    type_in(page, "Pairs per arm", str(PER_ARM))
    page.get_by_text("Controls and training").click()
    for control in ("Identical images", "Original against reconstruction", "Original against a plain filter"):
        type_in(page, control, "1")
    type_in(page, "Two different patients", "1")
    type_in(page, "Training cases", "1")
    press(page, "Make pairs")
    expect(page.get_by_role("heading", name=f"{4 * PER_ARM + 5} pairs")).to_be_visible(timeout=SLOW)
    settled(page)
    page.get_by_text("Change readers, order, repeats").click()
    for label, value in (
        ("Planned readers", len(PROGRAMS) + len(PEOPLE)),
        ("Pairs read twice", 2),
        ("at least so many cases later", 3),
        ("Pairs to guess at the end, %", 15),
    ):
        type_in(page, label, str(value))
    press(page, "Plan again")
    expect(page.get_by_text(f"{len(PROGRAMS) + len(PEOPLE)} planned readers")).to_be_visible(timeout=SLOW)
    settled(page)
    shot(page, "whole-design")


def lock(page: Page, workspace: Workspace) -> int:
    """Right answers for the practice case, then the lock; the study's id."""
    pick(page, "4 Lock")
    expect(page.get_by_text("no right answers")).to_be_visible(timeout=SLOW)
    study_id = int(re.search(r"study=(\d+)", page.url)[1])  # type: ignore[index]
    for pair in study_view(workspace, study_id).pairs:
        if pair.kind == "training":
            set_truth(workspace, pair.id, {"ctr": "counterfactual"}, actor="test")
    pick(page, "3 Preview")
    pick(page, "4 Lock")
    expect(page.get_by_text("Nothing is missing.")).to_be_visible(timeout=SLOW)
    press(page, "Lock the study")
    expect(page.get_by_text("Invite a reader")).to_be_visible(timeout=SLOW)
    settled(page)
    return study_id


def what_to_press(workspace: Workspace, study_id: int, label: str) -> list[tuple[str, str]]:
    """(purpose, keys) of every case of a reader in order. The first finding appears in every pair of the study's arms
    (the second reader misses it under the last), nothing is seen in controls; the first reader guesses right."""
    with workspace.session() as session:
        rows = session.execute(
            sa.select(Pair.arm, Pair.kind, Trial.original_side, Trial.purpose)
            .join(Trial, Trial.pair_id == Pair.id)
            .join(StudyReader, StudyReader.id == Trial.study_reader_id)
            .where(StudyReader.study_id == study_id, StudyReader.label == label)
            .order_by(Trial.position)
        ).tuples()
        findings = len(session.get_one(Study, study_id).protocol["findings"])
        cases = []
        for arm, kind, side, purpose in rows:
            other = "B" if side == "A" else "A"
            if purpose == "guess":
                cases.append((purpose, {"A": "1", "B": "2"}[other] if label == "R6" else "3"))
                continue
            seen = kind in ("counterfactual", "training") and not (label == "R7" and arm == ARMS[3])
            cases.append((purpose, KEYS[other if seen else "neither"] + "n" * (findings - 1) + "45"))
    return cases


def read(browser: Browser, link: str, cases: list[tuple[str, str]], name: str) -> None:
    """A person with a link: password, who he or she is, screen check, every case by keyboard."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(SLOW)
    page = context.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible(timeout=SLOW)
    journey.set_password(page, "start reading")
    expect(page.get_by_text("Reading list")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Start").click()
    journey.tell_profile(page)
    enter_room(page)
    for number, (purpose, keys) in enumerate(cases, start=1):
        at_case(page, number)
        for key in keys:
            page.keyboard.press(key)
        if number == 2:
            page.keyboard.press("m")
            page.keyboard.insert_text(COMMENT)
            page.keyboard.press("Escape")
        if purpose == "training":
            expect(page.locator(".practice")).to_be_visible(timeout=SLOW)
            expect(page.locator(".practice .wrong")).to_have_count(0)
        page.keyboard.press("Enter")
    expect(page.get_by_text(f"All {len(cases)} cases are read")).to_be_visible(timeout=SLOW)
    # Whoever leaves earlier keeps the last answer waiting on the machine.
    expect(page.get_by_text(re.compile(r"^Everything is saved\."))).to_be_visible(timeout=SLOW)
    # A link works once.
    page.goto(link)
    expect(page.get_by_text("This link has been used: it works once.")).to_be_visible(timeout=SLOW)
    context.close()


def close(page: Page) -> None:
    page.reload()
    settled(page)
    press(page, "Close the study")
    page.get_by_role("dialog").get_by_role("button", name="Close", exact=True).last.click()
    expect(page.get_by_text("answers are no longer taken")).to_be_visible(timeout=SLOW)
    settled(page)


def squeezed(text: str) -> str:
    """Letters without the gaps, which a page is free to set as it likes."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))


def lines_of(report: str) -> list[str]:
    """Every heading, paragraph and row of a table in the report, squeezed."""
    body = re.sub(r"<(script|style|nav|title)\b.*?</\1>", " ", report[report.index("<body") :], flags=re.DOTALL)
    found = re.findall(r"<(tr|h[1-3]|p|summary)\b(.*?)</\1>", body, flags=re.DOTALL)
    return [squeezed(html.unescape(re.sub(r"<[^>]+>", " ", f"<{tag}{inner}"))) for tag, inner in found]


def check_paper(report: str, pdf: bytes) -> None:
    """The printed report is the one on the screen: every heading, sentence and row of every table."""
    pages = words_of(pdf)
    assert len(pages) >= 10 and all(words.strip() for words in pages)
    # Without the pages' own numbers, which may stand in the middle of a sentence.
    paper = squeezed(" ".join(re.sub(rf"^ *{n}\b|\b{n} *$", "", words) for n, words in enumerate(pages, 1)))
    lines = [line for line in lines_of(named_emoji(report)) if line and "script" not in line]
    # Right-to-left words are drawn from the left, and a variation selector is not drawn at all.
    told = [line for line in lines if not re.search(r"[\u0590-\u06ff\ufe0f]", line)]
    assert len(told) > 200 and len(lines) - len(told) <= 2 * len(PEOPLE)
    assert [line for line in told if line not in paper] == [] and "[lungs]" in paper


def check_report(report: str, digest: str) -> None:
    """Self-contained, blind to who the patients are, and it says what the readers were made to see."""
    page = re.sub(r"<script.*?</script>", "", report, flags=re.DOTALL)
    assert digest in page and not re.search(r"pseudonym\d", page) and "example.org" not in page
    assert not re.search(r"""(?:src|href|action|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", page)
    for words in (
        "Hypotheses locked with the protocol", "False alarms", "Bang’s blinding index", "Two different patients",
        "Original against a plain filter", "GRRAS", "CLAIM 2024", "R1, R2, R3, R4, R5 are programs", COMMENT,
    ):  # fmt: skip
        assert words in html.unescape(page), words


def check_files(packed: bytes, report: str, pdf: bytes, workspace: Workspace, digest: str) -> None:
    """The archive holds what was shown, every file as its manifest says, and numbers that follow from the readings."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        files = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    assert (files["report.html"].decode(), files["report.pdf"]) == (report, pdf)
    manifest = json.loads(files["manifest.json"])
    assert manifest["files"] == {name: sha256(data) for name, data in files.items() if name != "manifest.json"}
    assert manifest["study"]["digest"] == digest and manifest["log"]["unbroken"]
    assert manifest["simulated_readers"] == [reader.key for reader in PROGRAMS]
    assert check_every_number(files) > 1000
    told = {row["reader"]: row for row in json.loads(files["results.json"])["tables"]["repeats-and-false-alarms"]}
    for label in ("R6", "R7"):
        assert (told[label]["repeats"], told[label]["false_alarms"], told[label]["intra_reader"]) == (2, 0, 1)


@pytest.mark.timeout(900)
def test_from_the_design_to_the_printed_report(studio: tuple[Server, Workspace], context: BrowserContext) -> None:
    server, workspace = studio
    context.set_default_timeout(SLOW)
    page = context.new_page()
    journey.first_researcher(page, server)
    design(page)
    study_id = lock(page, workspace)
    view = study_view(workspace, study_id)
    assert tuple(arm.key for arm in view.protocol.arms) == ARMS and view.digest
    assert Counter(pair.kind for pair in view.pairs) == {
        "counterfactual": 4 * PER_ARM, "identical": 1, "reconstruction": 1, "filter": 1, "patients": 1, "training": 1,
    }  # fmt: skip
    with workspace.session() as session:
        runs = dict(session.execute(sa.select(Run.name, Run.id)).tuples().all())
    assert {pair.meta["run"] for pair in view.pairs if pair.kind == "counterfactual"} == {
        runs["Strong"],
        runs["Gentle"],
    }

    let_programs_read(workspace, study_id, PROGRAMS)
    assert context.browser is not None
    links = [journey.invite(page, name) for name in PEOPLE]
    for label, name, link in zip(("R6", "R7"), PEOPLE, links, strict=True):
        cases = what_to_press(workspace, study_id, label)
        assert len(cases) == CASES
        assert Counter(purpose for purpose, _ in cases) == {
            "training": 1, "counted": 4 * PER_ARM, "control": 4, "repeat": 2, "guess": 2,
        }  # fmt: skip
        read(context.browser, link, cases, name)
    with workspace.session() as session:
        done = sa.select(sa.func.count(sa.distinct(Reading.trial_id))).where(Reading.complete)
        labels = sa.select(StudyReader.id).where(StudyReader.label.in_(["R6", "R7"]))
        assert session.scalar(done.join(Trial).where(Trial.study_reader_id.in_(labels))) == 2 * CASES
    close(page)
    assert integrity(workspace, study_id).changes == ()

    visit(page, "Results", "Everything at once")
    expect(page.locator("table.heat").first).to_be_visible(timeout=SLOW)
    settled(page)
    page.get_by_role("tab", name="Export").click()
    settled(page)
    report = journey.write_report(page)
    expect(button(page, "Report (PDF)")).to_be_visible(timeout=SLOW)
    pdf, packed = journey.download(page, "Report (PDF)"), journey.download(page, "Everything (ZIP)")
    check_report(report, view.digest)
    check_paper(report, pdf)
    check_files(packed, report, pdf, workspace, view.digest)
    assert "Traceback" not in server.log, server.log
