"""Adjudication seen from the study: how much there is to decide, who decides it, what was decided."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.study_arms import arm_names
from pages.parts.who import account_may, actor, workspace
from services.adjudication import adjudicated_decisions, prepare, state
from services.study_views import StudyRefused, StudyView

PLACES = {
    "original": "original only",
    "counterfactual": "counterfactual only",
    "both": "both",
    "neither": "neither",
    "cannot": "cannot assess",
}


def adjudication_section(view: StudyView) -> None:
    """Disagreements and decisions. Raw answers stay as they are, whatever is decided."""
    st.markdown(
        "**Adjudication**: where readers differ on a finding, a chair decides, blind to readers, sides and arms."
    )
    if view.state != "closed":
        st.caption("Begins when the study is closed.")
        return
    now = state(workspace(), view.id, actor())
    if not now.cases:
        st.caption("The readers agree on every finding: there is nothing to decide.")
        return
    st.write(
        f"{counted(now.disputed, 'disagreement')} in {counted(now.cases, 'case')}; {now.decided_cases} of them decided."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if not now.prepared and st.button("Set out the disputed cases"):
            try:
                prepare(workspace(), view.id, actor=actor())
            except StudyRefused as error:
                st.error(str(error))
                return
            st.rerun()
        if account_may(view.id, "adjudicate"):
            chair_link(view.id)
    if now.decided_cases and account_may(view.id, "results"):
        decisions(view)


def chair_link(study_id: int) -> None:
    """The way into the chair's reading room."""
    st.link_button("Decide in the reading room", f"/read?adjudicate={study_id}", icon=":material/gavel:")


def decisions(view: StudyView) -> None:
    """Every decision beside the readers' answers."""
    arms = arm_names(view)
    number = {pair.id: f"C{i:02d}" for i, pair in enumerate(view.pairs, 1)}
    arm_of = {pair.id: arms.get(pair.arm, pair.arm) for pair in view.pairs}
    labels = {finding.key: finding.label for finding in view.protocol.findings}
    rows = [
        (
            number[one.pair_id],
            arm_of[one.pair_id],
            labels.get(one.finding, one.finding),
            ", ".join(f"{n} × {PLACES[place]}" for place, n in sorted(one.votes.items(), key=lambda v: -v[1])),
            PLACES.get(one.place, one.place),
            one.reason,
        )
        for one in adjudicated_decisions(workspace(), view.id)
    ]
    layout.table(["Case", "Arm", "Finding", "Readers", "Decided", "Reason"], rows)
