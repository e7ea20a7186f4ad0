import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cfcore.study.coverage import Scenario
from services import coverage_page
from services.cli.main import app
from services.coverage_bench import bench_coverage
from services.coverage_page import markdown, write_page, write_picture

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def result():
    scenarios = {
        "10_rare": asdict(Scenario(10, prevalence=0.1)),
        "30_readers_differ_5": asdict(Scenario(30, 5, spread=0.8)),
    }
    rows = [
        ("10_rare", "ac1", "closed form", 0.9, 0.25, 0.5),
        ("10_rare", "ac1", "bootstrap over patients", None, None, 1.0),
        ("30_readers_differ_5", "share", "patients x readers", 1.0, 0.5, 0.0),
    ]
    names = ("scenario", "statistic", "interval", "covered", "width", "without")
    settings = {"studies": 500, "resamples": 1000, "scenarios": scenarios}
    return {"rows": [dict(zip(names, row, strict=True)) for row in rows], "settings": settings}


def test_the_page_has_every_row_and_its_picture(result, tmp_path):
    write_page(result, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "| AC1 | closed form | 0.90* (0.25) |" in text and "| AC1 | bootstrap over patients | – |" in text
    assert "| Share of the counterfactuals | patients x readers | 1.00 (0.50) |" in text
    assert "500 simulated studies" in text and "(images/statistics-coverage.svg)" in text
    drawn = write_picture(result, tmp_path / "new" / "images")
    assert drawn.name == coverage_page.PICTURE and "10 rare" in drawn.read_text("utf-8")


def test_page_and_picture_of_the_documentation_are_those_of_the_stored_figures(tmp_path):
    stored = bench_coverage(from_store=True)
    assert markdown(stored) == (DOCS / "statistics-coverage.md").read_text("utf-8")
    assert write_picture(stored, tmp_path).read_text("utf-8") == (DOCS / "images" / coverage_page.PICTURE).read_text(
        "utf-8"
    )


def test_the_command_writes_both_from_the_stored_figures(tmp_path):
    asked = ["bench", "coverage", "--cached", "--json", "--page", str(tmp_path / "p.md"), "--picture", str(tmp_path)]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 0, said.output
    assert len(json.loads(said.output)["rows"]) > 100
    assert (tmp_path / "p.md").exists() and (tmp_path / coverage_page.PICTURE).exists()
