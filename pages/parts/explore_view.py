"""The middle of Explore: the pictures, the degree, the curve."""

from __future__ import annotations

import time

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts import layout
from pages.parts.explore_choices import Choice
from pages.parts.who import actor, workspace
from services.explore import Curve, OpenEngine, View, curve, explore
from services.notebook import EntryRefused, keep
from services.pictures import difference_limit, difference_png, gray_png, triptych_png

STYLE = """
<style>
.cf .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.cf h2.side { font-size: 0.875rem; font-weight: 650; color: #5b6577; margin: 0.25rem 0 0; padding: 0; }
.st-key-thumbnails [data-testid="stButton"] button { aspect-ratio: 1; background-size: cover;
  background-position: center; background-color: #000; color: transparent; border-color: transparent; padding: 0;
  margin: 4px; width: calc(100% - 8px); }
.st-key-thumbnails [data-testid="stButton"] button:hover { border-color: #7cc4ea; color: transparent; }
.st-key-directions button { position: relative; justify-content: flex-start; padding: 0.45rem 0.6rem;
  border-radius: 6px; color: #1b2230; min-height: 2.25rem; font-variant-numeric: tabular-nums; }
.st-key-directions button > div { justify-content: flex-start; width: 100%; }
.st-key-directions button:hover { background: #f4f6f9; }
.st-key-directions button::before { content: ""; position: absolute; left: 4.2rem; top: calc(50% - 4px); height: 8px;
  border-radius: 2px; }
.st-key-directions button::after { position: absolute; right: 0.6rem; color: #5b6577; font-weight: 400;
  font-size: 0.93rem; }
.st-key-pictures img { border-radius: 6px; background: #000; width: 100%; }
.cf .legend { display: flex; justify-content: space-between; gap: 0.2rem 0.4rem; flex-wrap: wrap;
  font-size: 0.88rem; }
.cf .legend .chip { font-size: 0.75rem; }
.cf .legend span { color: #5b6577; font-variant-numeric: tabular-nums; }
.cf .legend .blue { color: #2166ac; } .cf .legend .red { color: #b2182b; }
.cf .kept { display: flex; gap: 0.6rem; align-items: flex-start; margin-top: 0.6rem; font-size: 0.86rem; }
.cf .kept img { width: 108px; flex: none; border-radius: 4px; }
.cf .kept b, .cf .kept span { display: block; overflow-wrap: anywhere; } .cf .kept span { color: #5b6577; }
</style>
"""
SHOWN_SIDE = 640
FRAMES = 12
FRAME_SECONDS = 0.12


def degree_key(choice: Choice) -> str:
    return f"degree-{choice.key}"


def degree_of(choice: Choice, opened: OpenEngine) -> float:
    """The degree on the slider: what was dragged, else what the address asks for, else the method's default."""
    key = degree_key(choice)
    low, high = opened.engine.degree_range
    if key not in st.session_state:
        try:
            asked = float(st.query_params.get("degree", ""))
        except ValueError:
            asked = opened.engine.default_degree
        st.session_state[key] = min(max(asked, low), high)
    return float(st.session_state[key])


def viewer(choice: Choice, opened: OpenEngine) -> None:
    """Pictures above, slider and curve below; a fragment, so that dragging redraws nothing else."""
    degree = degree_of(choice, opened)
    low, high = opened.engine.degree_range
    place = st.container(key="pictures")
    with st.container(horizontal=True, vertical_alignment="center"):
        degree = st.slider(
            f"Degree, {low:+g} to {high:+g}".replace("-", "−"),
            low,
            high,
            step=step_of(low, high),
            format="%+.1f",
            key=degree_key(choice),
        )
        play = st.button("Play", icon=":material/play_arrow:", help="From the original to this degree")
        reconstructed = st.toggle(
            "Reconstruction", key="reconstruction", help="What the generator makes of the original before any change"
        )
    st.query_params["degree"] = f"{degree:g}"
    st.query_params["image"] = str(choice.image_id)
    if choice.direction is not None:
        st.query_params["direction"] = choice.direction
    chart = st.empty()
    if play:
        draw_curve(chart, choice, opened, degree)
    # Always through one placeholder: pictures of another frame replace these instead of standing below them.
    frame = place.empty()
    for i in range(FRAMES if play else 0):
        started = time.monotonic()
        with frame.container():
            pictures(seen(choice, degree * i / FRAMES), opened, reconstructed)
        time.sleep(max(0.0, FRAME_SECONDS - (time.monotonic() - started)))
    with frame.container():
        pictures(seen(choice, degree), opened, reconstructed)
    if not play:
        # After the pictures: the first curve of a direction takes longer than they do.
        draw_curve(chart, choice, opened, degree)


def draw_curve(chart: DeltaGenerator, choice: Choice, opened: OpenEngine, degree: float) -> None:
    """The probability over the whole range of degrees, into its placeholder."""
    low, high = opened.engine.degree_range
    line = curve(workspace(), choice.run_id, choice.image_id, choice.direction, choice.rendering)  # type: ignore[arg-type]
    with chart.container():
        st.plotly_chart(
            curve_figure(line, degree, opened.target_name),
            key=f"curve-{choice.key}",
            config={"displayModeBar": False},
            alt=f"Probability of {opened.target_name} by degree; {flip_words(line)}",
        )
        if line.flips_at is None:
            words = f"Along this direction the classifier keeps its mind from {low:+g} to {high:+g}."
            st.caption(words.replace("-", "−"))


def step_of(low: float, high: float) -> float:
    """About a hundred steps over the range: 0.5 for -20 to 20."""
    span = (high - low) / 80
    return next((step for step in (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0) if step >= span - 1e-9), 1.0)


def seen(choice: Choice, degree: float) -> View:
    return explore(
        workspace(),
        choice.run_id,
        choice.image_id,
        choice.direction,
        degree,
        choice.rendering,  # type: ignore[arg-type]
    )


def pictures(view: View, opened: OpenEngine, reconstructed: bool) -> None:
    """Original, (reconstruction,) counterfactual and their signed difference, each with its legend."""
    name = opened.target_name
    plain = view.rendering == "plain"
    # With plain rendering the original differs by the reconstruction error, which is no effect of the direction.
    before = view.reconstruction if plain else view.original
    change = view.counterfactual - before
    limit = difference_limit(change)
    shown = [("Original", gray_png(view.original, SHOWN_SIDE), f"<span>{word(name, view.p_source)}</span>")]
    if reconstructed:
        png = gray_png(view.reconstruction, SHOWN_SIDE)
        shown.append(("Reconstruction", png, f"<span>{word(name, view.p_reconstruction)}</span>"))
    mark = layout.chip_of("flipped", "done") if view.flipped else ""
    legend = f"{mark}<span>{word(name, view.p_counterfactual)}</span>"
    shown.append(("Counterfactual", gray_png(view.counterfactual, SHOWN_SIDE), legend))
    scale = f'<span class="blue">darker −{limit:.2f}</span><span class="red">brighter +{limit:.2f}</span>'
    title = "Difference to the reconstruction" if plain else "Difference"
    shown.append((title, difference_png(change, limit, SHOWN_SIDE), scale))
    for column, (title, png, legend) in zip(st.columns(len(shown), gap="small"), shown, strict=True):
        with column:
            st.image(png, width="stretch", output_format="PNG", alt=title)
            layout.html(f'<div class="legend"><b>{title}</b>{legend}</div>')


def word(name: str, probability: float) -> str:
    """ "Pneumonia 8 %", with the classifier's class names escaped."""
    return f"{layout.escape(name)} {layout.percent(probability)}"


def flip_words(line: Curve) -> str:
    return "no flip" if line.flips_at is None else f"flips at {line.flips_at:+.1f}".replace("-", "−")


def curve_figure(line: Curve, degree: float, name: str) -> go.Figure:
    """Probability in per cent over the degree, the flip dashed, the present degree as a point."""
    figure = go.Figure()
    percent = 100 * line.probabilities
    figure.add_scatter(
        x=line.degrees,
        y=percent,
        mode="lines",
        line={"color": "#0077b6", "width": 2.5, "shape": "spline", "smoothing": 0.6},
        hovertemplate="%{x:+.1f}: %{y:.0f} %<extra></extra>",
    )
    here = float(_between(line, degree))
    figure.add_scatter(
        x=[degree], y=[100 * here], mode="markers", marker={"size": 11, "color": "#0077b6"}, hoverinfo="skip"
    )
    if line.flips_at is not None:
        figure.add_vline(x=line.flips_at, line={"color": "#c77700", "width": 2, "dash": "dot"})
        figure.add_annotation(
            x=line.flips_at,
            y=4,
            text=flip_words(line),
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"color": "#7d4f00"},
        )
    low, high = float(line.degrees[0]), float(line.degrees[-1])
    ticks = [low + (high - low) * i / 8 for i in range(9)]
    figure.update_layout(
        height=205,
        margin={"l": 10, "r": 10, "t": 8, "b": 8},
        showlegend=False,
        xaxis={
            "title": None,
            "zeroline": False,
            "showgrid": False,
            "tickvals": ticks,
            "ticktext": [f"{tick:+g}".replace("-", "−") if tick else "0" for tick in ticks],
            "fixedrange": True,
        },
        yaxis={
            "range": [-3, 103],
            "tickvals": [0, 50, 100],
            "ticktext": ["0", "50 %", "100 %"],
            "zeroline": False,
            "gridcolor": "#e8ebf0",
            "title": f"p({name})",
            "fixedrange": True,
        },
    )
    return figure


def _between(line: Curve, degree: float) -> float:
    """The curve at a degree between its points (linear)."""
    degrees, values = line.degrees.tolist(), line.probabilities.tolist()
    for i in range(len(degrees) - 1):
        if degrees[i] <= degree <= degrees[i + 1]:
            share = (degree - degrees[i]) / (degrees[i + 1] - degrees[i])
            return values[i] + share * (values[i + 1] - values[i])
    return values[-1] if degree > degrees[-1] else values[0]


def settings_of(choice: Choice, degree: float) -> dict[str, str | int | float]:
    """What shows this view again."""
    direction = {} if choice.direction is None else {"direction": choice.direction}
    return {
        "run": choice.run_id,
        "image": choice.image_id,
        **direction,
        "degree": degree,
        "rendering": choice.rendering,
    }


def view_picture(view: View) -> bytes:
    before = view.reconstruction if view.rendering == "plain" else view.original
    return triptych_png(before, view.counterfactual)


def export_button(choice: Choice) -> None:
    """The three pictures as one lossless PNG."""

    def data() -> bytes:
        degree = float(st.session_state.get(degree_key(choice), 0.0))
        return view_picture(seen(choice, degree))

    st.download_button(
        "Export", data, f"explore-run{choice.run_id}-image{choice.image_id}.png", "image/png", on_click="ignore"
    )


def keep_button(choice: Choice, opened: OpenEngine) -> None:
    """Keep this view, with a title and a note, as the last entry of the notebook."""
    times = st.session_state.setdefault("kept-views", 0)
    # Another key after every keep: the popover closes and its fields are empty again.
    with st.popover("Keep in notebook", type="primary", icon=":material/bookmark_add:", key=f"keep-{times}"):
        own = f"{choice.key}-{choice.image_id}-{times}"
        title = st.text_input("Title", placeholder="Direction and degree, if empty", key=f"title-{own}")
        note = st.text_area("Note (Markdown)", placeholder="What do you see?", key=f"note-{own}")
        if st.button("Keep", type="primary"):
            degree = degree_of(choice, opened)
            title = title or f"{choice.direction or opened.engine.title}, degree {degree:+g}"
            png = view_picture(seen(choice, degree))
            try:
                keep(workspace(), "explore", title, settings_of(choice, degree), note=note, picture=png, author=actor())
            except EntryRefused as error:
                st.error(str(error).capitalize())
                return
            st.session_state["kept-views"] = times + 1
            st.toast("Kept in the notebook.", icon=":material/check:")
            st.rerun()
