"""The bench of the next case: its study, its figures, and what it says without a browser."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cfcore.study.protocol import DEFAULT_RATINGS, FINDING_LISTS, Arm, Protocol
from services import reading, reading_bench
from services.accounts import ensure_account
from services.invitations import invite_reader
from services.reading_bench import Extent, bench_reading, make_reading_study
from services.workspace import Workspace


def test_without_playwright_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    with pytest.raises(RuntimeError, match="test extra: pip install 'cfreader\\[test\\]'"):
        bench_reading(quick=True)


def test_its_study_is_read_like_any_other(workspace: Workspace) -> None:
    plan = Protocol("Bench", "Chest radiographs", FINDING_LISTS["effusion"], DEFAULT_RATINGS, (Arm("a", "a"),))
    study = make_reading_study(workspace, plan, cases=2, size=64)
    account = ensure_account(workspace, "reader.bench", "Reader", "reader", "a password for measuring")
    invite_reader(workspace, study, "reader.bench", "Reader", "bench")
    series = reading.reading_list(workspace, account)[0].series
    found = reading.progress(workspace, account, series)
    assert found["total"] == 2 and found["open"]
    case = reading.case(workspace, account, 1, found["cases"][0]["token"])
    assert (case["pixels"]["width"], case["pixels"]["bytes"]) == (64, 2)
    tokens = [url.split("/")[3] for url in case["pixels"]["urls"].values()]
    a, b = (reading.pixels(workspace, account, 1, token, side) for token, side in zip(tokens, "AB", strict=True))
    assert len(a) == len(b) == 64 * 64 * 2 and a != b


def test_the_figures_have_the_names_that_the_goals_are_stated_for(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    @contextlib.contextmanager
    def serving(folder: Path) -> Iterator[str]:
        assert (folder / "cfreader.sqlite").exists()
        yield "http://nowhere"

    async def waited(url: str, cookies: list[str], extent: Extent) -> list[float]:
        read.append(len(cookies))
        return [100.0, 200.0, 300.0 * len(cookies)]

    monkeypatch.setattr(reading_bench, "_serving", serving)
    monkeypatch.setattr(reading_bench, "_read", waited)
    monkeypatch.setattr(reading_bench, "QUICK", Extent(cases=1, size=64))
    monkeypatch.setattr(reading_bench, "READERS", (1, 2))
    result = bench_reading(quick=True)
    assert read == [1, 2] and result["name"] == "bench-reading"
    assert result["figures"]["next_case_ms_median_1"] == 200.0
    assert result["figures"]["next_case_ms_p95_2"] == pytest.approx(560.0)
    assert reading_bench.Extent().cases == 10
