"""Notebook: what was tried and seen, in the order that tells the story."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import direction_name
from pages.parts import layout
from pages.parts.who import actor, ago, workspace
from services import notebook
from services.notebook import EntryRefused, EntryView, list_entries
from services.studies import list_studies

VIEWS = {"explore": "Explore", "run": "Runs", "results": "Results"}
NO_STUDY = "No study"


def notebook_page() -> None:
    entries = list_entries(workspace())
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        layout.heading(
            "Notebook",
            "Views that were kept, with notes. Entries open again where they were seen; a study's go into its report.",
        )
        if entries:
            st.download_button(
                "Download",
                lambda: notebook.download(workspace()),
                "notebook.zip",
                "application/zip",
                on_click="ignore",
                icon=":material/download:",
                help="Markdown with the pictures beside it",
            )
    if not entries:
        layout.empty(
            "Nothing kept yet",
            "Press “Keep in notebook” on Explore, Runs or Results: the view comes here with settings and note.",
        )
        st.page_link("pages/explore.py", label="Go to Explore", icon=":material/arrow_forward:")
        return
    studies = {study.id: study.title for study in list_studies(workspace())}
    for number, entry in enumerate(entries, start=1):
        entry_card(entry, number, len(entries), studies)


def entry_card(entry: EntryView, number: int, total: int, studies: dict[int, str]) -> None:
    """One entry: picture on the left, words on the right, what can be done below them."""
    with st.container(border=True, key=f"entry-{entry.id}"):
        png = notebook.picture(workspace(), entry.id)
        beside = st.container()
        if png is not None:
            left, beside = st.columns([3, 4], gap="medium")
            left.image(png, width="stretch", alt=entry.title)
        with beside:
            if st.session_state.get("editing") == entry.id:
                edit_form(entry)
            else:
                words(entry, number)
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                actions(entry, number, total)
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                report_choice(entry, studies)


def words(entry: EntryView, number: int) -> None:
    seen = f"{VIEWS.get(entry.view, entry.view)} · {ago(entry.created_at)}"
    study = f" · study “{entry.study}”" if entry.study else ""
    layout.html(
        f"<h2 style='font-size:1.125rem;font-weight:650;margin:0;padding:0'>{number}. {layout.escape(entry.title)}</h2>"
        f'<div class="muted">{layout.escape(seen + study)}</div>'
    )
    if entry.note:
        st.markdown(entry.note)
    facts = [f"{key} {setting(key, value)}" for key, value in entry.settings.items() if key != "digest"]
    if facts:
        st.caption(" · ".join(facts))


def setting(key: str, value: object) -> str:
    """A kept setting as people write it: "v5 −", "−7.5", "10"."""
    if isinstance(value, float):
        return f"{value:g}".replace("-", "−")
    return direction_name(str(value)) if key == "direction" else str(value)


def edit_form(entry: EntryView) -> None:
    with st.form(f"edit-{entry.id}", border=False):
        title = st.text_input("Title", entry.title)
        note = st.text_area("Note (Markdown)", entry.note, height=160)
        if st.form_submit_button("Save", type="primary"):
            try:
                notebook.edit_entry(workspace(), entry.id, title, note, actor())
            except EntryRefused as error:
                st.error(str(error).capitalize())
                return
            st.session_state.pop("editing", None)
            st.rerun()


def actions(entry: EntryView, number: int, total: int) -> None:
    key = entry.id
    label = "Open again"
    st.page_link(f"pages/{entry.page}.py", label=label, icon=":material/replay:", query_params=entry.query)
    if st.button("Edit", key=f"edit-button-{key}", type="tertiary", icon=":material/edit:"):
        st.session_state["editing"] = None if st.session_state.get("editing") == key else key
        st.rerun()
    for icon, name, steps, end in (("arrow_upward", "Up", -1, 1), ("arrow_downward", "Down", 1, total)):
        if st.button(name, key=f"{name}-{key}", type="tertiary", icon=f":material/{icon}:", disabled=number == end):
            notebook.move_entry(workspace(), key, steps)
            st.rerun()
    if st.button("Delete", key=f"delete-{key}", type="tertiary", icon=":material/delete:"):
        confirm_delete(entry)


def report_choice(entry: EntryView, studies: dict[int, str]) -> None:
    """The study whose report takes the entry along."""
    key = entry.id
    options = [0, *studies]
    st.caption("In the report of", width="content")
    chosen = st.selectbox(
        "Study",
        options,
        index=options.index(entry.study_id) if entry.study_id in studies else 0,
        format_func=lambda i: studies.get(i, NO_STUDY),
        key=f"study-{key}",
        label_visibility="collapsed",
        width=420,
        help="The report of this study takes the entry along",
    )
    if chosen != (entry.study_id or 0):
        notebook.link_entry(workspace(), key, chosen or None, actor())
        st.rerun()


@st.dialog("Delete this entry?")
def confirm_delete(entry: EntryView) -> None:
    st.write(f"“{entry.title}” is removed with its picture and note, for good.")
    if st.button("Delete", type="primary"):
        try:
            notebook.delete_entry(workspace(), entry.id, actor())
        except EntryRefused as error:
            st.error(str(error).capitalize())
            return
        st.rerun()


notebook_page()
