"""The catalogue says of every method what its class says, and pages read it without torch."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields, replace
from typing import Literal

import pytest

from cfcore.engines import catalogue
from cfcore.engines.catalogue import METHODS, Method, drawings_an_image, title_of
from cfcore.engines.registry import ENGINES
from cfcore.engines.searched import Searched
from cfcore.engines.settings import Settings
from cfcore.settings import setting, settings_of


@dataclass(frozen=True)
class Plain:
    """A Config that tells nothing of itself."""

    size: tuple[int, int]
    side: int = 3
    rate: float = 0.5
    sharp_edges: bool = True
    fill: Literal["black", "mean"] = "mean"
    names: tuple[str, ...] = ()


def test_the_catalogue_is_the_registry() -> None:
    assert list(METHODS) == list(ENGINES)
    for name, engine in ENGINES.items():
        method = METHODS[name]
        assert (method.name, method.title, method.generator_kind) == (name, engine.title, engine.generator_kind)
        assert method.config_class() is engine.Config
        assert method.fit_images is not issubclass(engine, Searched), "only these choose nothing in `fit`"
        assert method.short and method.about and not method.about.endswith(".")


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_what_a_form_begins_with_is_a_config(method: Method) -> None:
    asked = method.settings()
    config = method.config_class()(**{one.name: one.value for one in asked})
    for one in asked:
        value = 100 * one.value if one.kind == "percent" else one.value
        assert getattr(config, one.name) == one.value
        assert (one.low is None or one.low <= value) and (one.high is None or value <= one.high), one.name
        assert one.kind != "choice" or one.value in one.choices
        assert not one.group or method.groups()[one.group].endswith(".")


def test_the_catalogue_needs_no_torch() -> None:
    """Importing torch takes seconds, which the first person to open a form would wait."""
    read = "[method.settings() for method in METHODS.values() if method.generator_kind == 'stylex']"
    code = f"import sys; from cfcore.engines.catalogue import METHODS; {read}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_any_dataclass_makes_a_form() -> None:
    found = {one.name: one for one in settings_of(Plain)}
    assert list(found) == ["side", "rate", "sharp_edges", "fill"], "no default, or a type that no form asks for"
    assert [one.kind for one in found.values()] == ["whole", "number", "yes or no", "choice"]
    assert found["sharp_edges"].label == "sharp edges" and found["fill"].choices == ("black", "mean")
    assert found["side"].value == 3 and found["side"].help == ""


def test_a_config_tells_labels_ranges_and_what_it_keeps_to_itself() -> None:
    @dataclass(frozen=True)
    class Telling(Settings):
        share: float = setting(1.0, proposal=0.2, percent=True, label="share, %", low=1, high=100, step=1, help="Why")
        hidden: int = setting(5, shown=False)

    (one,) = settings_of(Telling)
    assert (one.kind, one.value, one.label, one.low, one.high, one.step) == ("percent", 0.2, "share, %", 1, 100, 1)
    assert Telling().share == 1.0 and [field.name for field in fields(Telling)] == ["share", "hidden"]
    assert Telling().drawings_an_image({}) == 0


def test_drawings_are_told_only_for_settings_that_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawings_an_image("eigenfind", {"scan": 12}, {}) == 24
    assert drawings_an_image("eigenfind", {"race": 3.0, "halving": 2}, {}) == 0
    plain = replace(METHODS["eigenfind"], name="plain", config=f"{__name__}:Plain")
    monkeypatch.setitem(catalogue.METHODS, "plain", plain)
    assert drawings_an_image("plain", {}, {}) == 0 and plain.groups() == {}


def test_a_method_that_is_gone_keeps_its_name() -> None:
    assert (title_of("attfind"), title_of("magic"), title_of(None)) == ("StylEx with AttFind", "magic", "")
