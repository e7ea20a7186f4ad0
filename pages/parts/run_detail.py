"""One run: how far it is, what it found, what it made, and what repeats it."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import plotly.express as px
import streamlit as st

from cfcore.reports.colours import ARM_COLOURS
from cfcore.wording import counted, direction_name, duration
from pages.parts import layout
from pages.parts.result_truth import measured, run_truth
from pages.parts.run_state import ACTIVE, controls, run_title, state_line
from pages.parts.who import actor, day, workspace
from services.changed_settings import changed_settings
from services.gallery import GalleryPair, gallery, grid, losses, pair_picture
from services.notebook import EntryRefused, keep
from services.runs import RunRefused, RunView, engine_folder, run_view

POLL_SECONDS = 2.0
PAGE_SIZE = 9
# Page, label of the link to it, and the name of what it is about.
SHOWN_ELSEWHERE = {
    "import": ("data", "See the images", "dataset"),
    "rehearse": ("studies", "See the rehearsal at its study", "study"),
    "report": ("results", "See the report at its study’s results", "study"),
}
SHOWN = {"all": None, "flipped": True, "did not flip": False}


def run_page(view: RunView) -> None:
    """Everything about one run."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        layout.back_button("All runs")
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            controls(view, "page")
            if view.kind == "explain" and engine_folder(workspace(), view.id).is_dir():
                st.page_link(
                    "pages/explore.py", label="Explore", icon=":material/explore:", query_params={"run": str(view.id)}
                )
            keep_button(view)
    subtitle = [
        run_title(view),
        view.dataset or "",
        view.classifier or "",
        f"started {day(view.started_at)}" if view.started_at else "",
        f"took {duration(view.seconds)}" if view.seconds is not None and view.state not in ACTIVE else "",
    ]
    layout.heading(view.name, " · ".join(part for part in subtitle if part), chip=state_line(view))
    if view.state in ACTIVE:
        st.fragment(following, run_every=POLL_SECONDS)(view.id)
    else:
        if view.state != "done":
            (st.error if view.state == "failed" else st.info)(view.message)
        body(view)
    settings_table(view)


def following(run_id: int) -> None:
    """Progress of a run that waits or works, with what it has made so far."""
    try:
        view = run_view(workspace(), run_id)
    except RunRefused:
        st.rerun(scope="app")
    if view.state not in ACTIVE:
        st.rerun(scope="app")
    st.progress(view.progress, view.message or None)
    if view.seconds is not None:
        st.caption(f"{round(100 * view.progress)} % after {duration(view.seconds)}")
    body(view)


def body(view: RunView) -> None:
    if view.kind == "explain":
        explained(view)
    elif view.kind == "measure":
        measured(view)
    elif view.kind in SHOWN_ELSEWHERE:
        shown_elsewhere(view)
    else:
        trained(view)


def shown_elsewhere(view: RunView) -> None:
    """Where what an import, a rehearsal or a report has brought is looked at."""
    page, label, setting = SHOWN_ELSEWHERE[view.kind]
    about = view.dataset_id if view.kind == "import" else view.settings.get(setting)
    if about is None:
        layout.empty("Nothing to show", "Nothing was brought in." if view.state not in ACTIVE else "It is under way.")
    else:
        st.page_link(f"pages/{page}.py", label=label, query_params={setting: str(about)})


def explained(view: RunView) -> None:
    result = view.result
    if "explained" in result:
        tried = result.get("mean_tried")
        layout.figures(
            [
                (layout.percent(result["explained"]), f"of {counted(result['n'], 'image')} flipped, as shown"),
                (layout.percent(result["explained_plain"]), "flipped in plain rendering"),
                ("–" if tried is None else f"{tried:.1f}", "directions tried until the flip, mean"),
                (duration(result["search_seconds"]), f"search on {counted(result['fit_n'], 'image')}"),
            ]
        )
        st.caption(" ".join(apart(result)))
    if view.directions:
        best = ", ".join(direction_name(d.name) for d in view.directions[:3])
        with st.expander(f"Ranking of {counted(len(view.directions), 'direction')}, best first: {best}"):
            layout.table(
                ["Rank", "Direction", "Mean change of the logit", "Images it flips alone", "Kept for the run"],
                [
                    (
                        str(d.rank),
                        direction_name(d.name),
                        f"{d.mean_change:+.2f}".replace("-", "−"),
                        layout.percent(d.explained),
                        "yes" if d.kept else "",
                    )
                    for d in view.directions
                ],
                numbers=(0, 2, 3),
            )
    run_truth(view)
    pairs(view)


def apart(result: dict[str, Any]) -> list[str]:
    """Sentences: flips that the generator's own error makes, and the degree that most images need."""
    told = []
    if (kept := result.get("explained_kept")) is not None and result["reconstruction_flips"] > 0:
        told.append(
            f"{layout.percent(result['reconstruction_flips'])} are the target in their mere reconstruction, which is "
            f"the generator's error; of the others {layout.percent(kept)} flipped."
        )
    if (degree := result.get("suggested_degree")) is not None:
        told.append(f"At degree {degree:g} 90 % of the images of the search flip: Explore and new studies start there.")
    return told


def pairs(view: RunView) -> None:
    """The gallery: original and counterfactual of every image so far, a page at a time."""
    names = [d.name for d in view.directions if d.kept]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control("Show", list(SHOWN), default="all", key=f"shown-{view.id}", required=True)
        direction = st.selectbox(
            "Flipped by", ["any direction", *names], format_func=direction_name, key=f"by-{view.id}", width=200
        )
    key = f"page-{view.id}"
    found = gallery(
        workspace(),
        view.id,
        None if direction == "any direction" else direction,
        SHOWN[which],
        st.session_state.get(key, 0),
        PAGE_SIZE,
    )
    if not found.pairs:
        text = "Pairs appear here as they are made." if view.state in ACTIVE else "No image of this run is like that."
        layout.empty("No pairs", text)
        return
    target = str(view.settings.get("target", "target"))
    for start in range(0, len(found.pairs), 3):
        for column, pair in zip(st.columns(3, gap="medium"), found.pairs[start : start + 3], strict=False):
            with column:
                pair_card(view, pair, target)
    last = (found.total - 1) // PAGE_SIZE
    here = found.first // PAGE_SIZE
    if last > 0:
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Previous", icon=":material/chevron_left:", disabled=here == 0):
                st.session_state[key] = here - 1
                st.rerun()
            st.write(f"{found.first + 1} to {found.first + len(found.pairs)} of {found.total}")
            if st.button("Next", icon=":material/chevron_right:", disabled=here == last):
                st.session_state[key] = here + 1
                st.rerun()


def pair_card(view: RunView, pair: GalleryPair, target: str) -> None:
    left, right = st.columns(2, gap="xxsmall")
    left.image(pair.original, width="stretch", alt="Original")
    right.image(pair.counterfactual, width="stretch", alt="Counterfactual")
    by = direction_name(pair.direction or "flipped")
    mark = layout.chip_of(by, "done") if pair.flipped else layout.chip_of("no flip", "note")
    # As finely as Explore names degrees: hundredths where the way is short.
    digits = 2 if abs(pair.degree or 0) <= 2 else 1
    least = f", flips from degree {pair.least_degree:.{digits}f}" if pair.least_degree is not None else ""
    layout.html(
        f"{mark} {layout.escape(target)} {layout.percent(pair.p_source)} → "
        f"<b>{layout.percent(pair.p_counterfactual)}</b>"
        f'<div class="muted" style="font-size:.86rem">reconstruction {layout.percent(pair.p_reconstruction)}'
        f"{least}{'' if pair.flipped_plain else ', no flip in plain rendering'}</div>"
    )
    query = {"run": str(view.id), "image": str(pair.image_id)}
    if pair.direction:
        query["direction"] = pair.direction
    st.page_link("pages/explore.py", label="Explore", icon=":material/explore:", query_params=query)


def trained(view: RunView) -> None:
    result = view.result
    words = {
        "auc": "AUC on the test split",
        "accuracy": "accuracy on the test split",
        "macro_auc": "macro AUC on the test split",
        "l1": "reconstruction L1, test",
        "ssim": "SSIM, test",
        "agreement": "of reconstructions keep their class",
    }
    found = [(f"{result[key]:.3f}", text) for key, text in words.items() if key in result]
    if found:
        layout.figures(found)
    rows = losses(workspace(), view)
    picture = grid(workspace(), view)
    if not rows and picture is None:
        layout.empty("Nothing to show yet", "Losses and samples appear here as the training goes on.")
        return
    left, right = st.columns([3, 2] if picture is not None else [1, 0.001], gap="large")
    with left:
        if rows:
            loss_chart(pd.DataFrame(rows), view.id)
    if picture is not None:
        right.image(picture, width="stretch", caption="Samples at the last checkpoint", alt="Sample grid")


def loss_chart(frame: pd.DataFrame, run_id: int) -> None:
    names = [name for name in frame.columns if name not in ("iteration", "seconds")]
    long = frame.melt("iteration", names, var_name="loss", value_name="value")
    figure = px.line(
        long, x="iteration", y="value", color="loss", log_y=bool((long["value"] > 0).all()),
        color_discrete_sequence=ARM_COLOURS,
    )  # fmt: skip
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 8, "b": 8},
        legend_title=None,
        yaxis_title=None,
        xaxis_title="Iteration",
    )
    st.plotly_chart(figure, key=f"losses-{run_id}", config={"displayModeBar": False}, alt="Losses by iteration")


def settings_table(view: RunView) -> None:
    """What repeats the run."""
    with st.expander("Settings, versions and hashes"):
        rows = [
            ("Data set", view.dataset or "–"),
            ("Classifier", view.classifier or "–"),
            ("Generator", view.generator or "–"),
            ("Seed", str(view.seed)),
            ("Attempts", str(view.attempts)),
        ]
        if view.engine is not None:
            changed = changed_settings(view.engine, view.settings.get("config", {}))
            rows.insert(3, ("Not the method's defaults", ", ".join(changed) or "none"))
        layout.table(["What", "Value"], rows)
        repeats = {"settings": view.settings, "seed": view.seed, "versions": view.versions, "inputs": view.inputs}
        st.json(repeats, expanded=1)
        st.download_button(
            "As JSON",
            lambda: json.dumps(repeats, indent=2),
            f"run-{view.id}.json",
            "application/json",
            on_click="ignore",
        )


def keep_button(view: RunView) -> None:
    """Keep the run as a notebook entry, with its first pair or its sample grid as the picture."""
    times = st.session_state.setdefault("kept-runs", 0)
    # Another key after every keep: the popover closes and its fields are empty again.
    with st.popover("Keep in notebook", icon=":material/bookmark_add:", key=f"keep-{times}"):
        title = st.text_input("Title", view.name, key=f"keep-title-{view.id}-{times}")
        note = st.text_area("Note (Markdown)", key=f"keep-note-{view.id}-{times}", placeholder="What this run shows")
        if st.button("Keep", type="primary"):
            found = gallery(workspace(), view.id, page_size=1).pairs if view.kind == "explain" else ()
            picture = pair_picture(workspace(), view.id, found[0].image_id) if found else grid(workspace(), view)
            try:
                keep(
                    workspace(),
                    "run",
                    title,
                    {"run": view.id, "state": view.state},
                    note=note,
                    picture=picture,
                    author=actor(),
                )
            except EntryRefused as error:
                st.error(str(error).capitalize())
                return
            st.session_state["kept-runs"] = times + 1
            st.toast("Kept in the notebook.", icon=":material/check:")
            st.rerun()
