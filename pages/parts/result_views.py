"""Figures and tables of results on a page: one way to show them, every figure to be taken away as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cfcore.reports.sections import as_read, count_columns
from cfcore.study.questions import Question
from pages.parts import layout
from services.reporting import file_stem
from services.results import StudyResults

# What a word of the statistics means, for those who read it the first time.
TERMS = {
    "AC1": "Gwet’s AC1: agreement beyond chance, −1 to 1. Unlike kappa it does not collapse for rare findings.",
    "kappa": "Cohen’s kappa: agreement of two readers beyond chance, −1 to 1. Low for rare findings, whatever they do.",
    "prevalence": "Share of images in which a finding was seen while original and counterfactual stood side by side.",
    "Holm": "Holm’s correction: keeps the chance of any false positive in the locked family below the level.",
    "BH": "Benjamini-Hochberg: limits the share of false positives among what is called significant. Exploration only.",
    "GEE": "Generalised estimating equations: a regression that knows that readings of one patient belong together.",
    "Bang": "Bang’s index: 0 where the generated side is guessed by chance, 1 where always right, −1 where never.",
    "false alarm": "Share of pairs of identical images with any finding on one side only: there is nothing to see.",
    "intra": "Agreement (AC1) of a reader with himself or herself on pairs read twice, sides drawn anew.",
}


def chart(figure: go.Figure, key: str, title: str) -> None:
    """A figure with its title for screen readers; Plotly's own buttons are left away."""
    st.plotly_chart(figure, config={"displayModeBar": False}, theme=None, key=key, alt=title)


def svg_download(found: StudyResults, figure: go.Figure, key: str, title: str) -> None:
    """The figure as SVG, for a paper."""
    from cfcore.reports.drawing import svg_of

    st.download_button(
        "SVG", lambda: svg_of(figure, title=title), f"{file_stem(found.study)}-{key}.svg", "image/svg+xml",
        on_click="ignore", icon=":material/image:", key=f"svg-{key}", type="tertiary", help="This figure for a paper",
    )  # fmt: skip


def plain_table(
    found: StudyResults, table: pd.DataFrame, drop: Sequence[str] = (), question: Question | None = None
) -> None:
    """A table of results as it is read: an estimate and its interval in one cell, numbers to the right."""
    labels = {finding.key: finding.label for finding in found.study.protocol.findings}
    heads, rows = as_read(table.drop(columns=list(drop), errors="ignore"), labels, question)
    if not rows:
        st.caption("No answer yet.")
        return
    layout.table(heads, rows, numbers=count_columns(rows))
