"""How cases are put before the readers: the hanging protocol, folded beside the questions."""

from __future__ import annotations

import streamlit as st

from cfcore.study.viewing import PRESETS, VIEWS, Preset, View, Viewing, viewing_problems
from components.reading_room.component import catalogues
from pages.parts import layout
from pages.parts.who import actor, workspace
from services.studies import StudyRefused, StudyView, update_draft

VIEW_NAMES: dict[View, str] = {
    "side": "Side by side",
    "single": "Single",
    "flicker": "Flicker",
    "swipe": "Swipe",
    "difference": "Difference (B − A)",
}
PRESET_NAMES: dict[Preset, str] = {
    "standard": "Standard",
    "lung": "Lungs",
    "soft": "Soft tissue",
    "bone": "Bone",
    "full": "Whole range",
    "inverted": "Inverted",
}
READERS_CHOOSE = "Readers choose"


def viewing_step(view: StudyView) -> None:
    """The reading room's rules: fields in a draft, one line afterwards."""
    now = view.protocol.viewing
    if view.state != "draft":
        layout.line("How cases are shown", _said(now))
        return
    with st.expander(f"How cases are shown: {', '.join(_said(now))}", icon=":material/visibility:"):
        chosen = _form(view.id, now)
        problems = viewing_problems(chosen, tuple(catalogues()))
        for problem in problems:
            st.warning(problem)
        if st.button("Save how cases are shown", disabled=bool(problems) or chosen == now, key=f"hang-{view.id}"):
            try:
                update_draft(workspace(), view.id, actor=actor(), viewing=chosen)
            except StudyRefused as error:
                st.error(str(error))
                return
            st.toast("Saved.", icon=":material/check:")
            st.rerun()


def _said(viewing: Viewing) -> list[str]:
    said = [_within(VIEW_NAMES[v]) for v in viewing.views if v in VIEW_NAMES]
    said += [f"opens with {_within(PRESET_NAMES[viewing.preset])}"] if viewing.preset in PRESET_NAMES else []
    said += [] if viewing.screen_check else ["no screen check"]
    names = {name: texts["language.name"] for name, texts in catalogues().items()}
    return said + ([names.get(viewing.language, viewing.language)] if viewing.language else [])


def _within(name: str) -> str:
    """A name within a sentence."""
    return name[0].lower() + name[1:]


def _form(study_id: int, now: Viewing) -> Viewing:
    names = {None: READERS_CHOOSE} | {name: texts["language.name"] for name, texts in catalogues().items()}
    views = st.pills(
        "Views that readers may use",
        VIEWS,
        default=[v for v in now.views if v in VIEWS],
        selection_mode="multi",
        format_func=VIEW_NAMES.__getitem__,
        key=f"views-{study_id}",
        help="Flicker also allows swapping A and B in place. The difference shows where to look: leave it out where "
        "readers are to find that themselves.",
    )
    with st.container(horizontal=True):
        first = st.selectbox(
            "Cases open as", VIEWS, VIEWS.index(now.view), format_func=VIEW_NAMES.__getitem__, key=f"view-{study_id}"
        )
        preset = st.selectbox(
            "Window at first",
            PRESETS,
            PRESETS.index(now.preset),
            format_func=PRESET_NAMES.__getitem__,
            key=f"preset-{study_id}",
        )
        language = st.selectbox(
            "Language around the cases",
            list(names),
            list(names).index(now.language) if now.language in names else 0,
            format_func=names.__getitem__,
            key=f"language-{study_id}",
            help="Findings and questions stay as you write them.",
        )
    with st.container(horizontal=True):
        linked = st.checkbox("Zoom both images together", now.linked_zoom, key=f"linked-{study_id}")
        measuring = st.checkbox("Readers may measure the CTR", now.measuring, key=f"measure-{study_id}")
        check = st.checkbox("Screen check before each session", now.screen_check, key=f"check-{study_id}")
    with st.container(horizontal=True):
        rest = st.number_input(
            "Propose a break after, minutes (0: never)", 0, 240, now.break_minutes, 5, key=f"rest-{study_id}"
        )
        idle = st.number_input(
            "A pause counts up to, seconds",
            5,
            3600,
            now.idle_seconds,
            5,
            key=f"idle-{study_id}",
            help="Longer pauses without key, mouse or touch are taken out of the reading time and kept beside it.",
        )
    return Viewing(
        views=tuple(views),
        view=first,
        preset=preset,
        linked_zoom=linked,
        measuring=measuring,
        screen_check=check,
        break_minutes=int(rest),
        idle_seconds=int(idle),
        language=language,
    )
