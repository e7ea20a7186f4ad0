"""What a run was asked beyond its method's defaults, in words: two runs of one name are told apart by it."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from cfcore.engines import catalogue
from cfcore.settings import Setting


def changed_settings(engine: str | None, config: dict[str, Any], *, choices_only: bool = False) -> list[str]:
    """ "basis balanced", "verified 4 %", ...: the settings of an explaining run that are not its method's defaults, in
    the order of the form; nothing for a method that is not known here.

    `choices_only`: those of a few named values alone, such as a basis.
    """
    method = catalogue.METHODS.get(engine or "")
    if method is None:
        return []
    asked = {one.name: one for one in method.settings()}
    found = []
    for field in fields(method.config_class()):
        if field.name not in config or field.default is MISSING or config[field.name] == field.default:
            continue
        one = asked.get(field.name)
        if not choices_only or (one is not None and one.kind == "choice"):
            found.append(_words(one, field.name, config[field.name]))
    return found


def _words(one: Setting | None, name: str, value: Any) -> str:
    label = one.label if one is not None else name.replace("_", " ")
    if isinstance(value, bool):
        return label if value else f"not {label}"
    if one is not None and one.kind == "percent":
        return f"{label.removesuffix(', %')} {100 * value:g} %"
    return f"{label} {value:g}" if isinstance(value, float) else f"{label} {value}"
