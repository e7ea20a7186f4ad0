"""Sample size: how wide the interval will be for so many readers and cases, by simulation."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from cfcore.reports.colours import ARM_COLOURS, MARKERS
from cfcore.study.sample_size import TARGETS, Expected
from cfcore.wording import counted
from pages.parts import layout
from services.sample_size import sample_size
from services.studies import StudyView

SIMULATIONS = 300


def size_section(view: StudyView) -> None:
    """What is expected, the wanted width, the curve and the smallest study for each number of readers."""
    st.markdown("**Sample size**: how many readers and cases give an interval of the wanted width, for one finding.")
    with st.form(f"size-{view.id}", border=True):
        with st.container(horizontal=True):
            target = st.selectbox("Statistic", list(TARGETS), format_func=lambda t: TARGETS[t], key=f"target-{view.id}")
            width = st.number_input("Wanted width of the 95 % interval", 0.02, 1.5, 0.3, 0.05)
            most = int(st.number_input("Readers, at most", 2, 10, 5, 1))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            prevalence = st.number_input("The finding is in a counterfactual with chance", 0.0, 1.0, 0.3, 0.05)
            original = st.number_input("and in an original with chance", 0.0, 1.0, 0.1, 0.05)
            sensitivity = st.number_input("Sensitivity of every reader", 0.0, 1.0, 0.85, 0.05)
            specificity = st.number_input("Specificity of every reader", 0.0, 1.0, 0.95, 0.05)
            shared = st.number_input("Shared impression", 0.0, 1.0, 0.3, 0.1)
        asked = st.form_submit_button("Simulate", icon=":material/query_stats:")
    key = f"size-curve-{view.id}"
    if asked:
        expected = Expected(prevalence, original, sensitivity, specificity, shared)
        readers = range(1 if target == "difference" else 2, most + 1)
        with st.spinner("Simulating studies …"):
            st.session_state[key] = sample_size(
                target, float(width), expected, readers=readers, simulations=SIMULATIONS, seed=view.seed
            )
    if (found := st.session_state.get(key)) is not None:
        shown(found)


def shown(found: dict[str, Any]) -> None:
    """The plot with the wanted width as a line, and the smallest study per number of readers."""
    width, name = found["settings"]["width"], TARGETS[found["settings"]["target"]]
    figure = go.Figure()
    for number, readers in enumerate(dict.fromkeys(row["readers"] for row in found["rows"])):
        line = [row for row in found["rows"] if row["readers"] == readers and row["width_80"] is not None]
        figure.add_scatter(
            x=[row["cases"] for row in line],
            y=[row["width_80"] for row in line],
            mode="lines+markers",
            name=counted(readers, "reader"),
            line_color=ARM_COLOURS[number % len(ARM_COLOURS)],
            marker={"symbol": MARKERS[number % len(MARKERS)], "size": 7},
            hovertemplate="%{x} cases: %{y:.2f}",
        )
    figure.add_hline(y=width, line_dash="dash", line_color="#5b6577", annotation_text=f"wanted: {width:g}")
    figure.update_layout(
        height=340, margin={"l": 10, "r": 10, "t": 10, "b": 10}, yaxis_rangemode="tozero",
        xaxis_title="Cases (patients)", yaxis_title="Width that 80 % of the studies keep",
    )  # fmt: skip
    figure.update_xaxes(type="log", tickvals=[10, 20, 30, 50, 100, 200, 300])
    st.plotly_chart(
        figure, config={"displayModeBar": False}, alt=f"Width of the interval of {name} by cases and readers"
    )
    rows = [
        (
            str(row["readers"]),
            "more than shown" if row["cases"] is None else str(row["cases"]),
            "–" if row["readings"] is None else str(row["readings"]),
        )
        for row in found["smallest"]
    ]
    st.caption(
        f"{name}: fewest cases for a width of {width:g} or less in 80 % of the studies; "
        f"{counted(SIMULATIONS, 'simulated study', 'simulated studies')} a point. Cases are patients."
    )
    layout.table(["Readers", "Cases", "Readings in all"], rows, [0, 1, 2])
