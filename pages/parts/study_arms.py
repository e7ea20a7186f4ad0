"""Arms beyond the run's own directions at one degree: other degrees, renderings, runs and target classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from cfcore.rendering import RENDERINGS
from cfcore.study.design.crossing import crossed
from cfcore.wording import counted, direction_name
from pages.parts.who import actor, workspace
from services.runs import RunView, list_runs
from services.studies import Arm, StudyRefused, StudyView, update_draft
from services.study_design.starting_degree import starting_degree


def is_simple(arm: Arm) -> bool:
    """Whether the arm is a direction of the study's run with nothing of its own."""
    return replace(arm, key="", name="") == Arm("", "")


def arm_names(view: StudyView) -> dict[str, str]:
    """Key -> name, as people read it, of every arm, control and training."""
    names = {arm.key: direction_name(arm.name) for arm in view.protocol.arms}
    return names | {control.kind: control.name for control in view.protocol.controls} | {"training": "Training"}


def further_arms(view: StudyView, run: RunView) -> tuple[Arm, ...]:
    """The arms with settings of their own that stay, and a folded form that crosses directions, degrees and renderings
    into new ones."""
    own = [arm for arm in view.protocol.arms if not is_simple(arm)]
    # A fold whose label changes is a new one to the browser, closed unless it is said otherwise.
    with st.expander(
        f"More arms: other degrees, renderings, runs{f' ({len(own)})' if own else ''}",
        expanded=st.session_state.get(_adding(view), False),
        icon=":material/grid_view:",
    ):
        kept = st.multiselect(
            "Further arms",
            [arm.key for arm in own],
            default=[arm.key for arm in own],
            format_func={arm.key: direction_name(arm.name) for arm in own}.__getitem__,
            key=f"further-{view.id}-{hash(tuple(own))}",
            placeholder="None yet",
        )
        st.caption("Every combination of what you choose below becomes an arm, e.g. 2 directions × 3 degrees = 6 arms.")
        _builder(view, run)
    return tuple(arm for arm in own if arm.key in kept)


def _adding(view: StudyView) -> str:
    """The key under which the session keeps that arms were added in the fold."""
    return f"adding-arms-{view.id}"


def _builder(view: StudyView, own: RunView) -> None:
    runs = {
        run.id: run
        for run in list_runs(workspace(), "explain")
        if run.state == "done" and run.dataset_id == own.dataset_id
    }
    run = runs[
        st.selectbox(
            "Run", list(runs), index=list(runs).index(own.id) if own.id in runs else 0, key=f"cross-run-{view.id}",
            format_func=lambda i: f"{runs[i].name} (run {i}{', this study’s' if i == own.id else ''})",
        )
    ]  # fmt: skip
    names = [direction.name for direction in run.directions if direction.kept]
    # A degree of another method is in another unit: per cent of the pixels, share of a way, length along a vector.
    usual = None if run.engine == own.engine else starting_degree(workspace(), run)
    chosen: Sequence[str] = ()
    if names:
        chosen = st.multiselect(
            "Directions", names, format_func=direction_name, key=f"cross-directions-{view.id}-{run.id}"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            "Degrees, parted by commas",
            placeholder=f"the study's ({view.protocol.degree:g})" if usual is None else f"the run's ({usual:g})",
            key=f"cross-degrees-{view.id}",
        )  # fmt: skip
        renderings = st.multiselect(
            "Renderings", RENDERINGS, placeholder=f"the study's ({view.protocol.rendering})",
            format_func=str.capitalize, key=f"cross-renderings-{view.id}",
        )  # fmt: skip
        target = st.text_input(
            "Target class", placeholder=f"the run's ({run.settings.get('target', '')})", key=f"cross-target-{view.id}"
        )
    if not st.button("Add these arms", icon=":material/add:", disabled=bool(names) and not chosen):
        return
    try:
        degrees: list[float | None] = [float(part) for part in re.split(r"[,;\s]+", typed.strip()) if part]
    except ValueError:
        st.error(f"“{typed}” are not degrees: write numbers parted by commas, such as 5, 10, 15.")
        return
    directions: list[tuple[str | None, str]] = [(name, name) for name in chosen] or [(None, run.engine or run.name)]
    try:
        arms = crossed(
            directions,
            degrees or [usual],
            renderings or [None],
            run=None if run.id == own.id else run.id,
            target=target.strip() or None,
        )
        present = {arm.key for arm in view.protocol.arms}
        added = tuple(arm for arm in arms if arm.key not in present)
        update_draft(workspace(), view.id, actor=actor(), arms=(*view.protocol.arms, *added))
    except (StudyRefused, ValueError) as error:
        st.error(str(error))
        return
    st.session_state[_adding(view)] = True
    st.toast(f"{counted(len(added), 'arm')} added.", icon=":material/check:")
    st.rerun()
