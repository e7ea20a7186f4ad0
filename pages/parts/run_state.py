"""The state of a run in a chip and its buttons, on the list and on the run's own page."""

from __future__ import annotations

import streamlit as st

from cfcore.engines import catalogue
from pages.parts import layout
from pages.parts.who import actor, workspace
from services import run_kinds
from services.changed_settings import changed_settings
from services.runs import RunRefused, RunView, cancel_run, resume_run

ACTIVE = ("queued", "running")
ENDED_EARLY = ("failed", "cancelled")
_CHIPS = {"queued": "draft", "running": "running", "done": "done", "failed": "failed", "cancelled": "note"}
_WORDS = {"queued": "waiting"}


def run_title(run: RunView) -> str:
    """What the run does: its method, where it has one, with what was chosen of it."""
    if run.engine is None:
        return run_kinds.title_of(run.kind)
    chosen = changed_settings(run.engine, run.settings.get("config", {}), choices_only=True)
    return ", ".join([catalogue.title_of(run.engine), *chosen])


def state_line(run: RunView) -> str:
    """The chip of a run's state as HTML; "stopping" between a cancel and its effect."""
    return layout.chip_of(_WORDS.get(run.state, run.state), _CHIPS.get(run.state, "draft"))


def controls(run: RunView, place: str) -> None:
    """Cancel for a run that waits or works, Resume for one that ended early."""
    if run.state in ACTIVE and st.button("Cancel", key=f"cancel-{place}-{run.id}", icon=":material/stop_circle:"):
        cancel_run(workspace(), run.id, actor())
        st.toast(f"Stopping “{run.name}”.")
        st.rerun(scope="app")
    if run.state in ENDED_EARLY and st.button(
        "Resume",
        key=f"resume-{place}-{run.id}",
        icon=":material/play_arrow:",
        help="Goes on from what is stored; nothing that is done is done again",
    ):
        try:
            resume_run(workspace(), run.id, actor())
        except RunRefused as error:
            st.toast(str(error))
        st.rerun(scope="app")
