"""A reader cannot see what the classifier does not see: say so, and find a degree, while it can still be changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cfcore.wording import direction_name
from pages.parts import layout
from pages.parts.study_arms import is_simple
from pages.parts.who import workspace
from services.degrees import Flips, flips_by_degree, suggested
from services.studies import StudyRefused, StudyView


def degree_key(view: StudyView) -> str:
    """The key of the field that holds the degree."""
    return f"degree-{view.id}"


def warn_of_few_flips(view: StudyView) -> float | None:
    """A warning where fewer than half of an arm's pairs flip, and on demand what higher degrees would do to these
    very images; the degree that the designer takes, else None."""
    # Arms with a degree or run of their own are chosen for it: the study's degree does not move them.
    names = {arm.key: direction_name(arm.name) for arm in view.protocol.arms if is_simple(arm)}
    weak = {key: own for key in names if (own := [p.flipped for p in view.pairs if p.arm == key]) and weak_arm(own)}
    if not weak:
        return None
    arms = ", ".join(f"{names[key]} ({sum(own)} of {len(own)})" for key, own in weak.items())
    st.warning(
        f"Fewer than half of the pairs flip the classifier under {arms} at degree {view.protocol.degree:g}. Readers "
        "may see little in pairs that the classifier hardly tells apart."
    )
    kept = f"tried-degrees-{view.id}"
    now = (view.protocol.degree, view.protocol.rendering, tuple(pair.id for pair in view.pairs))
    if st.button("Try higher degrees on these images", icon=":material/trending_up:"):
        bar = st.progress(0.0, "Loading the models")
        try:
            tried = flips_by_degree(workspace(), view, list(weak), lambda share, text: _show(bar, share, text))
        except (StudyRefused, FileNotFoundError) as error:
            st.error(str(error))
            return None
        finally:
            bar.empty()
        st.session_state[kept] = (now, tried)
    # Pairs that were made anew have other ids, so that an old answer is never shown for them.
    of, tried = st.session_state.get(kept, (None, []))
    return _offer(view, names, tried) if of == now else None


def weak_arm(flips: Sequence[bool]) -> bool:
    """Whether fewer than half of the pairs flip."""
    return 2 * sum(flips) < len(flips)


def _show(bar: st.delta_generator.DeltaGenerator, share: float, text: str) -> None:
    bar.progress(min(1.0, share), text.capitalize())


def _offer(view: StudyView, names: Mapping[str, str], tried: Sequence[Flips]) -> float | None:
    best = suggested(tried)
    if best is None:
        st.caption("This is the highest degree that the method is made for: choose other eigenvectors instead.")
        return None
    arms = list(best.flipped)
    layout.table(
        ["Degree", *(f"{names[arm]} flips" for arm in arms)],
        [(f"{f.degree:g}", *(f"{f.flipped[arm]} of {f.pairs[arm]}" for arm in arms)) for f in tried],
        numbers=range(len(arms) + 1),
    )
    if best.share <= _share_now(view, arms):
        st.caption("No higher degree flips more of these images: choose other eigenvectors instead.")
        return None
    short = "" if best.enough else ", fewer than half under some eigenvector: others may serve better"
    st.caption(
        f"At degree {best.degree:g}, {layout.percent(best.share)} of these images would flip{short}. The larger the "
        "degree, the less natural a picture may look: see the pairs again under Preview."
    )

    def take() -> None:
        st.session_state[degree_key(view)] = best.degree

    label = f"Take degree {best.degree:g} and make the pairs again"
    return best.degree if st.button(label, type="primary", on_click=take) else None


def _share_now(view: StudyView, arms: Sequence[str]) -> float:
    flips = [pair.flipped for pair in view.pairs if pair.arm in arms]
    return sum(flips) / len(flips)
