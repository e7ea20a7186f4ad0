"""Form fields made from a dataclass: one for every kind of setting, and what comes back from them."""

from __future__ import annotations

import json

from streamlit.testing.v1 import AppTest


def script() -> None:
    from dataclasses import dataclass
    from typing import Literal

    import streamlit as st

    from cfcore.settings import setting, settings_of
    from pages.parts.setting_fields import ask

    @dataclass(frozen=True)
    class Config:
        count: int = setting(3, low=1, high=9, help="How many")
        rate: float = 0.5
        share: float = setting(1.0, proposal=0.25, percent=True, label="share, %", low=1, high=100)
        fill: Literal["black", "mean"] = "mean"
        sharp: bool = setting(False, label="Keep edges")
        steps: int = setting(0, group="Slow", low=0)

    st.json(ask(settings_of(Config), "own", {"Slow": "Off: fast."}))


def test_every_kind_of_setting_has_its_field() -> None:
    page = AppTest.from_function(script).run()
    assert not page.exception
    numbers = {field.label: field for field in page.number_input}
    assert (numbers["count"].min, numbers["count"].max, numbers["count"].help) == (1, 9, "How many")
    assert numbers["share, %"].value == 25.0 and "steps" not in numbers
    assert page.selectbox[0].options == ["black", "mean"] and page.selectbox[0].value == "mean"
    assert page.checkbox[0].label == "Keep edges" and page.toggle[0].help == "Off: fast."
    numbers["share, %"].set_value(50.0)
    page.checkbox[0].check()
    page.run()
    assert json.loads(page.json[0].value) == {"count": 3, "rate": 0.5, "share": 0.5, "fill": "mean", "sharp": True}


def test_a_group_is_asked_for_once_it_is_wanted() -> None:
    page = AppTest.from_function(script).run()
    page.toggle[0].set_value(True).run()
    assert json.loads(page.json[0].value)["steps"] == 0 and any(field.label == "steps" for field in page.number_input)
