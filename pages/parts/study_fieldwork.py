"""Steps 4 and 5: freeze the protocol, invite readers, follow them, close."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.study_plan import plan_section
from pages.parts.study_schedule import schedule_section
from pages.parts.study_versions import flow_section, locked_study
from pages.parts.who import actor, ago, day, workspace
from services.accounts import AccountError, invite_reader, revoke_reader
from services.studies import StudyRefused, StudyView, close_study, lock_study, update_draft


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
        return
    if view.readers:
        progress_table(view)
    else:
        layout.empty("No readers yet", "Invite the first one below. Each gets the next planned schedule.")
    if view.state != "locked":
        st.caption(f"Closed {day(view.closed_at)}: answers are no longer taken.")
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
        st.write(f"Send this link to {who}. It works once, for 14 days, and sets the password.")
        st.code(link, language=None)
    controls(view)


def progress_table(view: StudyView) -> None:
    rows = []
    for reader in view.readers:
        state = "simulated" if reader.simulated else "withdrawn" if reader.revoked_at else ""
        share = reader.done / reader.total if reader.total else 0.0
        bar = layout.Safe(
            '<div style="width:9rem;height:.5rem;border-radius:4px;background:#e3e8ef;display:inline-block">'
            f'<div style="width:{100 * share:.0f}%;height:100%;border-radius:4px;background:#0077b6"></div></div> '
            f"&nbsp;{reader.done} of {reader.total}"
        )
        opened = "yes" if reader.has_password or reader.simulated else "not yet"
        saved = ago(reader.last_saved)
        rows.append((reader.label, reader.display_name, reader.login, bar, saved, opened, state))
    layout.table(["Reader", "Name", "Login", "Read", "Last reading", "Signed up", ""], rows)


def invite(view: StudyView, login: str, name: str) -> None:
    try:
        path = invite_reader(workspace(), view.id, login, name or login, actor())
    except AccountError as error:
        st.error(str(error))
        return
    address = urlsplit(st.context.url or "http://localhost:8501")
    st.session_state[f"link-{view.id}"] = (name or login, f"{address.scheme}://{address.netloc}{path}")
    st.rerun()


def controls(view: StudyView) -> None:
    people = [reader for reader in view.readers if not reader.simulated and not reader.revoked_at]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if people:
            chosen = st.selectbox(
                "A reader", people, format_func=lambda reader: f"{reader.label} · {reader.display_name}", width=280
            )
            if st.button("New link", help="For a reader who has lost the link or the password"):
                invite(view, chosen.login, chosen.display_name)
            if st.button("Withdraw invitation", help="Takes the study off the reader's list; the readings stay"):
                revoke_reader(workspace(), chosen.id, actor())
                st.rerun()
        if st.button("Close the study", icon=":material/lock_clock:"):
            confirm_close(view)


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
