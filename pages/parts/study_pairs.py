"""Steps 2 and 3: which images and arms, and a look at the pairs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cfcore.rendering import EXPLAINED, RENDERINGS, keeps_source
from cfcore.study.protocol import Protocol
from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.study_arms import further_arms, is_simple
from pages.parts.study_degree import degree_key, warn_of_few_flips
from pages.parts.study_options import controls_form, gate_form
from pages.parts.study_schedule import schedule_section
from pages.parts.study_training import training_answers
from pages.parts.study_versions import flow_section
from pages.parts.who import actor, workspace
from services.pairs import SPLITS, make_pairs, pair_pictures
from services.runs import RunRefused, RunView, run_view
from services.studies import PairView, StudyRefused, StudyView, arm_of, preview, update_draft

ALLOCATIONS = {
    "own patients": "Own patients for every arm (default)",
    "same patients": "The same patients under every arm (as the paper did)",
    "rotated patients": "Groups of patients rotated over the arms, from one group of readers to the next",
}


# What stands in the counterfactual's place in a control.
SECOND = {
    "identical": "The same image",
    "reconstruction": "Reconstruction",
    "filter": "Filtered",
    "patients": "Another patient",
}


def pairs_step(view: StudyView) -> None:
    """Arms, rule and seed in a draft, then the pairs of every arm with how many flipped."""
    if view.state == "draft":
        try:
            run = run_view(workspace(), view.run_id or 0)
        except RunRefused as error:
            st.warning(f"{str(error).capitalize()}. Copy the study from one whose run still exists.")
            return
        design(view, run)
    if view.pairs:
        st.subheader(counted(len(view.pairs), "pair"), anchor=False)
        arm_table(view)
        if view.selection:
            rule = view.selection
            st.caption(
                f"Split {rule.get('split')}, predicted {rule.get('predicted')}, one image a patient, "
                f"seed {rule.get('seed')}. Moved towards {rule.get('target')} by degree {view.protocol.degree:g} "
                f"whether the class flips or not ({view.protocol.rendering}, beside the {view.protocol.reference}); "
                "pairs that did not flip are kept and marked. p: the probability of the target class."
            )
        if view.state == "draft" and (degree := warn_of_few_flips(view)):
            compute(view, {"degree": degree}, (view.selection or {}).get("split", "test"))
        flow_section(view)
        schedule_section(view)
    elif view.state == "draft":
        layout.empty("No pairs yet", "Choose arms and images above and press “Make pairs”. 30 pairs take seconds.")


def design(view: StudyView, run: RunView) -> None:
    protocol = view.protocol
    simple = [arm.name for arm in protocol.arms if is_simple(arm)]
    names = [direction.name for direction in run.directions] or simple or [run.engine or run.name]
    left, right = st.columns(2, gap="large")
    with left:
        arms = st.multiselect(
            "Arms (directions, best first)",
            names,
            default=[arm.name for arm in protocol.arms if is_simple(arm) and arm.name in names],
            format_func=direction_name,
            key=f"arms-{view.id}",
        )
        degree = st.number_input(
            "Degree, the same for every image", 0.1, 100.0, protocol.degree, 0.5, key=degree_key(view)
        )
        rendering = st.radio(
            "Rendering",
            RENDERINGS,
            index=RENDERINGS.index(protocol.rendering),
            captions=[EXPLAINED[name] for name in RENDERINGS],
            format_func=str.capitalize,
            key=f"rendering-{view.id}",
        )
        references = ["original"] if keeps_source(rendering) else ["reconstruction", "original"]
        reference = st.radio(
            "What stands for the original",
            references,
            index=references.index(protocol.reference) if protocol.reference in references else 0,
            key=f"reference-{view.id}-{rendering}",
            horizontal=True,
        )
    with right:
        n = st.number_input("Pairs per arm", 1, 200, protocol.n_per_arm, key=f"n-{view.id}")
        allocation = st.radio(
            "Patients",
            list(ALLOCATIONS),
            index=list(ALLOCATIONS).index(protocol.allocation),
            format_func=ALLOCATIONS.__getitem__,
            key=f"allocation-{view.id}",
        )
        rule = view.selection or {}
        with st.container(horizontal=True):
            split = st.selectbox("Split", SPLITS, index=SPLITS.index(rule.get("split", "test")), key=f"split-{view.id}")
            seed = st.number_input("Seed", 0, 2**31 - 1, protocol.seed, key=f"seed-{view.id}")
        n_arms = len(arms) + sum(not is_simple(arm) for arm in protocol.arms)
        patients = n * (1 if allocation == "same patients" else n_arms)
        pairs = n * n_arms * (n_arms if allocation == "rotated patients" else 1)
        st.caption(
            f"{counted(pairs, 'pair')} of {counted(patients, 'patient')} that the classifier does not call "
            f"{run.settings.get('target', 'the target')}, drawn by the seed."
        )
    further = further_arms(view, run)
    controls, training = controls_form(view)
    gate = gate_form(view)
    label = "Make pairs again" if view.pairs else "Make pairs"
    if st.button(label, type="primary", disabled=not (arms or further)):
        changes = {
            "arms": (*(arm_of(name) for name in arms), *further),
            "degree": float(degree),
            "rendering": rendering,
            "reference": reference,
            "n_per_arm": int(n),
            "allocation": allocation,
            "seed": int(seed),
            "controls": controls,
            "training": training,
            "gate": gate,
        }
        compute(view, changes, split)


def compute(view: StudyView, changes: dict[str, object], split: str) -> None:
    bar = st.progress(0.0, "Starting")

    def show(share: float, message: str) -> None:
        bar.progress(min(1.0, share), message.capitalize())

    try:
        update_draft(workspace(), view.id, actor=actor(), **changes)
        n = make_pairs(workspace(), view.id, actor=actor(), split=split, progress=show)
    except (StudyRefused, FileNotFoundError) as error:
        bar.empty()
        st.error(str(error))
        return
    st.toast(f"{counted(n, 'pair')} made.", icon=":material/check:")
    st.rerun()


def arm_table(view: StudyView) -> None:
    rows = []
    arms = [(arm.key, direction_name(arm.name)) for arm in view.protocol.arms]
    arms += [(control.kind, control.name) for control in view.protocol.controls]
    arms += [("training", "Training")] if view.protocol.training else []
    for key, name in arms:
        own = [pair for pair in view.pairs if pair.arm == key]
        rows.append(
            (
                name,
                str(len(own)),
                f"{sum(pair.flipped for pair in own)} of {len(own)}",
                _mean([pair.p_source for pair in own]),
                _mean([pair.p_reconstruction for pair in own]),
                _mean([pair.p_counterfactual for pair in own]),
            )
        )
    columns = ["Arm", "Pairs", "Flipped", "Mean p: original", "reconstruction", "counterfactual"]
    layout.table(columns, rows, numbers=range(1, 6))


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.2f}" if values else "–"


def preview_step(view: StudyView) -> None:
    """The pairs one by one, as the researcher checks them: which side is which is told here, never to readers."""
    try:
        pairs = preview(workspace(), view.id, actor=actor())
    except StudyRefused as error:
        layout.empty("Nothing to show yet", str(error))
        return
    names = {arm.key: direction_name(arm.name) for arm in view.protocol.arms}
    names |= {control.kind: f"Control: {control.name}" for control in view.protocol.controls} | {"training": "Training"}
    key = f"preview-{view.id}"
    at = min(st.session_state.get(key, 0), len(pairs) - 1)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Previous", icon=":material/chevron_left:", disabled=at == 0):
            st.session_state[key] = at - 1
            st.rerun()
        st.write(f"Pair {at + 1} of {len(pairs)}")
        if st.button("Next", icon=":material/chevron_right:", disabled=at == len(pairs) - 1):
            st.session_state[key] = at + 1
            st.rerun()
        st.link_button(
            "Rehearse in the reading room",
            f"/read?rehearse={view.id}",
            icon=":material/visibility:",
            help="What readers will see, in an order of its own. Nothing is saved.",
        )
    pair = pairs[at]
    name, reference = names.get(pair.arm, pair.arm), pair.meta.get("reference", view.protocol.reference)
    pair_panel(pair, name, target_of(view.protocol, pair), reference)
    if pair.kind == "training":
        training_answers(view, pair)
    st.caption("Pictures on this page are 8-bit previews; readers get the exact pixels, sides A and B drawn at random.")


def target_of(protocol: Protocol, pair: PairView) -> str:
    """The class whose probabilities a pair carries: that of its arm, else the study's."""
    own = next((arm.target for arm in protocol.arms if arm.key == pair.arm), None)
    return own or (pair.meta.get("selection") or {}).get("target") or "the target class"


def pair_panel(pair: PairView, arm: str, target: str, reference: str = "original") -> None:
    """Original, counterfactual and signed difference of a pair, with the three probabilities of `target`."""
    mark = layout.chip_of("flipped", "done") if pair.flipped else layout.chip_of("did not flip", "note")
    layout.html(
        f"<b>{layout.escape(arm)}</b> {mark} <span class=muted>probability of {layout.escape(target)}: original "
        f"{layout.percent(pair.p_source)}, reconstruction {layout.percent(pair.p_reconstruction)}, counterfactual "
        f"{layout.percent(pair.p_counterfactual)}</span>"
    )
    pictures = pair_pictures(workspace(), pair)
    captions = (
        reference.capitalize(),
        SECOND.get(pair.kind, "Counterfactual"),
        "Difference: red brighter, blue darker",
    )
    for column, picture, caption in zip(st.columns(3), pictures, captions, strict=True):
        column.image(picture, caption=caption, width="stretch", alt=caption)
