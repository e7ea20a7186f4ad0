"""What a dataclass of settings tells a form of its fields: label, help, range. No torch here: pages read it."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

Kind = Literal["whole", "number", "percent", "yes or no", "choice"]
_KINDS: dict[type, Kind] = {bool: "yes or no", int: "whole", float: "number"}


@dataclass(frozen=True)
class Setting:
    """A field as a form asks for it.

    Attributes:
        name: of the field. kind: how it is asked for; "percent": a share, asked for as a number of 0 to 100.
        value: what the form begins with, in the field's own unit. low, high, step: in the unit that the form shows.
        choices: for "choice". group: heading under which it stands, "" for the fields that always show.
    """

    name: str
    kind: Kind
    value: Any
    label: str
    help: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    group: str = ""


def setting(
    default: Any,
    *,
    label: str = "",
    help: str = "",
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    proposal: Any = None,
    percent: bool = False,
    group: str = "",
    shown: bool = True,
) -> Any:
    """A dataclass field with what a form needs, see `Setting`.

    Args:
        proposal: what a form begins with where that is not the default (the paper's).
        shown: False keeps it out of forms; it stays at its default there.
    """
    told = {"label": label, "help": help, "low": low, "high": high, "step": step, "group": group}
    return field(default=default, metadata=told | {"proposal": proposal, "percent": percent, "shown": shown})


def settings_of(config: type) -> tuple[Setting, ...]:
    """The fields of a dataclass that a form can ask for, in their order: int, float, bool and Literal with a default.

    A field without `setting` goes by its own name; one of another type stays at its default.
    """
    hints = get_type_hints(config)
    found = (_setting(one, hints[one.name]) for one in fields(config))
    return tuple(one for one in found if one is not None)


def _setting(one: Any, hint: Any) -> Setting | None:
    told = one.metadata
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    kind: Kind | None = "choice" if choices else _KINDS.get(hint)
    if kind is None or one.default is MISSING or not told.get("shown", True):
        return None
    proposal = told.get("proposal")
    return Setting(
        one.name,
        "percent" if told.get("percent") else kind,
        one.default if proposal is None else proposal,
        told.get("label") or one.name.replace("_", " "),
        **{key: told[key] for key in ("help", "low", "high", "step", "group") if key in told},
        choices=choices,
    )
