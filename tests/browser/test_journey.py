"""The main job, end to end, in a real browser: from images and shipped models to what readers saw and agreed on."""

from __future__ import annotations

import csv
import html
import io
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image as Pillow
from playwright.sync_api import Browser, BrowserContext, Page, expect

from db.models import Image, Reading, Run, Study
from services.studies import close_study
from services.workspace import Workspace, open_workspace
from tests.browser import journey
from tests.browser.journey import NOTE, READERS, Way
from tests.browser.pages import SLOW, pick, settled, shot, visit
from tests.browser.server import ROOT, Server

DATA = Path(os.environ.get("CFREADER_DATA", ROOT.parent / "shared" / "data")) / "cxr"
# Names that a hospital could give: none may stay in the workspace.
WARD = "Ward-Okonkwo"
BAD_FILE = "Doe-Jane-19440102.png"


def radiographs(folder: Path) -> tuple[Path, set[str]]:
    """A table with its images, cut from the public set: 50 patients to read, 16 to rank directions on, 4 more.
    Returns the table and every name in it."""
    with (DATA / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["path"].startswith("ucsd224/")]
    wanted = {
        ("test", "No Finding"): 46,
        ("val", "No Finding"): 16,
        ("test", "Pneumonia"): 4,
        ("train", "Pneumonia"): 4,
    }
    chosen: dict[str, dict[str, str]] = {}
    for row in rows:
        kind = (row["split"], row["finding_labels"].split("|")[0])
        if wanted.get(kind, 0) and row["patient_id"] not in chosen:
            wanted[kind] -= 1
            chosen[row["patient_id"]] = row
    place = folder / WARD
    for row in chosen.values():
        target = place / row["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA / row["path"], target)
    table = place / "labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["path", "patient_id", "finding_labels", "split"], extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(chosen.values())
    return table, {WARD, *chosen, *(Path(row["path"]).stem for row in chosen.values())}


def archive(folder: Path) -> tuple[Path, set[str]]:
    """A zip of a folder of pictures, one of them empty, and every name in it."""
    rng = np.random.default_rng(0)
    path = folder / "from-the-ward.zip"
    names = [f"{WARD}/Mueller-Hans-{i:03d}.png" for i in range(4)]
    with zipfile.ZipFile(path, "w") as content:
        for name in names:
            picture = io.BytesIO()
            Pillow.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(picture, "png")
            content.writestr(name, picture.getvalue())
        content.writestr(f"{WARD}/{BAD_FILE}", b"")
    return path, {WARD, "Mueller-Hans", "Doe-Jane", "from-the-ward"}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[tuple[Server, Workspace]]:
    folder = tmp_path / "workspace"
    workspace = open_workspace(folder)
    server = Server(folder)
    try:
        yield server.start(timeout=240), workspace
    finally:
        server.stop()
        workspace.engine.dispose()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["phantom", "radiographs"])
def test_from_images_to_what_readers_agree_on(
    name: str, studio: tuple[Server, Workspace], context: BrowserContext, tmp_path: Path
) -> None:
    server, workspace = studio
    context.set_default_timeout(SLOW)
    page = context.new_page()
    if name == "phantom":
        way = Way(name, "Phantoms", journey.make_phantoms, "Phantom cardiomegaly", "Cardiomegaly", 5)
        zipped, names = archive(tmp_path)
    else:
        if not (DATA / "labels.csv").exists():
            pytest.skip(f"no radiographs here: {DATA} is absent")
        table, names = radiographs(tmp_path)
        way = Way(name, "Children", journey.import_by_path(str(table)), "UCSD pneumonia", "Pneumonia", 8)
    n = 3 * way.per_arm

    journey.first_researcher(page, server)
    shot(page, f"{name}-home-empty")
    way.bring(page, way.dataset)
    if name == "phantom":
        journey.upload(page, "From the ward", [str(zipped)])
        expect(page.get_by_role("cell", name=BAD_FILE)).to_be_visible()
        shot(page, "phantom-data-import")
    pick(page, "Data sets")
    shot(page, f"{name}-data")
    visit(page, "Models")
    expect(page.get_by_text(f"{way.classifier}, StylEx").first).to_be_attached()
    shot(page, f"{name}-models")
    journey.start_eigenfind(page, way)
    with workspace.session() as session:
        run = session.scalars(sa.select(Run).where(Run.kind == "explain")).one()
        assert run.state == "done" and run.inputs["classifier"] and run.versions["torch"]
    journey.explore_and_keep(page, way)
    journey.design_study(page, way)

    assert context.browser is not None
    links = [journey.invite(page, reader) for reader in READERS]
    read_all(context.browser, workspace, links, way)

    page.reload()
    settled(page)
    shot(page, f"{name}-studies-readers")
    with workspace.session() as session:
        study_id = session.scalars(sa.select(Study.id)).one()
    # Results stay sealed until the reading has ended.
    close_study(workspace, study_id, actor="journey")
    journey.open_results(page, way)
    check_results(page, n)
    check_exports(page, workspace, way)
    visit(page, "Notebook")
    expect(page.get_by_text(NOTE)).to_be_visible()
    shot(page, f"{name}-notebook")
    visit(page, "Home", "Which findings appear when the classifier changes its mind?")
    shot(page, f"{name}-home")
    assert "Traceback" not in server.log, server.log
    server.stop()
    check_no_name_is_left(server.folder, names)


def read_all(browser: Browser, workspace: Workspace, links: list[str], way: Way) -> None:
    """Three readers, one after the other; every answer is in the database afterwards, once."""
    for number, (reader, link) in enumerate(zip(READERS, links, strict=True), start=1):
        cases = journey.keys_of_cases(workspace, f"R{number}", way.findings)
        assert len(cases) == 3 * way.per_arm
        journey.read_study(browser, link, cases, reader, f"{way.name}-reading-room" if number == 1 else "")
    with workspace.session() as session:
        complete = session.execute(sa.select(Reading.trial_id).where(Reading.complete).group_by(Reading.trial_id)).all()
        assert len(complete) == 9 * way.per_arm


def check_results(page: Page, n: int) -> None:
    """The table says what the readers were made to see, decoded."""
    expect(page.locator(".figures").first).to_contain_text(f"{3 * n} of {3 * n}")
    expect(page.locator("table.heat").first.locator("thead th[scope=col]")).to_have_count(3)
    assert journey.cell(page, 0, 0).startswith("✓ 100 %")
    assert journey.cell(page, 1, 1).startswith("✓ 67 %")
    assert journey.cell(page, 0, 2).startswith("0 %")
    assert journey.cell(page, 1, 0).startswith("0 %")


def check_exports(page: Page, workspace: Workspace, way: Way) -> None:
    """Table, codebook and report: complete, and readable by somebody who has nothing but them."""
    page.get_by_role("tab", name="Export").click()
    settled(page)
    shot(page, f"{way.name}-results-export")
    every, book = (
        list(csv.DictReader(io.StringIO(journey.download(page, table).decode("utf-8-sig"))))
        for table in ("Long table", "Codebook")
    )
    kinds = [row["kind"] for row in every]
    assert kinds.count("finding") == 9 * way.per_arm * way.findings
    assert kinds.count("rating") == 9 * way.per_arm * 2
    described = {row[next(iter(row))] for row in book}
    assert set(every[0]) <= described, set(every[0]) - described
    whole = journey.write_report(page)
    # What Plotly's own code spells out is no link of the page, and the policy lets nothing load.
    report = re.sub(r"<script.*?</script>", "", whole, flags=re.DOTALL)
    assert whole.count("plotly.js v") == 1 and "default-src 'none'" in html.unescape(report)
    assert not re.search(r"""(?:src|href|action|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", report)
    with workspace.session() as session:
        digest = session.scalars(sa.select(Study.digest)).one()
        pseudonyms = set(session.scalars(sa.select(Image.patient)))
    assert digest and digest in report
    assert not [pseudonym for pseudonym in pseudonyms if pseudonym in report]
    folder = os.environ.get("CFREADER_SCREENSHOTS")
    if folder:
        (Path(folder) / f"{way.name}-report.html").write_text(report)


def check_no_name_is_left(folder: Path, names: set[str]) -> None:
    """No patient id, file name or folder name in any file of the workspace, nor in the files' own names."""
    patterns = [name.encode().lower() for name in sorted(names)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.relative_to(folder).as_posix().encode().lower() + b"\n" + path.read_bytes().lower()
        found = [pattern for pattern in patterns if pattern in content]
        assert not found, f"{path.relative_to(folder)} holds {found}"
