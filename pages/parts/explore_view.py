"""The middle of Explore: the viewer, what it is told, and keeping what it shows."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import streamlit as st

from cfcore.wording import direction_name
from components.explorer import explorer
from pages.parts import layout
from pages.parts.explore_choices import Choice, about, truths
from pages.parts.who import actor, workspace
from services.animation import mp4_available
from services.explore import OpenEngine
from services.notebook import EntryRefused, keep
from services.overlay import maps_of
from services.paths import Moves, moves_of, scene, still
from services.pictures import triptych_png

STYLE = """
<style>
.cf .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.cf h2.side { font-size: 0.875rem; font-weight: 650; color: #5b6577; margin: 0.25rem 0 0; padding: 0; }
.st-key-thumbnails [data-testid="stButton"] button { aspect-ratio: 1; background-size: cover;
  background-position: center; background-color: #000; color: transparent; border-color: transparent; padding: 0;
  margin: 4px; width: calc(100% - 8px); }
.st-key-thumbnails [data-testid="stButton"] button:hover { border-color: #7cc4ea; color: transparent; }
.cf .kept-row { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 0.5rem 1.5rem; }
.cf .kept { display: flex; gap: 0.6rem; align-items: flex-start; margin-top: 0.4rem; font-size: 0.86rem; }
.cf .kept img { width: 108px; flex: none; border-radius: 4px; }
.cf .kept b, .cf .kept span { display: block; overflow-wrap: anywhere; } .cf .kept span { color: #5b6577; }
</style>
"""
KEY = "explorer"
GALLERY = 12
VIEWS = ("directions", "gallery")  # beside the one image, which is the usual view
SHOWN = "explore-shown"


def start_of(opened: OpenEngine) -> dict[str, Any]:
    """Where the viewer begins, as the address says: direction, degree, the degrees of other directions, the view."""
    ranked = opened.directions
    names = [entry.name for entry in ranked]
    asked = st.query_params.get("direction", "")
    best = next((entry.name for entry in ranked if entry.kept), names[0] if names else None)
    low, high = opened.engine.degree_range
    degree = _number(st.query_params.get("degree"), opened.engine.default_degree)
    try:
        given = json.loads(st.query_params.get("moves", "{}"))
        # Directions that measure one way are not mixed: the one that is steered stays.
        given = {} if opened.one_way else given
        moves = {name: min(max(_number(d, 0.0), low), high) for name, d in given.items() if name in names}
    except (ValueError, AttributeError):
        moves = {}
    direction = asked if asked in names else best
    moves.pop(direction or "", None)
    view = st.query_params.get("view", "one")
    return {
        "direction": direction,
        "degree": min(max(degree, low), high),
        "moves": moves,
        "view": view if view in VIEWS else "one",
    }


def _number(value: Any, default: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return default
    return number if abs(number) < float("inf") else default


def viewer_data(choice: Choice, opened: OpenEngine) -> dict[str, Any]:
    """What the viewer needs beside its pixels. `directions`: name, change (mean, of the logit), kept, about, truth
    (in words, where it is measured), wanted (a degree is the probability of the target that is wanted); `one_way`: they
    are not mixed, and the viewer shows what each intends; `maps`: see `services.overlay.MapChoice`."""
    low, high = opened.engine.degree_range
    listed = choice.listed[:GALLERY] or (choice.image_id,)
    known = truths(choice.run_id)
    return {
        "run": choice.run_id,
        "image": choice.image_id,
        "rendering": choice.rendering,
        "target": opened.target_name,
        "low": low,
        "high": high,
        "directions": [
            {
                "name": d.name,
                "change": d.mean_change,
                "kept": d.kept,
                "about": about(opened, d),
                "truth": known.get(d.name, ""),
                "wanted": opened.wants_probability(d.name),
            }
            for d in opened.directions
        ],
        "one_way": opened.one_way,
        "images": list(listed),
        "maps": [dataclasses.asdict(choice) for choice in maps_of(workspace(), opened)],
        "start": start_of(opened),
        "mp4": mp4_available(),
    }


def viewer(choice: Choice, opened: OpenEngine) -> None:
    """The viewer; a fragment, so that what it tells reruns nothing else, until the address names another image."""
    explorer(viewer_data(choice, opened), KEY, on_shown=remember, on_open=open_image)
    if st.query_params.get("image") != str(choice.image_id):
        st.rerun()


def remember() -> None:
    """What the viewer shows goes into the address, from where it is kept, sent on and opened again."""
    to_address(st.session_state[KEY].get("shown") or {})


def to_address(shown: dict[str, Any]) -> None:
    st.query_params["degree"] = f"{float(shown.get('degree', 0.0)):g}"
    for name, value in (
        ("direction", shown.get("direction")),
        ("moves", json.dumps(shown["moves"]) if shown.get("moves") else None),
        ("view", shown.get("view") if shown.get("view") in VIEWS else None),
    ):
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def open_image() -> None:
    """An image of the gallery was chosen."""
    chosen = st.session_state[KEY]["open"]
    to_address(chosen)
    st.query_params["image"] = str(int(chosen["image"]))


def settings_of(choice: Choice, start: dict[str, Any]) -> dict[str, str | int | float]:
    """What shows this view again."""
    direction = {} if start["direction"] is None else {"direction": start["direction"]}
    others = {"moves": json.dumps(start["moves"])} if start["moves"] else {}
    return {
        "run": choice.run_id,
        "image": choice.image_id,
        **direction,
        "degree": start["degree"],
        **others,
        "rendering": choice.rendering,
    }


def all_moves(start: dict[str, Any]) -> Moves:
    return moves_of((start["direction"], start["degree"]), *start["moves"].items())


def title_of(start: dict[str, Any], opened: OpenEngine) -> str:
    """ "v3 −, degree +4.5", with the other directions of a mix; "confidence, 70 % wanted" where the degree is one."""
    name, degree = start["direction"] or opened.engine.title, start["degree"]
    if opened.wants_probability(name):
        return f"{direction_name(name)}, {layout.percent(degree)} {opened.target_name} wanted"
    one = f"{direction_name(name)}, degree {_signed(degree)}"
    others = (f"{direction_name(name)}, {_signed(degree)}" for name, degree in start["moves"].items() if degree)
    return "; ".join([one, *others])


def _signed(degree: float) -> str:
    return f"{degree:+g}".replace("-", "−")


def keep_button(choice: Choice, opened: OpenEngine) -> None:
    """Keep this view, with a title and a note, as the last entry of the notebook."""
    times = st.session_state.setdefault("kept-views", 0)
    # Another key after every keep: the popover closes and its fields are empty again.
    with st.popover("Keep in notebook", type="primary", icon=":material/bookmark_add:", key=f"keep-{times}"):
        own = f"{choice.run_id}-{choice.image_id}-{times}"
        title = st.text_input("Title", placeholder="Direction and degree, if empty", key=f"title-{own}")
        note = st.text_area("Note (Markdown)", placeholder="What do you see?", key=f"note-{own}")
        if st.button("Keep", type="primary"):
            start = start_of(opened)
            found = scene(workspace(), choice.run_id, choice.image_id, choice.rendering)
            png = triptych_png(*still(found, all_moves(start)))
            words, settings = title or title_of(start, opened), settings_of(choice, start)
            try:
                keep(workspace(), "explore", words, settings, note=note, picture=png, author=actor())
            except EntryRefused as error:
                st.error(layout.escape(str(error)).capitalize())
                return
            st.session_state["kept-views"] = times + 1
            st.toast("Kept in the notebook.", icon=":material/check:")
            st.rerun()
