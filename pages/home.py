"""Home: what this is, how far the workspace is, and what to do next."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted, direction_name, noun_for, spaced
from pages.parts import layout
from pages.parts.who import ago, day, workspace
from services.overview import Overview, next_steps, overview
from services.runs import RunView, list_runs
from services.studies import StudySummary

STATES = {"draft": "draft", "locked": "open for reading", "closed": "closed"}
RUN_CHIPS = {"queued": "draft", "running": "running", "done": "done", "failed": "failed", "cancelled": "draft"}


def home() -> None:
    state = overview(workspace())
    layout.heading(
        "Which findings appear when the classifier changes its mind?",
        "cfreader moves radiographs along the directions that flip a classifier, shows original and counterfactual "
        "to readers who do not know which is which, and reports what they see and how far they agree.",
    )
    if state.demo:
        st.info(
            "This is the demo workspace: phantom radiographs, shipped models, and a finished study whose readers are "
            "simulated. Everything works on it; nothing in it is a clinical result.",
            icon=":material/science:",
        )
    st.space("small")
    path(state)
    st.space("small")
    st.subheader("Next", anchor=False)
    for column, step in zip(st.columns(3), next_steps(state), strict=False):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{step.title}**")
            st.write(step.text)
            query = {"study": str(step.study_id)} if step.study_id else None
            st.page_link(
                f"pages/{step.page}.py", label=f"Go to {step.page.capitalize()}", icon=":material/arrow_forward:",
                icon_position="right", query_params=query,
            )  # fmt: skip
    st.space("small")
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Studies", anchor=False)
        recent_studies(state.studies)
    with right:
        st.subheader("Runs", anchor=False)
        recent_runs(list_runs(workspace())[:5])


def path(state: Overview) -> None:
    """The way of the work, with what the workspace has at each station."""
    reading = [study for study in state.studies if study.state == "locked"]
    closed = [study for study in state.studies if study.state == "closed"]
    models = state.classifiers + state.generators
    readings = sum(study.done for study in state.studies)
    layout.figures(
        [
            (spaced(state.images), f"{noun_for(state.images, 'image')} in {counted(state.datasets, 'data set')}"),
            (str(models), noun_for(models, "model")),
            (
                str(state.runs_done),
                noun_for(state.runs_done, "finished run")
                + (f", {state.runs_active} active" if state.runs_active else ""),
            ),
            (
                str(len(state.studies)),
                f"{noun_for(len(state.studies), 'study', 'studies')}, {len(reading)} being read, {len(closed)} closed",
            ),
            (str(readings), noun_for(readings, "reading")),
            (str(state.entries), noun_for(state.entries, "notebook entry", "notebook entries")),
        ]
    )


def recent_studies(studies: tuple[StudySummary, ...]) -> None:
    if not studies:
        layout.empty("No study yet", "A study begins with a finished run.")
        return
    for study in studies[:4]:
        with st.container(horizontal=True, vertical_alignment="center"):
            facts = [
                direction_name(", ".join(study.arms)),
                f"{study.done} of {counted(study.total, 'reading')}" if study.total else "",
                "simulated readers" if study.simulated else "",
            ]
            layout.line(study.title, facts, chip=layout.chip_of(STATES[study.state], study.state))
            page = "results" if study.done else "studies"
            st.page_link(f"pages/{page}.py", label=page.capitalize(), query_params={"study": str(study.id)})


def recent_runs(runs: list[RunView]) -> None:
    if not runs:
        layout.empty("No run yet", "Runs train models and find directions; they go on when you leave the page.")
        return
    rows = []
    for run in runs:
        when = day(run.finished_at) if run.finished_at else ago(run.created_at)
        chip = layout.Safe(layout.chip_of(run.state, RUN_CHIPS.get(run.state, "draft")))
        best = layout.Safe(", ".join(layout.unbroken(direction_name(d.name)) for d in run.directions[:3]) or "–")
        rows.append((run.name, chip, best, layout.unbroken(when)))
    layout.table(["Run", "State", "Best directions", "When"], rows)


home()
