"""Explore: one radiograph, one direction, and how far to move along it."""

from __future__ import annotations

import streamlit as st

from cfcore.rendering import EXPLAINED, RENDERINGS, Rendering
from pages.parts import layout
from pages.parts.explore_choices import Choice, choose_image, recent_entries
from pages.parts.explore_view import STYLE, keep_button, viewer
from pages.parts.who import workspace
from services.changed_settings import chosen_values
from services.explore import NothingToExplore, OpenEngine, explorable_runs, open_engine
from services.runs import RunView, list_runs


def explore_page() -> None:
    layout.html('<h1 class="visually-hidden">Explore</h1>')
    st.html(STYLE)
    runs = {run.id: run for run in explorable_runs(workspace())}
    if not runs:
        nothing_yet()
        return
    sides = st.columns([1.35, 9], gap="medium")
    with sides[1]:
        bar = st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="explore-bar")
    run = choose_run(runs, bar)
    try:
        with st.spinner("Loading the models"):
            opened = open_engine(workspace(), run.id)
        rendering = choose_rendering(opened, bar)
        with sides[0]:
            image_id, listed = choose_image(run, opened)
        if image_id is None:
            with sides[1]:
                layout.empty("No image here", "The filters leave no image: choose another split, class or case.")
            return
        choice = Choice(run.id, image_id, rendering, listed)
        with bar:
            keep_button(choice, opened)
        st.query_params["image"] = str(image_id)
        with sides[1]:
            st.fragment(viewer)(choice, opened)
            recent_entries()
    except (NothingToExplore, ValueError, FileNotFoundError) as error:
        with sides[1]:
            st.error(str(error))
            st.page_link("pages/runs.py", label="Go to Runs", icon=":material/arrow_forward:")


def nothing_yet() -> None:
    """What to do before there is anything to explore."""
    layout.heading("Explore", "Pick an image, pick a direction, drag the degree, watch the classifier change its mind.")
    waiting = [run for run in list_runs(workspace(), "explain") if run.state in ("queued", "running")]
    if waiting:
        layout.empty(
            "The first run is under way",
            f"“{waiting[0].name}” is {round(100 * waiting[0].progress)} % done. Explore opens as soon as its "
            "directions are ranked.",
        )
    else:
        layout.empty(
            "Nothing to explore yet",
            "Explore needs a run that has found directions. Start one with a data set, a classifier and a generator.",
        )
    st.page_link("pages/runs.py", label="Go to Runs", icon=":material/arrow_forward:")


def choose_run(runs: dict[int, RunView], bar: st.delta_generator.DeltaGenerator) -> RunView:
    """Classifier first, then a run on it; the address of the page names the run."""
    asked = st.query_params.get("run", "")
    start = runs[int(asked)] if asked.isdigit() and int(asked) in runs else next(iter(runs.values()))
    classifiers = list(dict.fromkeys(run.classifier or "" for run in runs.values()))
    with bar:
        classifier = st.selectbox("Classifier", classifiers, index=classifiers.index(start.classifier or ""), width=300)
        own = [run.id for run in runs.values() if (run.classifier or "") == classifier]
        begin = own.index(start.id) if start.id in own else 0
        chosen = st.selectbox("Method and run", own, index=begin, format_func=lambda i: run_words(runs[i]), width=388)
    if str(chosen) != asked:
        if asked:
            st.query_params.clear()
        st.query_params["run"] = str(chosen)
    return runs[chosen]


def run_words(run: RunView) -> str:
    """ "EigenFind, Cardiomegaly (run 3, balanced)"."""
    chosen = chosen_values(run.engine, run.settings.get("config", {}))
    return f"{run.name} ({', '.join([f'run {run.id}', *chosen])})"


def choose_rendering(opened: OpenEngine, bar: st.delta_generator.DeltaGenerator) -> Rendering:
    asked = st.query_params.get("rendering", opened.rendering)
    with bar:
        chosen = st.selectbox(
            "Rendering",
            RENDERINGS,
            index=RENDERINGS.index(asked) if asked in RENDERINGS else 0,
            format_func=str.capitalize,
            width=160,
            help="\n".join(f"- **{name.capitalize()}**: {EXPLAINED[name]}" for name in RENDERINGS),
        )
    if chosen != asked:
        st.query_params["rendering"] = chosen
    return chosen


explore_page()
