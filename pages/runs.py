"""Runs: start long work, follow it, stop it, take it up again, look at what it made."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.run_detail import run_page
from pages.parts.run_form import new_run
from pages.parts.run_state import ACTIVE, controls, run_title, state_line
from pages.parts.who import ago, workspace
from services.runs import RunRefused, RunView, list_runs, run_view

POLL_SECONDS = 2.0


def runs_page() -> None:
    asked = st.query_params.get("run", "")
    if asked:
        try:
            view = run_view(workspace(), int(asked) if asked.isdigit() else 0)
        except RunRefused:
            layout.heading("Runs")
            st.warning("This run does not exist. Choose one from the list.")
        else:
            run_page(view)
            return
    list_page()


def list_page() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layout.heading("Runs", "Training and searching happen beside the app: they go on when you leave this page.")
        if st.button("New run", type="primary", icon=":material/add:"):
            new_run()
    runs = list_runs(workspace())
    if not runs:
        layout.empty(
            "No run yet",
            "Press “New run”: train a classifier, train a generator against it, then find the directions that change "
            "its mind.",
        )
        return
    active = any(run.state in ACTIVE for run in runs)
    st.fragment(rows, run_every=POLL_SECONDS if active else None)(active)


def rows(was_active: bool) -> None:
    """Every run on a line; read again while one is active, and the whole page once when the last one has ended."""
    runs = list_runs(workspace())
    for run in runs:
        row(run)
    if was_active and not any(run.state in ACTIVE for run in runs):
        st.rerun()


def row(run: RunView) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"run-{run.id}"):
        facts = [
            run_title(run),
            run.dataset or "",
            run.classifier or "",
            outcome(run),
            ago(run.finished_at or run.created_at),
        ]
        with st.container():
            layout.line(run.name, facts, chip=state_line(run), aside=f"run {run.id}")
            if run.state == "running":
                st.progress(run.progress, run.message or None)
            elif run.state == "failed":
                layout.html(f'<div class="muted">{layout.escape(run.message)}</div>')
        controls(run, "row")
        layout.open_button("run", run.id)


def outcome(run: RunView) -> str:
    """The one figure that tells how a run went."""
    result = run.result
    if run.state != "done":
        return ""
    if run.kind == "explain" and "explained" in result:
        return f"{layout.percent(result['explained'])} of {counted(result['n'], 'image')} flipped"
    if "auc" in result:
        return f"test AUC {result['auc']:.3f}"
    if "macro_auc" in result:
        return f"test accuracy {layout.percent(result['accuracy'], 1)}"
    if "l1" in result:
        return f"reconstruction L1 {result['l1']:.3f}"
    return ""


runs_page()
