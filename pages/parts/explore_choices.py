"""The two sides of Explore: which image, which direction, and what was kept before."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.parts import layout
from pages.parts.who import workspace
from services.explore import ImageChoice, OpenEngine, image_choices, thumbnail
from services.notebook import list_entries, note_text, picture
from services.runs import RunView

if TYPE_CHECKING:
    from cfcore.engines.base import NamedDirection

SPLITS = {"": "All splits", "test": "Test", "val": "Validation", "train": "Training"}
ANY = "Any class"
STEP = 12


@dataclass(frozen=True)
class Choice:
    """What Explore shows: image `image_id` of run `run_id`, moved along `direction` in `rendering`."""

    run_id: int
    image_id: int
    direction: str | None
    rendering: str

    @property
    def key(self) -> str:
        """Key of widgets that begin anew with another direction of another run."""
        return f"{self.run_id}-{self.direction}"


def choose_image(run: RunView, opened: OpenEngine) -> int | None:
    """Thumbnails under two filters. Returns the chosen image, None where the filters leave none."""
    split = st.selectbox(
        "Split", list(SPLITS), format_func=SPLITS.__getitem__, key=f"split-{run.id}", label_visibility="collapsed"
    )
    predicted = st.selectbox(
        "Predicted class",
        [ANY, *opened.classifier.class_names],
        key=f"predicted-{run.id}",
        label_visibility="collapsed",
        help="What the classifier calls the image",
    )
    limit = st.session_state.setdefault(f"limit-{run.id}", STEP)
    found = image_choices(workspace(), run.id, split or None, None if predicted == ANY else predicted, limit)
    st.caption(f"{run.dataset}, {found.total} images")
    ids = [image.id for image in found.images]
    asked = st.query_params.get("image", "")
    chosen = int(asked) if asked.isdigit() else None
    filters = (run.id, split, predicted)
    filtered_anew = st.session_state.get("explore-filters", filters) != filters
    st.session_state["explore-filters"] = filters
    # An image that the address names is shown whether or not the list has it, until somebody filters the list.
    if chosen is None or (filtered_anew and chosen not in ids):
        chosen = ids[0] if ids else None
    pressed = thumbnails(found.images, chosen, opened)
    if pressed is not None and pressed != chosen:
        st.query_params["image"] = str(pressed)
        st.rerun()
    if len(ids) == limit and limit < found.total and st.button("More", type="tertiary", width="stretch"):
        st.session_state[f"limit-{run.id}"] = limit + STEP
        st.rerun()
    return chosen


def thumbnails(images: tuple[ImageChoice, ...], chosen: int | None, opened: OpenEngine) -> int | None:
    """A column of pictures that are buttons; the one pressed."""
    pressed = None
    rules = []
    with st.container(height=690, border=False, key="thumbnails"):
        for number, image in enumerate(images, start=1):
            data = base64.b64encode(thumbnail(workspace(), image.id)).decode()
            edge = "outline: 3px solid #0077b6; outline-offset: 1px;" if image.id == chosen else ""
            rules.append(
                f".st-key-thumb-{image.id} button {{ background-image: url(data:image/png;base64,{data}); {edge} }}"
            )
            words = [", ".join(image.labels), SPLITS[image.split].lower()]
            words.append(f"{opened.target_name} {layout.percent(image.p_source)}")
            if st.button(
                f"Image {number}", key=f"thumb-{image.id}", help=" · ".join(filter(None, words)), width="stretch"
            ):
                pressed = image.id
    st.html(f"<style>{''.join(rules)}</style>")
    return pressed


def choose_direction(opened: OpenEngine) -> str | None:
    """Ranked directions as bars that are buttons. None where the method names no directions."""
    ranked = opened.directions
    if not ranked:
        return None
    layout.html('<h2 class="side">Directions, by change of the logit</h2>')
    every = st.session_state.get("all-directions", False)
    shown = [entry for entry in ranked if entry.kept or every]
    asked = st.query_params.get("direction", "")
    names = [entry.name for entry in ranked]
    chosen = asked if asked in names else shown[0].name
    longest = max(abs(entry.mean_change) for entry in shown) or 1.0
    rules = []
    with st.container(key="directions", gap=None):
        for entry in shown:
            here = entry.name == chosen
            width = 100 * abs(entry.mean_change) / longest
            colour = "#0077b6" if here else ("#9cc7e0" if entry.mean_change > 0 else "#d9b3a0")
            name = f".st-key-direction-{names.index(entry.name)} button"
            rules.append(
                f"{name}::before {{ width: calc((100% - 8.4rem) * {width / 100:.3f}); background: {colour}; }}"
                f'{name}::after {{ content: "{entry.mean_change:+.1f}"; }}'
                + (f"{name} {{ background: #eaf4fa; font-weight: 650; }}" if here else "")
            )
            if (
                st.button(
                    entry.name.replace("-", "−"),
                    key=f"direction-{names.index(entry.name)}",
                    type="tertiary",
                    width="stretch",
                    help=about(opened, entry),
                )
                and not here
            ):
                st.query_params["direction"] = entry.name
                st.rerun()
    st.html(f"<style>{''.join(rules)}</style>")
    if len(ranked) > sum(entry.kept for entry in ranked):
        st.checkbox(f"All {len(ranked)}, not only the kept ones", key="all-directions")
    return chosen


def about(opened: OpenEngine, entry: NamedDirection) -> str:
    """Where the direction acts, if its name does not say it, and what it does alone."""
    place = opened.engine.describe(entry.name)
    effect = f"Alone it flips {layout.percent(entry.explained)} of the images of the search"
    return f"{place}. {effect}" if place else effect


def recent_entries() -> None:
    """The newest notebook entries, small."""
    layout.html('<h2 class="side">Notebook</h2>')
    entries = list_entries(workspace())[-3:][::-1]
    if not entries:
        st.caption("What you keep is listed here and on the Notebook page.")
        return
    for entry in entries:
        png = picture(workspace(), entry.id)
        data = f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">' if png else ""
        words = note_text(entry.note)
        note = words if len(words) <= 80 else words[:79] + "…"
        layout.html(
            f'<div class="kept">{data}<div><b>{layout.escape(entry.title)}</b>'
            f"<span>{layout.escape(note)}</span></div></div>"
        )
    st.page_link("pages/notebook.py", label="Open the notebook", icon=":material/menu_book:")
