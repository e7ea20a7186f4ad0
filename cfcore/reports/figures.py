"""Interactive figures of a study's results (Plotly)."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cfcore.reports.colours import ARM_COLOURS, DISAGREE, MARKERS, css, ink, shade
from cfcore.reports.numbers import axis_start, number, percent, spread, with_spread
from cfcore.wording import duration

GRID = "#e8ebf0"
_TEXT = "#1b2230"
_FONT = {"family": "Inter, 'Segoe UI', 'DejaVu Sans', system-ui, sans-serif", "color": _TEXT, "size": 14}
COEFFICIENT_NAMES: Mapping[str, str] = {
    "raw_agreement": "Raw agreement",
    "ac1": "Gwet AC1",
    "fleiss": "Fleiss kappa",
    "conger": "Conger kappa",
    "brennan_prediger": "Brennan-Prediger",
    "alpha": "Krippendorff alpha",
}


def axis_title(text: str) -> dict[str, Any]:
    """The title of an axis, no larger than its ticks."""
    return {"text": text, "font": {"size": 13}}


def names_of(table: pd.DataFrame, key: str, name: str) -> list[tuple[str, str]]:
    """(key, name) in the order of the table."""
    return list(dict.fromkeys(zip(table[key], table[name], strict=True)))


def cells_of(table: pd.DataFrame) -> dict[tuple[str, str], Mapping[Any, Any]]:
    """(finding, arm) -> its row."""
    return {(row["finding"], row["arm"]): row for row in table.to_dict("records")}


def plain(figure: go.Figure, height: int) -> go.Figure:
    """Our look: white, our font, legend above; `height` in pixels."""
    figure.update_layout(
        height=height,
        font=_FONT,
        paper_bgcolor="white",
        plot_bgcolor="white",
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False, showgrid=False)
    return figure


def findings_heat(table: pd.DataFrame) -> go.Figure:
    """Findings (rows) by arms (columns): share of readings in which each appears, with its 95 % interval.

    table: from `findings_table`. A tick marks what the majority of readers saw in the majority of cases;
    fainter where readers disagree (AC1 below 0.4).
    """
    findings, arms = names_of(table, "finding", "label"), names_of(table, "arm", "arm_name")
    cells = cells_of(table)
    figure = go.Figure()
    for i, (finding, label) in enumerate(findings):
        for j, (arm, name) in enumerate(arms):
            row = cells[finding, arm]
            share, ac1 = number(row["share"]), number(row["ac1"])
            back = (244, 246, 249) if share is None else shade(share, ac1 is not None and ac1 < DISAGREE)
            figure.add_shape(
                type="rect", x0=j - 0.48, x1=j + 0.48, y0=i - 0.46, y1=i + 0.46,
                fillcolor=css(back), line={"width": 0}, layer="below",
            )  # fmt: skip
            tick = "✓ " if row["majority"] is True else ""
            hover = f"{label}, {name}: {with_spread(row, 'share', share=True)}, AC1 {with_spread(row, 'ac1')}"
            interval = spread(row, "share", share=True)
            figure.add_annotation(
                x=j, y=i, showarrow=False, hovertext=hover, font={"color": ink(back)},
                text=f"{tick}{percent(share)}<br><span style='font-size:12px'>{interval}</span>",
            )  # fmt: skip
    plain(figure, 70 + 56 * len(findings))
    figure.update_xaxes(
        range=[-0.5, len(arms) - 0.5], tickvals=list(range(len(arms))), ticktext=[n for _, n in arms],
        side="top", showgrid=False, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(findings) - 0.5, -0.5], tickvals=list(range(len(findings))), ticktext=[n for _, n in findings],
        fixedrange=True,
    )  # fmt: skip
    return figure


def folded(label: str, width: int = 20) -> str:
    """A label in lines of about `width` characters, so that it leaves room for the plot beside it."""
    return "<br>".join(wrap(label, width))


def agreement_forest(table: pd.DataFrame, coefficient: str = "ac1") -> go.Figure:
    """One coefficient with its 95 % interval, findings from top to bottom, arms below each other in each.

    coefficient: a key of `COEFFICIENT_NAMES`. Arms differ by colour and by marker. Undefined ones are left
    out. Raises ValueError for an unknown coefficient.
    """
    if coefficient not in COEFFICIENT_NAMES:
        raise ValueError(f"Unknown coefficient “{coefficient}”: use one of {', '.join(COEFFICIENT_NAMES)}.")
    findings, arms = names_of(table, "finding", "label"), names_of(table, "arm", "arm_name")
    cells = cells_of(table)
    figure = go.Figure()
    step = 0.62 / max(len(arms), 1)
    known: list[float] = []
    for j, (arm, name) in enumerate(arms):
        x, y, below, above, text = [], [], [], [], []
        for i, (finding, label) in enumerate(findings):
            row = cells[finding, arm]
            value = number(row[coefficient])
            if value is None:
                continue
            low, high = number(row[f"{coefficient}_low"]), number(row[f"{coefficient}_high"])
            x.append(value)
            y.append(i + (j - (len(arms) - 1) / 2) * step)
            below.append(value - (value if low is None else low))
            above.append((value if high is None else high) - value)
            known.append(value if low is None else low)
            text.append(f"{label}, {name}: {with_spread(row, coefficient)}")
        figure.add_scatter(
            x=x, y=y, mode="markers", name=name, text=text, hovertemplate="%{text}<extra></extra>",
            error_x={"type": "data", "array": above, "arrayminus": below, "thickness": 2, "width": 0},
            marker={"size": 10, "color": ARM_COLOURS[j % 6], "symbol": MARKERS[j % 6]},
        )  # fmt: skip
    plain(figure, 90 + 58 * len(findings))
    figure.update_xaxes(
        range=[axis_start(known) - 0.02, 1.03],
        tick0=0,
        dtick=0.2,
        gridcolor=GRID,
        title=axis_title(COEFFICIENT_NAMES[coefficient]),
    )
    figure.update_yaxes(
        range=[len(findings) - 0.5, -0.5],
        tickvals=list(range(len(findings))),
        ticktext=[folded(n) for _, n in findings],
    )
    return figure


def time_per_case(decoded: pd.DataFrame, readers: Sequence[str] | None = None) -> go.Figure:
    """Seconds of each case in the order in which each reader saw them, with the reader's median as a line.

    decoded: from `decode_readings`. readers: labels in order; default all.
    """
    cases = decoded.dropna(subset=["seconds", "position"]).drop_duplicates(["reader", "pair", "purpose", "position"])
    figure = go.Figure()
    for j, reader in enumerate(readers if readers is not None else dict.fromkeys(cases["reader"])):
        own = cases[cases["reader"] == reader].sort_values("position")
        if own.empty:
            continue
        x, y = own["position"].astype(int) + 1, own["seconds"].astype(float)
        colour = ARM_COLOURS[j % 6]
        figure.add_scatter(
            x=x.tolist(), y=y.tolist(), mode="markers", name=f"{reader}, median {duration(y.median())}",
            marker={"size": 7, "color": colour, "symbol": MARKERS[j % 6], "opacity": 0.75},
            hovertemplate="case %{x}: %{y:.1f} s<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[int(x.min()), int(x.max())], y=[float(y.median())] * 2, mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": colour, "width": 1.5, "dash": "dot"},
        )  # fmt: skip
    plain(figure, 340)
    figure.update_xaxes(title=axis_title("Case, in the reader's own order"), gridcolor=GRID)
    figure.update_yaxes(title=axis_title("Seconds"), rangemode="tozero", showgrid=True, gridcolor=GRID)
    return figure
