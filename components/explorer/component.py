"""Mounts the viewer. Pixels come from `/views/...`; only what was chosen goes through Streamlit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent
# One module for the browser, written as several short files; the last one holds the export.
PARTS = ("frames", "intended", "curve", "desk", "gallery", "overlay", "viewer", "mount")


def script() -> str:
    """The component's JavaScript: its parts in order, as one module."""
    return "\n".join((FOLDER / "js" / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)


_explorer = st.components.v2.component(
    "cfreader_explorer", js=script(), css=(FOLDER / "explorer.css").read_text(encoding="utf-8")
)


def explorer(data: dict[str, Any], key: str, on_shown: Callable[[], None], on_open: Callable[[], None]) -> None:
    """The viewer of one image. `data`: see `pages.parts.explore_view.viewer_data`.

    The state `shown` is {"direction", "degree", "moves", "view"} as left by the last move that came to rest; the
    trigger `open` is the same with "image", the number of an image of the gallery that was chosen.
    """
    _explorer(key=key, data=data, on_shown_change=on_shown, on_open_change=on_open)
