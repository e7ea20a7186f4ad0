"""Steps 4 and 5: freeze the protocol, invite readers, follow them, close."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.study_people import people_section, profile_section
from pages.parts.study_plan import plan_section
from pages.parts.study_readers import desk_table, link_controls, profiles_table, show_link
from pages.parts.study_schedule import schedule_section
from pages.parts.study_takeover import takeover
from pages.parts.study_versions import flow_section, locked_study
from pages.parts.who import actor, day, workspace
from services.accounts import AccountError
from services.displayed import size_warning
from services.invitations import invite_reader
from services.studies import StudyRefused, StudyView, close_study, lock_study, update_draft
from services.study_desk import desk


def lock_step(view: StudyView) -> None:
    """Titles, what is still missing, and the lock itself; afterwards the digest and whether it still holds."""
    if view.state != "draft":
        locked_study(view)
        return
    title = st.text_input("Title, for researchers", view.title, key=f"title-{view.id}")
    reader_title = st.text_input("Neutral title, for readers", view.reader_title, key=f"reader-title-{view.id}")
    notes = st.text_area("Notes (anything else that is decided before)", view.protocol.notes, key=f"notes-{view.id}")
    problems = view.problems
    if (title, reader_title, notes) != (view.title, view.reader_title, view.protocol.notes):
        try:
            problems = update_draft(
                workspace(), view.id, actor=actor(), title=title, reader_title=reader_title, notes=notes
            )
        except StudyRefused as error:
            st.error(str(error))
            return
    plan_section(view)
    if view.pairs:
        if warning := size_warning(workspace(), view):
            st.warning(warning)
        flow_section(view)
        schedule_section(view)
    if problems:
        items = "".join(f"<li>{layout.escape(problem)}</li>" for problem in problems)
        layout.html(f"<b>Before the lock</b><ul class=problems>{items}</ul>")
    else:
        st.success("Nothing is missing. After the lock neither questions nor pairs nor schedules can change.")
    if st.button("Lock the study", type="primary", icon=":material/lock:", disabled=bool(problems)):
        try:
            lock_study(workspace(), view.id, actor=actor())
        except (StudyRefused, FileNotFoundError) as error:
            st.error(str(error))
            return
        st.rerun()


def readers_step(view: StudyView) -> None:
    """Who reads and how far everybody is; invitation links; the end of the reading."""
    if view.state == "draft":
        layout.empty("No readers yet", "Lock the study first: readers are invited to a protocol that cannot change.")
        profile_section(view)
        people_section(view)
        return
    found = desk(workspace(), view.id, actor())
    if found.readers:
        desk_table(found)
        profiles_table(found)
    else:
        layout.empty("No readers yet", "Invite the first one below. Each gets the next planned schedule.")
    if view.state != "locked":
        st.caption(f"Closed {day(view.closed_at)}: answers are no longer taken.")
        people_section(view)
        return
    with st.form(f"invite-{view.id}", border=True):
        st.markdown("**Invite a reader**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            login = st.text_input("Login, e.g. an e-mail address")
            name = st.text_input("Name")
            asked = st.form_submit_button("Make a link", type="primary")
    if asked:
        invite(view, login, name)
    if shown := st.session_state.get(f"link-{view.id}"):
        who, link = shown
        if "/invite/" in link:
            st.write(f"Send this link to {who}. It works once, for 14 days, and sets the password.")
        else:
            st.write(f"{who} has a password already and signs in as before; the study is there.")
        st.code(link, language=None)
    link_controls(found)
    takeover(view)
    profile_section(view)
    people_section(view)
    if st.button("Close the study", icon=":material/lock_clock:"):
        confirm_close(view)


def invite(view: StudyView, login: str, name: str) -> None:
    try:
        path = invite_reader(workspace(), view.id, login, name or login, actor())
    except AccountError as error:
        st.error(str(error))
        return
    show_link(view.id, name or login, path)
    st.rerun()


@st.dialog("Close this study?")
def confirm_close(view: StudyView) -> None:
    done, total = sum(r.done for r in view.readers), sum(r.total for r in view.readers)
    st.write(f"{done} of {counted(total, 'reading')} complete. After closing no answer is taken: this is final.")
    if st.button("Close", type="primary"):
        try:
            close_study(workspace(), view.id, actor=actor())
        except StudyRefused as error:
            st.error(str(error))
            return
        st.rerun()
