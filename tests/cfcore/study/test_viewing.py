"""The hanging protocol: what it may hold, and that a protocol without one keeps its digest."""

import dataclasses
import json

import pytest

from cfcore.study.protocol import Arm, Finding, Protocol, Rating, canonical_json, digest, from_json, validate
from cfcore.study.viewing import DEFAULT_VIEWING, Viewing, viewing_data, viewing_from, viewing_problems

PLAIN = Protocol(
    title="Study",
    reader_title="Chest radiographs, series 1",
    findings=(Finding("line", "Line or tube"),),
    ratings=(Rating("same", "Same patient", "no", "yes"),),
    arms=(Arm("v1+", "v1 +"),),
)


def test_a_protocol_without_its_own_viewing_is_written_as_before() -> None:
    assert "viewing" not in json.loads(canonical_json(PLAIN))
    assert from_json(canonical_json(PLAIN)).viewing == DEFAULT_VIEWING


def test_a_chosen_viewing_enters_the_digest_and_comes_back() -> None:
    chosen = dataclasses.replace(PLAIN, viewing=Viewing(views=("swipe", "side"), view="swipe", language="de"))
    assert digest(chosen) != digest(PLAIN)
    assert from_json(canonical_json(chosen)) == chosen
    assert chosen.viewing.views == ("side", "swipe")  # the same choice in another order is the same protocol
    assert validate(chosen) == []


@pytest.mark.parametrize(
    ("viewing", "named"),
    [
        (Viewing(views=()), "No view is allowed"),
        (Viewing(views=("side",), view="swipe"), "“swipe”, which is not allowed"),
        (Viewing(views=("side", "film"), view="side"), "“film” is unknown"),
        (Viewing(views=("difference",), view="difference"), "Only the difference"),
        (Viewing(preset="liver"), "“liver” is unknown"),  # type: ignore[arg-type]
        (Viewing(break_minutes=-1), "break_minutes is -1"),
        (Viewing(break_minutes=True), "break_minutes is True"),
        (Viewing(idle_seconds=4), "idle_seconds is 4"),
    ],
)
def test_each_fault_is_named(viewing: Viewing, named: str) -> None:
    assert any(named in problem for problem in viewing_problems(viewing))
    assert any(named in problem for problem in validate(dataclasses.replace(PLAIN, viewing=viewing)))


def test_a_language_without_texts_is_named() -> None:
    assert viewing_problems(Viewing(language="de"), ("en", "de")) == []
    assert "“xx”" in viewing_problems(Viewing(language="xx"), ("en", "de"))[0]


def test_plain_values_there_and_back() -> None:
    chosen = Viewing(views=("side", "single"), linked_zoom=False, break_minutes=0)
    assert viewing_from(json.loads(json.dumps(viewing_data(chosen)))) == chosen
    assert viewing_from(None) == DEFAULT_VIEWING
    with pytest.raises(ValueError, match="no field “colour”"):
        viewing_from({"colour": "red"})
