"""Folded options of a design: control arms, training, and the gate between engine and reader."""

from __future__ import annotations

import streamlit as st

from cfcore.study.design.choices import CONTROL_NAMES, Control, ControlKind, Flips, Gate, Training
from services.studies import StudyView

MEANING: dict[ControlKind, str] = {
    "identical": "The same image twice: any finding on one side only is a false alarm.",
    "reconstruction": "What the method changes without being asked to.",
    "filter": "Blur or contrast, as strong as the median counterfactual: is any change seen as disease?",
    "patients": "The images of two people: how large do readers find an honest difference?",
}
FLIPS: dict[Flips, str] = {
    "any": "Whether the class flips or not (as the paper did)",
    "yes": "Only pairs that flip",
    "no": "Only pairs that do not flip",
}


def controls_form(view: StudyView) -> tuple[tuple[Control, ...], Training | None]:
    """Control arms and training cases, folded; what the fields say now."""
    given = {control.kind: control.n for control in view.protocol.controls}
    training = view.protocol.training
    said = [f"{n} {CONTROL_NAMES[kind].lower()}" for kind, n in given.items()]
    said += [f"{training.n} training"] if training else []
    with st.expander(f"Controls and training{': ' + ', '.join(said) if said else ''}", icon=":material/balance:"):
        st.caption("Pairs of each control arm; 0 leaves it out. Readers cannot tell them from other cases.")
        found = []
        for kind, name in CONTROL_NAMES.items():
            n = st.number_input(
                name, 0, 100, given.get(kind, 0), key=f"control-{view.id}-{kind}", help=MEANING[kind], width=280
            )
            found += [Control(kind, int(n))] if n else []
        st.caption("Training comes before the first counted case: readers answer, then see what was right.")
        with st.container(horizontal=True):
            n = st.number_input("Training cases", 0, 50, training.n if training else 0, key=f"training-{view.id}")
            mark = st.number_input(
                "Pass mark, %", 0, 100, round(100 * training.pass_mark) if training else 80, 5, key=f"mark-{view.id}",
                help="Share of right answers that opens the study. You state the right answers under Preview.",
            )  # fmt: skip
    return tuple(found), Training(int(n), mark / 100) if n else None


def gate_form(view: StudyView) -> Gate:
    """The gate, folded; what the fields say now."""
    gate = view.protocol.gate
    said = [*(["same class"] if gate.same_class else []), *([f"SSIM ≥ {gate.ssim_floor:g}"] if gate.ssim_floor else [])]
    said += {"yes": ["flipped"], "no": ["not flipped"]}.get(gate.flipped, [])
    with st.expander(
        f"Which pictures readers get to see: {', '.join(said) or 'all of them'}", icon=":material/filter_alt:"
    ):
        st.caption("Pictures that do not pass are replaced by the next patient's, counted, and shown in the report.")
        same = st.checkbox(
            "The classifier calls reconstruction and original alike", gate.same_class, key=f"same-{view.id}"
        )
        floor = st.slider(
            "Least structural similarity of reconstruction and original (0: none)", 0.0, 0.95, gate.ssim_floor, 0.05,
            key=f"ssim-{view.id}",
        )  # fmt: skip
        flipped = st.radio(
            "Flips", list(FLIPS), index=list(FLIPS).index(gate.flipped), format_func=FLIPS.__getitem__,
            key=f"flipped-{view.id}",
        )  # fmt: skip
    return Gate(same, float(floor), flipped)
