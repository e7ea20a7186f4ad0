"""The readers' desk: how far everybody is, who they are, and what can be done about a link."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from cfcore.wording import duration
from pages.parts import layout
from pages.parts.who import actor, ago, day, workspace
from services.accounts import AccountError
from services.invitations import new_password_link, revoke_reader
from services.study_desk import Desk, DeskReader
from services.study_links import LinkView, extend_link, reissue_link, restore_reader, revoke_link

ACTIONS = (
    "New link",
    "Extend the link",
    "Withdraw the link",
    "Link for a new password",
    "Withdraw the invitation",
    "Take the invitation up again",
)


def desk_table(desk: Desk, names: bool = True) -> None:
    """Progress and last activity per reader; `names`: with login and name."""
    rows = []
    for reader in desk.readers:
        share = reader.done / reader.total if reader.total else 0.0
        bar = layout.Safe(
            '<div style="width:7rem;height:.5rem;border-radius:4px;background:#e3e8ef;display:inline-block">'
            f'<div style="width:{100 * share:.0f}%;height:100%;border-radius:4px;background:#0077b6"></div></div> '
            f"&nbsp;{reader.done} of {reader.total}"
        )
        seconds = duration(reader.median_seconds) if reader.median_seconds is not None else "–"
        who = (reader.display_name, reader.login) if names else ()
        rows.append((reader.label, *who, bar, seconds, ago(reader.last_active), state_of(reader)))
    columns = ["Reader", *(("Name", "Login") if names else ()), "Read", "Per case", "Last active", "State"]
    layout.table(columns, rows)


def state_of(reader: DeskReader) -> str:
    """In a word or two where the reader stands."""
    if reader.simulated:
        return "simulated"
    if reader.revoked_at:
        return "invitation withdrawn"
    if reader.has_password:
        return "signed up"
    return link_words(reader.link)


def link_words(link: LinkView) -> str:
    words = {
        "none": "no link yet",
        "open": f"link open until {day(link.until)}",
        "expired": f"link expired {day(link.until)}",
        "used": "link used",
        "withdrawn": "link withdrawn",
    }
    return words[link.state]


def profiles_table(desk: Desk) -> None:
    """What readers told about themselves; nothing where nobody has."""
    rows = []
    for reader in desk.readers:
        if (told := reader.profile) is not None:
            when = f"{told.consented_at:%-d %b %Y, %H:%M} UTC"
            rows.append((reader.label, told.specialty, f"{told.years:g}", told.ethics_number or "–", when))
    if rows:
        st.markdown("**Who reads** (GRRAS items 4 and 7)")
        layout.table(["Reader", "Specialty", "Years", "Ethics number", "Consent"], rows, [2])


def link_controls(desk: Desk) -> None:
    """One reader, one action."""
    people = [reader for reader in desk.readers if not reader.simulated]
    if not people:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("A reader", people, format_func=lambda r: f"{r.label} · {r.display_name}", width=240)
        action = st.selectbox("What to do", ACTIONS, width=260)
        days = 14
        if action == "Extend the link":
            days = int(st.number_input("Days from now", 1, 365, 14, width=120))
        if st.button("Apply", key=f"do-{desk.study_id}"):
            act(desk.study_id, chosen, action, days)


def act(study_id: int, reader: DeskReader, action: str, days: int) -> None:
    """Carry an action out and say what came of it."""
    try:
        if action == "New link":
            show_link(study_id, reader.display_name, reissue_link(workspace(), reader.id, actor()))
        elif action == "Link for a new password":
            show_link(study_id, reader.display_name, new_password_link(workspace(), reader.account_id, actor()))
        elif action == "Extend the link":
            until = extend_link(workspace(), reader.id, days, actor())
            st.toast(f"The link of {reader.label} works until {day(until)}.")
        elif action == "Withdraw the link":
            revoke_link(workspace(), reader.id, actor())
        elif action == "Withdraw the invitation":
            revoke_reader(workspace(), reader.id, actor())
            revoke_link(workspace(), reader.id, actor())
        else:
            restore_reader(workspace(), reader.id, actor())
    except (AccountError, ValueError) as error:
        st.error(str(error))
        return
    st.rerun()


def show_link(study_id: int, who: str, path: str) -> None:
    """Keep a link so that the next run shows it."""
    address = urlsplit(st.context.url or "http://localhost:8501")
    st.session_state[f"link-{study_id}"] = (who, f"{address.scheme}://{address.netloc}{path}")
