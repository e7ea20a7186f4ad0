"""The state of a run in a chip and its buttons, on the list and on the run's own page."""

from __future__ import annotations

import streamlit as st

from pages.parts import layout
from pages.parts.who import actor, workspace
from services.runs import RunRefused, RunView, cancel_run, resume_run

KINDS = {
    "explain": "Find directions and explain images",
    "train classifier": "Train a classifier",
    "train stylex": "Train a StylEx generator",
}
# Started where they are needed, not from the form.
TITLES = KINDS | {
    "measure": "Measure true factors on phantoms",
    "report": "Write the report of a study",
    "rehearse": "Rehearse a study with simulated readers",
}
ENGINE_TITLES = {"eigenfind": "StylEx with EigenFind", "attfind": "StylEx with AttFind"}
ACTIVE = ("queued", "running")
ENDED_EARLY = ("failed", "cancelled")
_CHIPS = {"queued": "draft", "running": "running", "done": "done", "failed": "failed", "cancelled": "note"}
_WORDS = {"queued": "waiting"}


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
