"""How a case is put before the readers: the hanging protocol, the same for every reader and every case."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

View = Literal["side", "single", "flicker", "swipe", "difference"]
Preset = Literal["standard", "lung", "soft", "bone", "full", "inverted"]

VIEWS: tuple[View, ...] = get_args(View)
PRESETS: tuple[Preset, ...] = get_args(Preset)
LONGEST_BREAK = 240
LONGEST_IDLE = 3600


@dataclass(frozen=True)
class Viewing:
    """What readers may do with a pair of images, and how it opens.

    views: allowed views, side by side, one at a time, both in turn, one under the other behind a divider, or B − A
    (which shows where the images differ, so it answers part of the question: off unless chosen).
    view, preset: how every case opens. linked_zoom: both images at one zoom and place.
    measuring: whether the cardiothoracic ratio may be measured. screen_check: whether readers look at the test
    pattern before the first case of a session. break_minutes: when a break is proposed, 0 for never.
    idle_seconds: a pause without key, pointer or wheel counts up to this long as reading; what lies beyond is taken
    out of the reading time. language: of the texts around the case ("en", "de"), None where readers choose.
    """

    views: tuple[View, ...] = ("side", "flicker")
    view: View = "side"
    preset: Preset = "standard"
    linked_zoom: bool = True
    measuring: bool = True
    screen_check: bool = True
    break_minutes: int = 45
    idle_seconds: int = 60
    language: str | None = None

    def __post_init__(self) -> None:
        # One canonical order, so that the same choice has one digest.
        views = tuple(self.views)
        known = tuple(v for v in VIEWS if v in views)
        object.__setattr__(self, "views", known + tuple(v for v in views if v not in VIEWS))


DEFAULT_VIEWING = Viewing()


def viewing_problems(viewing: Viewing, languages: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with `viewing`, each with its remedy; empty where nothing is.

    languages: those that there are texts in; not checked where empty.
    """
    problems = [f"The view “{v}” is unknown: use {', '.join(VIEWS)}." for v in viewing.views if v not in VIEWS]
    if not viewing.views:
        problems.append("No view is allowed: allow at least side by side or single.")
    elif viewing.view not in viewing.views:
        problems.append(f"Cases open in the view “{viewing.view}”, which is not allowed: allow it or choose another.")
    if viewing.views and set(viewing.views) <= {"difference"}:
        problems.append("Only the difference is allowed: readers must be able to see the images themselves.")
    if viewing.preset not in PRESETS:
        problems.append(f"The window “{viewing.preset}” is unknown: use {', '.join(PRESETS)}.")
    for name, value, most in (
        ("break_minutes", viewing.break_minutes, LONGEST_BREAK),
        ("idle_seconds", viewing.idle_seconds, LONGEST_IDLE),
    ):
        least = 5 if name == "idle_seconds" else 0
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            problems.append(f"{name} is {value}: use a whole number from {least} to {most}.")
    if languages and viewing.language is not None and viewing.language not in languages:
        problems.append(
            f"There are no texts in “{viewing.language}”: use {', '.join(languages)}, or let readers choose."
        )
    return problems


def viewing_from(data: Mapping[str, Any] | None) -> Viewing:
    """The `Viewing` of plain values, as a protocol holds it; the default one for None (older protocols have none).

    Raises ValueError naming a field that is unknown.
    """
    data = dict(data or {})
    if unknown := sorted(set(data) - {field.name for field in dataclasses.fields(Viewing)}):
        raise ValueError(f"the viewing has no field “{unknown[0]}”")
    return Viewing(**data)


def viewing_data(viewing: Viewing) -> dict[str, Any]:
    """`viewing` as JSON values."""
    return dataclasses.asdict(viewing) | {"views": list(viewing.views)}
