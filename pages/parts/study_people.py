"""People with a part in a study beside reading it, and what readers are asked about themselves."""

from __future__ import annotations

import streamlit as st

from pages.parts import layout
from pages.parts.study_readers import show_link
from pages.parts.who import account_may, actor, day, workspace
from services.accounts import AccountError
from services.reader_profiles import CONSENT, desk_settings, set_desk
from services.study_blinding import unblind
from services.study_members import MEANING, PARTS, invite_member, members, remove_member
from services.study_views import StudyRefused, StudyView


def people_section(view: StudyView) -> None:
    """Who has which part; a link for one more; taking a part away."""
    if not account_may(view.id, "readers"):
        return
    with st.expander("People with a part: co-editor, statistician, monitor, chair", icon=":material/group:"):
        present = members(workspace(), view.id)
        if present:
            rows = [
                (m.display_name, m.login, m.part, "yes" if m.signed_up else "not yet", day(m.added_at)) for m in present
            ]
            layout.table(["Name", "Login", "Part", "Signed up", "Since"], rows)
        with st.form(f"part-{view.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            login = st.text_input("Login of the person")
            name = st.text_input("Name of the person")
            part = st.selectbox("Part", PARTS, format_func=lambda p: f"{p}: {MEANING[p]}")
            asked = st.form_submit_button("Give this part")
        if asked:
            give(view, login, name, part)
        if present:
            with st.container(horizontal=True, vertical_alignment="bottom"):
                gone = st.selectbox("A part", present, format_func=lambda m: f"{m.display_name}, {m.part}", width=260)
                if st.button("Take it away", key=f"take-{view.id}"):
                    remove_member(workspace(), gone.id, actor())
                    st.rerun()
        blinding(view)


def give(view: StudyView, login: str, name: str, part: str) -> None:
    try:
        path = invite_member(workspace(), view.id, login, name or login, part, actor())
    except (AccountError, StudyRefused) as error:
        st.error(str(error))
        return
    show_link(view.id, name or login, path)
    st.rerun()


def blinding(view: StudyView) -> None:
    """Whether the statistician knows the arms, and the one way to tell."""
    settings = desk_settings(workspace(), view.id)
    if settings.unblinded_at:
        st.caption(f"The statistician has known the names of the arms since {day(settings.unblinded_at)}.")
        return
    st.caption("The statistician sees the arms as “arm 1”, “arm 2”, … Unblind when the analysis is written.")
    if view.state == "closed" and st.button("Unblind the statistician", icon=":material/visibility:"):
        unblind(workspace(), view.id, actor=actor())
        st.rerun()


def profile_section(view: StudyView) -> None:
    """What a reader is asked before the first case."""
    if not account_may(view.id, "readers"):
        return
    settings = desk_settings(workspace(), view.id)
    with (
        st.expander("What readers say about themselves before the first case", icon=":material/badge:"),
        st.form(f"desk-{view.id}", border=False),
    ):
        asked = st.toggle("Ask for specialty, years of experience and consent", settings.ask_profile)
        consent = st.text_area(
            "What they agree to",
            settings.consent_text,
            placeholder=CONSENT,
            help="Empty: this usual wording, in each reader’s own language where there is a translation",
        )
        ethics = st.text_input("Ethics approval number of the study", settings.ethics_number)
        if st.form_submit_button("Save"):
            try:
                set_desk(
                    workspace(), view.id, actor=actor(), ask_profile=asked, consent_text=consent, ethics_number=ethics
                )
            except StudyRefused as error:
                st.error(str(error))
                return
            st.rerun()
