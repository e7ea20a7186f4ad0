"""What a run was asked beyond its method's defaults, in words: two runs of one name are told apart by it."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from cfcore.engines import catalogue
from cfcore.settings import Setting


def chosen_values(engine: str | None, config: dict[str, Any]) -> list[str]:
    """ "balanced": what `changed_settings` tells of choices, where there is room for the values only."""
    return [str(config[field]) for field, one in _changed(engine, config) if one is not None and one.kind == "choice"]


def changed_settings(engine: str | None, config: dict[str, Any], *, choices_only: bool = False) -> list[str]:
    """ "basis balanced", "verified 4 %", ...: the settings of an explaining run that are not its method's defaults, in
    the order of the form; nothing for a method that is not known here.

    `choices_only`: those of a few named values alone, such as a basis.
    """
    return [
        _words(one, name, config[name])
        for name, one in _changed(engine, config)
        if not choices_only or (one is not None and one.kind == "choice")
    ]


def _changed(engine: str | None, config: dict[str, Any]) -> list[tuple[str, Setting | None]]:
    """Name of every field that is not at its default, and what a form knows of it."""
    method = catalogue.METHODS.get(engine or "")
    if method is None:
        return []
    asked = {one.name: one for one in method.settings()}
    return [
        (field.name, asked.get(field.name))
        for field in fields(method.config_class())
        if field.name in config and field.default is not MISSING and config[field.name] != field.default
    ]


def _words(one: Setting | None, name: str, value: Any) -> str:
    label = one.label if one is not None else name.replace("_", " ")
    if isinstance(value, bool):
        return label if value else f"not {label}"
    if one is not None and one.kind == "percent":
        return f"{label.removesuffix(', %')} {100 * value:g} %"
    return f"{label} {value:g}" if isinstance(value, float) else f"{label} {value}"
