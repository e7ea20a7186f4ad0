"""Results of a study that is still being read: how far it is, and what a look would cost."""

from __future__ import annotations

import streamlit as st

from cfcore.reports.charts import p_value
from cfcore.reports.numbers import percent
from cfcore.study.spending import obrien_fleming
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.who import actor, day, workspace
from services.report.looks import LookState, look_state, take_look
from services.studies import StudyRefused
from services.study_views import StudyView, study_view

SPENDING_HELP = (
    "Whoever tests more than once finds chance results more often. The O’Brien-Fleming rule spends little of the error "
    "rate early: a p value at a look counts only if it is below the number in the last column."
)


def sealed(study_id: int) -> None:
    """Progress, the planned looks, and the two ways to look; no result of any arm."""
    study = study_view(workspace(), study_id)
    state = look_state(workspace(), study_id)
    layout.heading(study.title, "Results stay sealed while readers read.", chip=layout.chip_of("sealed", "note"))
    people = sum(not reader.simulated for reader in study.readers)
    layout.figures(
        [
            (f"{state.readings} of {state.total}", "first readings saved"),
            (percent(state.share), "of the plan"),
            (str(people), "readers who are people"),
            (f"{len(state.taken)}", "looks taken"),
        ]
    )
    layout.empty(
        "Sealed until the study is closed",
        "Whoever sees results while a study runs can change how it ends. Close the study under Studies when the last "
        "reading is in.",
    )
    planned(study, state)
    other(study, state)


def planned(study: StudyView, state: LookState) -> None:
    """The looks of the protocol with what each may spend; the one that is due can be taken."""
    if not state.plan:
        return
    st.subheader("Planned looks", anchor=False, help=SPENDING_HELP)
    plan = study.protocol.analysis
    table = obrien_fleming((*state.plan, 1.0), alpha=plan.alpha if plan else 0.05)
    taken = {look.planned: look for look in state.taken if look.planned}
    rows = []
    for row in table.to_dict("records"):
        number = int(row["look"])
        done = taken.get(number)
        when = f"taken {day(done.at)}" if done else "due now" if number == state.due else "not yet"
        last = number == len(table)
        rows.append(
            (
                "at the end" if last else str(number),
                percent(row["information"]),
                "" if last else when,
                p_value(row["p"]),
            )
        )
    layout.table(["Look", "Share of readings", "State", "p must be below"], rows, numbers=(1, 3))
    if state.due and st.button(f"Take planned look {state.due}", type="primary", icon=":material/visibility:"):
        open_now(study.id, "")


def other(study: StudyView, state: LookState) -> None:
    """A look that nobody planned: possible, but it has a price."""
    with st.expander("Look without a plan", icon=":material/warning:"):
        st.write(
            "The look is logged with your reason and stands in the report for good. Every p value of this study is "
            "called "
            "**exploratory** from then on."
        )
        reason = st.text_area("Why you look", key=f"look-reason-{study.id}", max_chars=400)
        sure = st.checkbox("I know that p values become exploratory", key=f"look-sure-{study.id}")
        if st.button("Look all the same", disabled=not sure or not state.readings, key=f"look-{study.id}"):
            open_now(study.id, reason)


def open_now(study_id: int, reason: str) -> None:
    """Take the look and show the page anew."""
    try:
        take_look(workspace(), study_id, actor=actor(), reason=reason)
    except StudyRefused as error:
        st.error(str(error))
        return
    st.rerun()


def look_note(study_id: int, state: LookState) -> None:
    """Above the results of an open study: when they were looked at, and what that means."""
    last = state.taken[-1]
    kind = f"Planned look {last.planned}" if last.planned else "Look without a plan"
    st.info(
        f"{kind} of {day(last.at)} at {percent(last.share)} of the readings ({counted(last.readings, 'reading')}). "
        "What was "
        "read since is not counted here.",
        icon=":material/visibility:",
    )
    if state.due and st.button(f"Take planned look {state.due}", icon=":material/visibility:"):
        open_now(study_id, "")
