"""Right answers of a training pair, stated by the researcher on the preview."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted
from pages.parts.who import actor, workspace
from services.studies import PairView, StudyRefused, StudyView
from services.study_design.phantom_training import has_phantoms, take_phantom_answers
from services.study_design.training import FROM, PHANTOM, STATES, set_truth

NOT_ASKED = "not scored"
WORDS = {
    NOT_ASKED: "Not scored",
    "neither": "In neither image",
    "original": "In the original only",
    "counterfactual": "In the counterfactual only",
    "both": "In both images",
}


def training_answers(view: StudyView, pair: PairView) -> None:
    """One choice a finding for a training pair; a plain line for a locked study."""
    st.markdown("**Training case: the right answers**")
    truth = {key: tuple(value) for key, value in (pair.truth or {}).items()}
    states = {key: next(name for name, value in STATES.items() if value == seen) for key, seen in truth.items()}
    known = pair.meta.get(FROM) == PHANTOM
    if view.state != "draft":
        st.caption("; ".join(f"{f.label}: {WORDS[states.get(f.key, NOT_ASKED)]}" for f in view.protocol.findings))
        return
    source = " They are taken from the phantom: readers are told what is truly in the images." if known else ""
    st.caption(f"Readers see them after they have answered. Score at least one finding.{source}")
    chosen = {
        finding.key: st.selectbox(
            finding.label, list(WORDS), index=list(WORDS).index(states.get(finding.key, NOT_ASKED)),
            format_func=WORDS.__getitem__, key=f"truth-{pair.id}-{finding.key}", width=360,
        )
        for finding in view.protocol.findings
    }  # fmt: skip
    row = st.container(horizontal=True)
    if has_phantoms(workspace(), view.id) and row.button(
        "Take the phantom’s truth", help="Of every practice case. Answers given here before are replaced.",
        key=f"phantom-{pair.id}",
    ):  # fmt: skip
        n = take_phantom_answers(workspace(), view.id, actor=actor())
        for finding in view.protocol.findings:
            st.session_state.pop(f"truth-{pair.id}-{finding.key}", None)
        st.toast(f"Right answers of {counted(n, 'practice case')} taken.", icon=":material/check:")
        st.rerun()
    if row.button("Save the right answers", type="primary", key=f"truth-{pair.id}"):
        try:
            told = {key: state for key, state in chosen.items() if state != NOT_ASKED}
            set_truth(workspace(), pair.id, told, actor=actor())
        except StudyRefused as error:
            st.error(str(error))
            return
        st.toast("Right answers saved.", icon=":material/check:")
        st.rerun()
