"""The elicitation round on the Studies page: open it, invite readers, merge their proposals, take the list over."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.who import actor, workspace
from services.elicitation import (
    DEFAULT_ASKED,
    MOST_PAIRS,
    RoundView,
    drop_round,
    finish_round,
    invite_to_round,
    merge,
    open_round,
    remove_from_round,
    round_view,
    suggested_merge,
)
from services.studies import Finding, StudyRefused, StudyView, findings_from

WORDS = {"proposing": "readers propose", "confirming": "readers confirm", "done": "done"}


def elicitation(view: StudyView) -> None:
    """The round of a study: nothing where a locked study never had one."""
    found = round_view(workspace(), view.id)
    if found is None and view.state != "draft":
        return
    st.subheader("Elicitation round", anchor=False)
    if found is None:
        _begin(view)
        return
    layout.html(layout.chip_of(WORDS[found.state], "done" if found.state == "done" else "note"))
    if found.state == "done" or view.state != "draft":
        _result(found)
        return
    _people(view, found)
    if found.proposals:
        _merging(view, found)
    with st.container(horizontal=True):
        if found.state == "confirming":
            ready = bool(found.people) and all(person.confirmed for person in found.people)
            if st.button("Take the list as the checklist", type="primary", disabled=not ready):
                _do(lambda: finish_round(workspace(), view.id, actor=actor()))
        if st.button("End the round without a result", type="tertiary"):
            _do(lambda: drop_round(workspace(), view.id, actor=actor()))


def _begin(view: StudyView) -> None:
    st.caption(
        "Readers who are invited propose main and secondary findings, you merge them, all confirm, and the list "
        "becomes the checklist. As long as a round is open the study cannot be locked."
    )
    with st.popover("Open a round"):
        asked = st.text_area("What readers are asked", DEFAULT_ASKED, key=f"asked-{view.id}", height=140)
        most = min(MOST_PAIRS, len(view.pairs))
        shown = st.number_input(
            "Examples to show", 0, most, 0, key=f"examples-{view.id}",
            help="Pairs of this study, sides at random, without arm or method. 0 asks the question as such.",
        )  # fmt: skip
        if st.button("Open", type="primary", key=f"open-round-{view.id}"):
            _do(lambda: open_round(workspace(), view.id, actor=actor(), asked=asked, n_pairs=int(shown)))


def _people(view: StudyView, found: RoundView) -> None:
    rows = []
    for person in found.people:
        answer = "wants a change" if person.objection else "confirmed" if person.confirmed else ""
        sent = "yes" if person.submitted_at else "not yet"
        rows.append((person.label, person.display_name, person.login, sent, answer, person.objection))
    if rows:
        layout.table(["Reader", "Name", "Login", "Proposed", "Merged list", "Wish"], rows)
    with st.form(f"elicit-{view.id}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        login = st.text_input("Login, e.g. an e-mail address", key=f"elicit-login-{view.id}")
        name = st.text_input("Name", key=f"elicit-name-{view.id}")
        asked = st.form_submit_button("Invite")
    if asked:
        _invite(view, login, name)
    if shown := st.session_state.get(f"elicit-link-{view.id}"):
        st.write(f"Send this link to {shown[0]}.")
        st.code(shown[1], language=None)
    waiting = [person for person in found.people if not person.submitted_at or not person.confirmed]
    if waiting:
        with st.popover("Go on without a reader", type="tertiary"):
            chosen = st.selectbox("Reader", waiting, format_func=lambda p: f"{p.label} · {p.display_name}")
            st.caption("His or her proposals are removed with the reader.")
            if st.button("Remove from the round"):
                _do(lambda: remove_from_round(workspace(), view.id, chosen.id, actor=actor()))


def _invite(view: StudyView, login: str, name: str) -> None:
    try:
        path = invite_to_round(workspace(), view.id, login, name or login, actor=actor())
    except StudyRefused as error:
        st.error(str(error))
        return
    address = urlsplit(st.context.url or "http://localhost:8501")
    st.session_state[f"elicit-link-{view.id}"] = (name or login, f"{address.scheme}://{address.netloc}{path}")
    st.rerun()


def _merging(view: StudyView, found: RoundView) -> None:
    """Each proposal with the finding that stands for it: synonyms get one and the same name."""
    st.markdown("**Merge the proposals**")
    st.caption("Write the same finding beside proposals that mean the same; an empty cell leaves a proposal out.")
    table = st.data_editor(
        _table(found),
        column_config={
            "id": None,
            "reader": st.column_config.TextColumn("Reader", width=70),
            "label": st.column_config.TextColumn("Proposed", width=280),
            "kind": st.column_config.TextColumn("As", width=90),
            "finding": st.column_config.TextColumn("Finding on the list", width=280),
            "main": st.column_config.CheckboxColumn("Main", width=80),
        },
        disabled=["reader", "label", "kind"],
        hide_index=True,
        width="content",
        key=f"merge-{view.id}-{hash((found.proposals, found.checklist))}",
    )
    if found.checklist:
        layout.table(
            ["List before the readers", "Kind", "Proposed by"],
            [(f.label, f.kind, ", ".join(found.proposers(f.key)) or "researcher") for f in found.checklist],
        )
    label = "Put the list before the readers" if found.state == "proposing" else "Change the list"
    if st.button(label, type="primary" if found.state == "proposing" else "secondary"):
        findings, into = _merged(table)
        _do(lambda: merge(workspace(), view.id, findings, into, actor=actor()))


def _table(found: RoundView) -> pd.DataFrame:
    """One row a proposal; before the first merge with our suggestion."""
    named = {f.key: f for f in found.checklist}
    stands = {p.id: named.get(p.merged_into or "") for p in found.proposals}
    if not found.checklist:
        stands = {i: finding for finding, ids in suggested_merge(found) for i in ids}
    rows = [
        (p.id, p.reader, p.label, p.kind, f.label if (f := stands[p.id]) else "", bool(f and f.kind == "main"))
        for p in found.proposals
    ]
    return pd.DataFrame(rows, columns=["id", "reader", "label", "kind", "finding", "main"])


def _merged(table: pd.DataFrame) -> tuple[tuple[Finding, ...], dict[int, str | None]]:
    """The list, and what becomes of each proposal. A finding is a main one where any of its rows says so."""
    names = [" ".join(str(name or "").split()) for name in table["finding"]]
    kinds: dict[str, str] = {}
    words: dict[str, str] = {}
    for name, main in zip(names, table["main"], strict=True):
        if name:
            words.setdefault(name.casefold(), name)
            kinds[name.casefold()] = "main" if main or kinds.get(name.casefold()) == "main" else "secondary"
    findings = findings_from([("", words[name], kind) for name, kind in kinds.items()])
    keys = {finding.label.casefold(): finding.key for finding in findings}
    return findings, {int(i): keys.get(n.casefold()) for i, n in zip(table["id"], names, strict=True)}


def _result(found: RoundView) -> None:
    layout.table(
        ["Finding", "Kind", "Proposed by"],
        [(f.label, f.kind, ", ".join(found.proposers(f.key)) or "researcher") for f in found.checklist],
    )
    st.caption(f"Confirmed by {counted(len(found.people), 'reader')}: {', '.join(p.label for p in found.people)}.")


def _do(act: Callable[[], object]) -> None:
    try:
        act()
    except StudyRefused as error:
        st.error(str(error))
        return
    st.rerun()
