"""How long a reader waits for the next case: key press to picture, in a real browser on the real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cfcore.images.encode import encode_png
from cfcore.images.phantom import VERSION, counterfactual, render, sample_patient
from cfcore.study.protocol import DEFAULT_RATINGS, FINDING_LISTS, Arm, Protocol, canonical_json
from cfcore.study.viewing import Viewing
from db.models import Dataset, Image, Pair, Study
from services.accounts import COOKIE, ensure_account, sign_in
from services.figures import ROOT, Figures, cached, measured, store
from services.invitations import invite_reader
from services.workspace import Workspace, open_workspace, sha256

NAME = "bench-reading"
PASSWORD = "a password for measuring"
WHITE = 4095
ANSWERS = "abxnq45"  # one key a question: five findings, two ratings
SOURCES = ("components/reading_room", "routes/reading.py", "services/reading.py", "services/reading_bench.py")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

# The first listener of the page: it notes the press before the room hears of it.
_NOTE_PRESS = """
window.addEventListener('keydown', (event) => { if (event.key === 'Enter') window.pressedAt = event.timeStamp; }, true);
"""
# A case is on the screen when the frame that draws it has been painted: at the next frame's beginning.
_WATCH_CASES = """() => {
  const room = document.querySelector('#cfreader-reading-room').shadowRoot.querySelector('.room');
  window.waited = [];
  new MutationObserver(() => {
    if (!room.dataset.case || !window.pressedAt) return;
    const from = window.pressedAt;
    window.pressedAt = 0;
    requestAnimationFrame(() => requestAnimationFrame(() => window.waited.push(performance.now() - from)));
  }).observe(room, { attributes: true, attributeFilter: ['data-case'] });
}"""


@dataclass(frozen=True)
class Extent:
    """cases: read by each reader; size: pixels a side; look: mean seconds before the first answer; typing: seconds
    between two keys."""

    cases: int = 10
    size: int = 1024
    look: float = 3.0
    typing: float = 0.15


QUICK = Extent(cases=3, size=512, look=0.5, typing=0.05)
READERS = (1, 10)


def bench_reading(quick: bool = False, *, from_store: bool = False) -> dict[str, Any]:
    """Milliseconds from "next case" to the case on the screen: median with 1 reader, 95th percentile with 10 at once.

    Readers, each in a browser profile of its own, answer phantom pairs by keyboard; server, browser and script share
    the machine, whose load at the start is in the settings. A full run is kept under benchmarks/results/.

    Raises RuntimeError where Playwright or a Chromium is missing.
    """
    inputs = {"phantom": VERSION}
    if from_store:
        return cached(NAME, inputs)
    _need_playwright()
    extent = QUICK if quick else Extent()
    settings = {
        "cases": extent.cases,
        "size": extent.size,
        "look_s": extent.look,
        "typing_s": extent.typing,
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
    }
    result: Figures = measured(NAME, settings, lambda: _figures(extent))
    if not quick:
        sources = [file for name in SOURCES for file in _files(ROOT / name)]
        store(result, inputs, sources)
    return vars(result)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.suffix in (".py", ".js", ".css"))


def _need_playwright() -> None:
    try:
        import playwright.async_api  # noqa: F401
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "bench reading drives a browser and needs Playwright, a part of the test extra: "
            "pip install 'cfreader[test]', then playwright install chromium (or set BROWSER_PATH)."
        ) from error


def _figures(extent: Extent) -> dict[str, float]:
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="cfreader-bench-") as name:
        workspace = open_workspace(Path(name))
        cookies = {count: _invited(workspace, extent, count) for count in READERS}
        workspace.engine.dispose()
        with _serving(Path(name)) as url:
            for count in READERS:
                # In a thread of its own: the caller's may have a loop already, as in a notebook.
                with ThreadPoolExecutor(1) as thread:
                    waited = thread.submit(asyncio.run, _read(url, cookies[count], extent)).result()
                found[f"next_case_ms_median_{count}"] = round(float(np.median(waited)), 1)
                found[f"next_case_ms_p95_{count}"] = round(float(np.percentile(waited, 95)), 1)
                found[f"next_case_ms_max_{count}"] = round(max(waited), 1)
    return found


def _invited(workspace: Workspace, extent: Extent, count: int) -> list[str]:
    """A locked study of `extent.cases` phantom pairs with `count` readers; their sign-in cookies."""
    plan = Protocol(
        title=f"Bench {count}",
        reader_title="Chest radiographs, series 1",
        findings=FINDING_LISTS["cardiomegaly"],
        ratings=DEFAULT_RATINGS,
        arms=(Arm("a", "a"),),
        n_per_arm=extent.cases,
        viewing=Viewing(screen_check=False),
    )
    study = make_reading_study(workspace, plan, extent.cases, extent.size)
    cookies = []
    for number in range(count):
        login = f"reader.{count}.{number}"
        ensure_account(workspace, login, f"Reader {number}", "reader", PASSWORD)
        invite_reader(workspace, study, login, f"Reader {number}", "bench")
        cookies.append(sign_in(workspace, login, PASSWORD))
    return cookies


def make_reading_study(workspace: Workspace, plan: Protocol, cases: int, size: int, seed: int = 0) -> int:
    """A locked study of phantom pairs (the same patient with a larger heart), 12 bit; returns its id."""
    with workspace.session() as session:
        dataset = Dataset(name=plan.title, kind="phantom")
        session.add(dataset)
        session.flush()
        study = Study(
            title=plan.title,
            reader_title=plan.reader_title,
            state="locked",
            protocol=json.loads(canonical_json(plan)),
            dataset_id=dataset.id,
            seed=seed,
        )
        session.add(study)
        session.flush()
        for number in range(cases):
            patient = sample_patient(seed + number, "cardiomegaly", False)
            larger = counterfactual(patient, cardiothoracic_ratio=0.6)
            files = [encode_png((render(p, size) * WHITE).astype(np.uint16)) for p in (patient, larger)]
            keys = [workspace.put(data, ".png") for data in files]
            common = {"patient": f"pseudonym{number}", "width": size, "height": size, "max_value": WHITE}
            image = Image(
                dataset_id=dataset.id,
                file_key=keys[0],
                split="test",
                labels=[],
                sha256=sha256(files[0]),
                **common,
            )
            session.add(image)
            session.flush()
            session.add(
                Pair(
                    study_id=study.id,
                    arm=plan.arms[number % len(plan.arms)].key,
                    image_id=image.id,
                    original_key=keys[0],
                    counterfactual_key=keys[1],
                    sha256=sha256(b"".join(files)),
                    p_source=0.1,
                    p_reconstruction=0.1,
                    p_counterfactual=0.9,
                    flipped=True,
                    **common,
                )
            )
        return int(study.id)


@contextlib.contextmanager
def _serving(folder: Path, patience: float = 90) -> Iterator[str]:
    """The real server on a free port, in a process of its own; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, "CFREADER_WORKSPACE": str(folder), "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://localhost:{port}/_stcore/health"):
                yield f"http://localhost:{port}"
                return
            time.sleep(0.1)
        raise RuntimeError(f"the server did not start: {(folder / 'server.log').read_text(errors='replace')[-2000:]}")
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()


async def _read(url: str, cookies: list[str], extent: Extent) -> list[float]:
    """All readers at once through all cases; the milliseconds each waited for each case after the first."""
    from playwright.async_api import Error, async_playwright

    async with async_playwright() as playwright:
        path = os.environ.get("BROWSER_PATH") or shutil.which("chromium")
        try:
            browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        except Error as error:
            raise RuntimeError(
                "No Chromium could be started: run playwright install chromium, or name one in BROWSER_PATH."
            ) from error
        pages = []
        for cookie in cookies:
            context = await browser.new_context(viewport={"width": 1600, "height": 900})
            await context.add_cookies([{"name": COOKIE, "value": cookie, "url": url}])
            await context.add_init_script(_NOTE_PRESS)
            page = await context.new_page()
            page.set_default_timeout(180_000)
            await page.goto(f"{url}/read")
            await page.get_by_role("button", name="Start").click()
            await page.locator('[data-case="1"]').wait_for()
            await page.evaluate(_WATCH_CASES)
            pages.append(page)
        jobs = [_one_reader(page, extent, random.Random(number)) for number, page in enumerate(pages)]
        waited = [ms for each in await asyncio.gather(*jobs) for ms in each]
        await browser.close()
    return waited


async def _one_reader(page: Any, extent: Extent, chance: random.Random) -> list[float]:
    for case in range(1, extent.cases + 1):
        await page.locator(f'[data-case="{case}"]').wait_for()
        await asyncio.sleep(extent.look * chance.uniform(0.5, 1.5))
        for key in ANSWERS:
            await page.keyboard.press(key)
            await asyncio.sleep(extent.typing)
        await page.keyboard.press("Enter")
    await page.get_by_role("dialog", name="Finished").wait_for()
    waited = await page.evaluate("() => window.waited")
    return [float(ms) for ms in waited]
