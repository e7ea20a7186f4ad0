"""Table 1 on small networks: the counting, the figures' names, the ratio of times and passes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from cfcore.classifiers.base import Classifier
from cfcore.engines.eigenfind.balanced import VISIBLE
from cfcore.generators.stylex import StylEx
from services.cli.main import app
from services.reproduce.material import Shipped
from services.reproduce.result import Part
from services.reproduce.table1 import Extent, compare, together

EXTENT = Extent(exhaustive=2, verified=0.5, k=3, degree=8.0)


@pytest.fixture
def dim() -> Tensor:
    """Sixteen smooth dim pictures that C calls healthy, and that come back from the toy nearly as they are."""
    levels = torch.linspace(0.58, 0.66, 16).view(16, 1, 1, 1)
    return levels.expand(16, 1, 64, 64) + 0.02 * torch.linspace(-1, 1, 64).view(1, 1, 1, 64)


def test_a_planted_direction_explains_every_image(middle: Classifier, heart: StylEx, dim: Tensor) -> None:
    part = compare("cardiomegaly", middle, heart, dim[::4], dim, dim, EXTENT)
    own = {(row["algorithm"], row["rendering"]): row for row in part.rows}
    figures = part.figures
    for rendering in ("plain", "detail transfer"):
        row = own["eigenfind scan 20", rendering]
        assert (row["n"], row["faithful"], row["explained"], row["share"]) == (16, 16, 16, 1.0)
        assert row["directions"][0] == "v1 +" and row["tried"] == 1.0 and row["paper"] == 0.95
        assert row["low"] == pytest.approx(0.806, abs=0.001)  # Wilson, 16 of 16
        assert 0 < row["l1"] < 0.10 and row["searched_on"] == 4
    balanced = own["eigenfind balanced", "plain"]
    assert balanced["directions"][0] == "v1 +"
    assert balanced["share"] == figures["explained_cardiomegaly_balanced"] == figures["near_cardiomegaly_balanced"] == 1
    assert balanced["l1"] == pytest.approx(VISIBLE, rel=0.2)
    assert figures["steady_cardiomegaly"] == figures["near_cardiomegaly"] == 1.0
    assert own["eigenfind scan 8", "plain"]["directions"] == own["eigenfind scan 20", "plain"]["directions"]
    assert figures["explained_cardiomegaly"] == figures["explained_cardiomegaly_transfer"] == 1.0
    assert figures["dropped_cardiomegaly"] == 0 and figures["blur_keeps_cardiomegaly"] == 1.0
    assert figures["pass_ratio_cardiomegaly"] == heart.style_dimension / 20
    assert {row["algorithm"] for row in part.rows} >= {"attfind exhaustive", "attfind pre-ranked"}
    assert own["attfind exhaustive", "plain"]["searched_on"] == 2
    assert figures["search_time_ratio_cardiomegaly"] > 0
    ratio = (
        figures["attfind_search_s_extrapolated_cardiomegaly"] / figures["eigenfind_search_s_extrapolated_cardiomegaly"]
    )
    assert ratio == pytest.approx(figures["search_time_ratio_cardiomegaly"])


def test_a_move_that_goes_too_far_flips_but_does_not_explain(middle: Classifier, heart: StylEx, dim: Tensor) -> None:
    far = Extent(exhaustive=0, verified=0.5, k=1, degree=1000.0)
    part = compare("ucsd", middle, heart, dim[::4], dim, dim, far)
    assert part.figures["raw_ucsd"] == 1.0 and part.figures["explained_ucsd"] == 0.0
    assert "search_time_ratio_ucsd" not in part.figures and "tried_ucsd" not in part.figures
    assert {row["algorithm"] for row in part.rows} == {
        "eigenfind scan 20",
        "eigenfind scan 8",
        "eigenfind balanced",
        "attfind pre-ranked",
        "attfind pre-ranked, subset",
    }
    assert part.figures["steady_ucsd"] == 1.0 and part.figures["near_ucsd"] == 0.0
    assert all(row["paper"] is None for row in part.rows)


def test_an_untrained_generator_is_counted_as_dropped(middle: Classifier, small_stylex: StylEx, dim: Tensor) -> None:
    """Its reconstructions are one gray picture whatever it is given; the classifier decides whether all are dropped."""
    part = compare("effusion", middle, small_stylex, dim[::4], dim, dim, Extent(exhaustive=1, k=3, verified=0.5))
    row = part.rows[0]
    drawn = small_stylex.decode(small_stylex.encode(dim), torch.zeros(16, dtype=torch.long))
    kept = int((middle.logits(drawn).argmax(dim=1) == 0).sum())
    assert row["faithful"] == kept and row["dropped"] == pytest.approx(1 - kept / 16)
    assert row["explained"] <= row["faithful"]
    if kept == 0:
        assert row["share"] is None and "explained_effusion" not in part.figures


def a_generator(key: str, source: str) -> Shipped:
    nowhere = Path("nowhere")
    return Shipped(key, key, source, key, False, 64, ("a", "b"), nowhere, nowhere)  # type: ignore[arg-type]


def test_the_least_of_the_phantoms_is_the_headline() -> None:
    generators = [
        a_generator("cardiomegaly", "phantom"),
        a_generator("effusion", "phantom"),
        a_generator("ucsd", "ucsd"),
    ]
    parts = [
        Part(
            {
                f"explained_{g.key}": value,
                f"explained_{g.key}_balanced": value + 0.05,
                f"pass_ratio_{g.key}": 71.6,
                f"search_time_ratio_{g.key}": ratio,
            },
            [{"n": i}],
        )
        for i, (g, value, ratio) in enumerate(zip(generators, (0.97, 0.93, 0.5), (60.0, 70.0, 80.0), strict=True))
    ]
    found = together(generators, parts)
    assert found.figures["explained_phantom_min"] == 0.93 and found.figures["explained_ucsd"] == 0.5
    assert found.figures["explained_phantom_min_balanced"] == pytest.approx(0.98)
    assert found.figures["search_time_ratio"] == 70.0 and found.figures["pass_ratio"] == pytest.approx(71.6)
    assert [row["n"] for row in found.rows] == [0, 1, 2]


def test_the_lead_is_the_most_points_that_subsets_of_attfind_are_ahead() -> None:
    generators = [
        a_generator("cardiomegaly", "phantom"),
        a_generator("ucsd", "ucsd"),
        a_generator("effusion", "phantom"),
    ]
    found = {"cardiomegaly": (0.5, 0.99, 1.0), "ucsd": (0.9, 0.95, 0.2)}
    parts = [
        Part(
            {
                f"pass_ratio_{key}": 71.6,
                f"explained_{key}": plain,
                f"explained_{key}_balanced": balanced,
                f"explained_{key}_attfind_subset": subset,
            },
            [],
        )
        for key, (plain, balanced, subset) in found.items()
    ]
    none = Part({"pass_ratio_effusion": 71.6, "explained_effusion": 0.1}, [])  # no exhaustive search was made
    figures = together(generators, [*parts, none]).figures
    assert figures["attfind_lead"] == pytest.approx(50.0)
    assert figures["attfind_lead_balanced"] == pytest.approx(1.0)
    assert "attfind_lead" not in together(generators[2:], [none]).figures


def test_a_generator_that_keeps_no_class_counts_as_nothing_explained() -> None:
    found = together([a_generator("effusion", "phantom")], [Part({"pass_ratio_effusion": 71.6}, [])])
    assert found.figures["explained_phantom_min"] == 0.0


def test_nothing_stored_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from services import figures

    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    for command in ("eigenfind-table1", "eigenfind-table2", "eigenfind-figure1"):
        result = CliRunner().invoke(app, ["reproduce", command, "--cached"])
        assert result.exit_code == 1 and "run the command once without --cached" in result.output
