"""Mounts the reading room. It talks to `/read/...` under the sign-in cookie; nothing passes through Streamlit."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent
# One module for the browser, written as several short files; the last one holds the export.
PARTS = (
    *("pixels", "texts", "sheets", "pointers", "viewer", "measure", "comment", "rows", "annotate", "questions"),
    *(
        "outbox",
        "viewlog",
        "readingtime",
        "tabs",
        "list",
        "elicit",
        "help",
        "toolbar",
        "keys",
        "check",
        "loading",
        "practice",
        "room",
        "door",
    ),
    "mount",
)


def script() -> str:
    """The component's JavaScript: its parts in order, as one module."""
    return "\n".join((FOLDER / "js" / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)


def catalogues() -> dict[str, dict[str, str]]:
    """The room's texts by language, English first; another language is one more file in texts/."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("texts/*.json"))}
    return {"en": found.pop("en"), **found}


STYLE = "\n".join((FOLDER / f"{name}.css").read_text(encoding="utf-8") for name in ("reading_room", "questions"))

_room = st.components.v2.component("cfreader_reading_room", js=script())


def reading_room() -> None:
    """The reading list, and the reading room once a series is chosen, over the whole window."""
    _room(key="reading_room", data={"style": STYLE, "texts": catalogues()}, height=1)
