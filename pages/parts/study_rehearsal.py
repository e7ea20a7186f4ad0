"""Rehearsal: simulated readers read a copy of the study, and what was put into them is held against what comes out."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import streamlit as st

from cfcore.reports.numbers import decimal
from cfcore.study.decode import ANSWERS
from cfcore.study.simulated import SimulatedReader
from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.run_state import ACTIVE, ENDED_EARLY, controls
from pages.parts.study_arms import arm_names
from pages.parts.who import actor, ago, workspace
from services.rehearsal_job import latest_rehearsal, start_rehearsal
from services.rehearsal_readers import Assumed, RehearsalView, recovered, rehearsals, remove_rehearsal
from services.runs import RunView, run_view
from services.study_views import StudyRefused, StudyView

POLL_SECONDS = 1.0
START = pd.DataFrame(
    {
        "sensitivity": [0.9, 0.85, 0.8],
        "specificity": [0.95, 0.95, 0.9],
        "agreement": [0.5, 0.5, 0.5],
        "choice": [0.6, 0.6, 0.5],
        "side_bias": [0.0, 0.0, 0.1],
        "favourite": ["neither"] * 3,
        "answer_bias": [0.0, 0.0, 0.0],
        "cannot": [0.0, 0.02, 0.02],
        "fatigue": [0.0, 0.0, 0.2],
        "stops_after": pd.array([None, None, None], dtype="Int64"),
    }
)


def _share(label: str, help_text: str, low: float = 0.0) -> Any:
    return st.column_config.NumberColumn(label, help=help_text, min_value=low, max_value=1.0, step=0.01, required=True)


COLUMNS = {
    "sensitivity": _share("Sensitivity", "Chance to see a finding that is there"),
    "specificity": _share("Specificity", "Chance not to see one that is not"),
    "agreement": _share("Shared view", "Chance that a judgement rests on what all readers see alike"),
    "choice": _share("Right choice", "Chance to take the right one of two, where a question has one"),
    "side_bias": _share("Side bias", "Chance to name the favourite side; above 0 that is A, below 0 B", -1.0),
    "favourite": st.column_config.SelectboxColumn("Favourite", options=list(ANSWERS), required=True),
    "answer_bias": _share("Answer bias", "Chance to give the favourite answer whatever is seen"),
    "cannot": _share("Cannot assess", "Chance of “cannot assess”"),
    "fatigue": _share("Fatigue", "Share of the skill lost from the first to the last case"),
    "stops_after": st.column_config.NumberColumn("Stops after", help="Cases, then no more; empty: never", min_value=0),
}


def rehearsal_section(view: StudyView) -> None:
    """Set readers and truth, let them read, see what is recovered."""
    if not view.pairs:
        layout.empty("Nothing to rehearse yet", "Make the pairs first: simulated readers read what people will read.")
        return
    st.markdown(
        "Simulated readers read a **copy** of this study, with its schedule, through the code that people read with. "
        "Nothing of it enters the study, and it can be removed as a whole."
    )
    with st.form(f"rehearse-{view.id}", border=True):
        table = st.data_editor(
            START,
            column_config=COLUMNS,
            num_rows="dynamic",
            hide_index=True,
            placeholder="never",
            key=f"simulated-{view.id}",
        )
        arms = [arm.key for arm in view.protocol.arms]
        with st.container(horizontal=True):
            prevalence = st.number_input("A finding is in an original with chance", 0.0, 1.0, 0.2, 0.05)
            seed = int(st.number_input("Seed", 0, 2**31 - 1, 0, 1))
        st.caption("A finding that is not in the original appears in the counterfactual with chance:")
        with st.container(horizontal=True):
            appears = {
                arm.key: st.number_input(
                    direction_name(arm.name), 0.0, 1.0, 0.4 if i == 0 else 0.1, 0.05, key=f"appears-{view.id}-{arm.key}"
                )
                for i, arm in enumerate(view.protocol.arms)
            }
        known = st.checkbox("Take the reference answers, where there are any, for what is in the originals")
        asked = st.form_submit_button("Rehearse", type="primary", icon=":material/play_arrow:")
    if asked:
        start(view, table, Assumed(prevalence, {arm: appears[arm] for arm in arms}, known), seed)
    under_way(latest_rehearsal(workspace(), view.id))
    for one in rehearsals(workspace(), view.id):
        shown(view, one)


def readers_of(table: pd.DataFrame) -> list[SimulatedReader]:
    """Rows of the editor as readers; empty cells keep the default. Raises ValueError naming the wrong value."""
    readers = []
    for number, row in enumerate(table.to_dict("records"), 1):
        given = {str(name): value for name, value in row.items() if not pd.isna(value)}
        if (stops := given.get("stops_after")) is not None:
            given["stops_after"] = int(stops)
        readers.append(SimulatedReader(f"R{number}", **given))
    return readers


def start(view: StudyView, table: pd.DataFrame, assumed: Assumed, seed: int) -> None:
    try:
        start_rehearsal(workspace(), view.id, readers_of(table), assumed, seed=seed, actor=actor())
    except (StudyRefused, ValueError) as error:
        st.error(str(error))


def under_way(run: RunView | None) -> None:
    """How far the newest rehearsal is, with Cancel; why it ended, where it did not come to its end."""
    if run is not None and run.state in ACTIVE:
        st.fragment(following, run_every=POLL_SECONDS)(run.id)
    elif run is not None and run.state in ENDED_EARLY:
        st.warning(run.message or "The rehearsal ended early.")


def following(run_id: int) -> None:
    """The progress of a run; the whole page once when it has ended, to show what came out."""
    run = run_view(workspace(), run_id)
    if run.state not in ACTIVE:
        st.rerun(scope="app")
    st.progress(run.progress, run.message.capitalize() or "Waits for its turn.")
    st.caption("In the background: you may leave this page.")
    controls(run, "rehearsal")


def shown(view: StudyView, one: RehearsalView) -> None:
    """One rehearsal: put in and found, and its end."""
    title = f"Rehearsal with {counted(len(one.readers), 'reader')}, seed {one.seed}, {ago(one.created_at)}"
    with st.expander(title, expanded=True):
        table = recovered(workspace(), one.study_id)
        judged = table[table["inside"].notna()]
        inside = int(judged["inside"].astype(bool).sum())
        st.markdown(
            f"**{inside} of {len(judged)}** claims lie in the 95 % interval of what was found; about one of twenty "
            "falls outside by chance."
        )
        recovery(view, table)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link("pages/results.py", label="Its results", query_params={"study": str(one.study_id)})
            if st.button("Remove this rehearsal", key=f"remove-{one.study_id}", icon=":material/delete:"):
                remove_rehearsal(workspace(), one.study_id, actor())
                st.rerun()
        with st.popover("How these readers were set"):
            st.json([dataclasses.asdict(reader) for reader in one.readers], expanded=False)


def recovery(view: StudyView, table: pd.DataFrame) -> None:
    """Put in and found, one row a claim."""
    arms, labels = arm_names(view), {finding.key: finding.label for finding in view.protocol.findings}
    rows = []
    for row in table.to_dict("records"):
        arm, finding = row["arm"], row["finding"]
        about = row["reader"] or f"{arms.get(arm, arm)}, {labels.get(finding, finding)}"
        known = pd.notna(row["low"]) and pd.notna(row["inside"])
        span = f"{decimal(row['low'])} to {decimal(row['high'])}" if known else row["note"]
        mark = "–" if not known else "inside" if row["inside"] else "outside"
        rows.append((row["what"], about, str(row["n"]), _number(row["put_in"]), _number(row["found"]), span, mark))
    layout.table(["Claim", "Of", "n", "Put in", "Found", "95 %", ""], rows, [2, 3, 4])


def _number(value: Any) -> str:
    return "–" if value is None or pd.isna(value) else decimal(float(value))
