"""Form fields for the settings of a method or a training, made from what the settings tell of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from cfcore.settings import Setting


def ask(settings: Sequence[Setting], key: str, groups: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Ask for every setting; those of a group only once its switch is on.

    Args:
        key: tells the widgets from those of other forms. groups: heading -> what holds while the switch is off.

    Returns:
        name -> value, without the settings that were not asked for.
    """
    found = _fields([one for one in settings if not one.group], key)
    for group in dict.fromkeys(one.group for one in settings if one.group):
        if st.toggle(group, key=f"{key}-{group}", help=(groups or {}).get(group)):
            found |= _fields([one for one in settings if one.group == group], key)
    return found


def _fields(settings: Sequence[Setting], key: str) -> dict[str, Any]:
    found = {}
    with st.container(horizontal=True):
        for one in settings:
            if one.kind != "yes or no":
                found[one.name] = _field(one, f"{key}-{one.name}")
    for one in settings:
        if one.kind == "yes or no":
            found[one.name] = st.checkbox(one.label, one.value, key=f"{key}-{one.name}", help=one.help or None)
    return found


def _field(one: Setting, key: str) -> Any:
    told = one.help or None
    if one.kind == "choice":
        return st.selectbox(one.label, one.choices, one.choices.index(one.value), key=key, help=told)
    number = int if one.kind == "whole" else float
    low, high, step = (None if value is None else number(value) for value in (one.low, one.high, one.step))
    factor = 100 if one.kind == "percent" else 1
    value = number(st.number_input(one.label, low, high, number(factor * one.value), step, key=key, help=told))
    return value / factor if factor > 1 else value
