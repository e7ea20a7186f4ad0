"""Around the viewer of Explore: which image, what is told of a direction, and what was kept before."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cfcore.rendering import Rendering
from cfcore.reports.factors import sentence
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.who import workspace
from services.explore import OpenEngine, thumbnail
from services.explore_images import ImageChoice, image_choices, truths_known
from services.notebook import list_entries, note_text, picture
from services.result_truth import truth_of_run
from services.runs import RunView, run_view

if TYPE_CHECKING:
    from cfcore.engines.base import NamedDirection

SPLITS = {"": "All splits", "test": "Test", "val": "Validation", "train": "Training"}
ANY = "Any class"
CASES = {"all": "Right or wrong", "correct": "Classifier is right", "error": "Classifier is wrong"}
STEP = 12


@dataclass(frozen=True)
class Choice:
    """What Explore shows: image `image_id` of run `run_id` in `rendering`; `listed`: the images in the list beside."""

    run_id: int
    image_id: int
    rendering: Rendering
    listed: tuple[int, ...] = ()


def choose_image(run: RunView, opened: OpenEngine) -> tuple[int | None, tuple[int, ...]]:
    """Thumbnails under their filters. Returns the chosen image, None where the filters leave none, and all listed."""
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
    case = "all"
    if truths_known(workspace(), run.id) is not None:
        case = st.selectbox(
            "Right or wrong",
            list(CASES),
            format_func=CASES.__getitem__,
            key=f"case-{run.id}",
            label_visibility="collapsed",
            help="Whether the classifier calls the image what it is by its labels; one of unknown truth is neither",
        )
    limit = st.session_state.setdefault(f"limit-{run.id}", STEP)
    found = image_choices(workspace(), run.id, split or None, None if predicted == ANY else predicted, limit, case)
    st.caption(f"{run.dataset}, {counted(found.total, 'image')}")
    ids = [image.id for image in found.images]
    asked = st.query_params.get("image", "")
    chosen = int(asked) if asked.isdigit() else None
    filters = (run.id, split, predicted, case)
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
    return chosen, tuple(ids)


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
            if image.right is False:
                words.append("the classifier is wrong")
            if st.button(
                f"Image {number}", key=f"thumb-{image.id}", help=" · ".join(filter(None, words)), width="stretch"
            ):
                pressed = image.id
    st.html(f"<style>{''.join(rules)}</style>")
    return pressed


def about(opened: OpenEngine, entry: NamedDirection) -> str:
    """Where the direction acts, if its name does not say it, and what it does alone."""
    place = opened.engine.describe(entry.name)
    effect = f"Alone it flips {layout.percent(entry.explained)} of the images of the search"
    return f"{place}. {effect}" if place else effect


def truths(run_id: int) -> dict[str, str]:
    """What each direction really moves, in words, where the run is on phantoms and that has been measured."""
    truth = truth_of_run(workspace(), run_view(workspace(), run_id))
    return {one.direction: sentence(one) for one in truth.effects} if truth else {}


def recent_entries() -> None:
    """The newest notebook entries, small."""
    layout.html('<h2 class="side">Notebook</h2>')
    entries = list_entries(workspace())[-3:][::-1]
    if not entries:
        st.caption("What you keep is listed here and on the Notebook page.")
        return
    cards = []
    for entry in entries:
        png = picture(workspace(), entry.id)
        data = f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">' if png else ""
        words = note_text(entry.note)
        note = words if len(words) <= 80 else words[:79] + "…"
        cards.append(
            f'<div class="kept">{data}<div><b>{layout.escape(entry.title)}</b>'
            f"<span>{layout.escape(note)}</span></div></div>"
        )
    layout.html(f'<div class="kept-row">{"".join(cards)}</div>')
    st.page_link("pages/notebook.py", label="Open the notebook", icon=":material/menu_book:")
