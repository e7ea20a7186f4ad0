"""More figures of a study's results: Table 2, differences, slopes, pairs of readers, comparisons (Plotly)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cfcore.reports.colours import ARM_COLOURS, MARKERS, css, ink, shade
from cfcore.reports.figures import GRID, axis_title, cells_of, folded, names_of, plain
from cfcore.reports.numbers import NONE, decimal, number, percent, with_spread
from cfcore.wording import counted, direction_name

_EMPTY = (244, 246, 249)


def _box(figure: go.Figure, x: int, y: int, colour: tuple[int, int, int]) -> None:
    figure.add_shape(
        type="rect", x0=x - 0.48, x1=x + 0.48, y0=y - 0.46, y1=y + 0.46,
        fillcolor=css(colour), line={"width": 0}, layer="below",
    )  # fmt: skip


def _grid(figure: go.Figure, columns: Sequence[str], rows: Sequence[str], height: int) -> go.Figure:
    plain(figure, 70 + height * len(rows))
    figure.update_xaxes(
        range=[-0.5, len(columns) - 0.5], tickvals=list(range(len(columns))), ticktext=list(columns),
        side="top", showgrid=False, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[folded(row, 30) for row in rows],
        fixedrange=True,
    )
    return figure


def majority_table(table: pd.DataFrame) -> go.Figure:
    """The paper's Table 2: findings (rows) by arms (columns), a tick where the majority of readers saw the finding in
    the majority of cases, the darker the more the readers agree (raw agreement, half or less is white).

    table: from `findings_table`.
    """
    findings, arms = names_of(table, "finding", "label"), names_of(table, "arm", "arm_name")
    cells = cells_of(table)
    figure = go.Figure()
    for i, (finding, label) in enumerate(findings):
        for j, (arm, name) in enumerate(arms):
            row = cells[finding, arm]
            agreement = number(row["raw_agreement"])
            back = _EMPTY if agreement is None else shade(2 * agreement - 1)
            _box(figure, j, i, back)
            mark = "✓" if row["majority"] is True else "·" if row["majority"] is False else NONE
            figure.add_annotation(
                x=j, y=i, showarrow=False, font={"color": ink(back)},
                text=f"{mark}<br>{percent(agreement)}, n {row['readings']}",
                hovertext=(
                    f"{label}, {direction_name(name)}: seen in {with_spread(row, 'share', share=True)} of "
                    f"{counted(row['readings'], 'reading')}, raw agreement "
                    f"{with_spread(row, 'raw_agreement', share=True)}"
                ),
            )  # fmt: skip
    return _grid(figure, [direction_name(n) for _, n in arms], [n for _, n in findings], 56)


def difference_forest(table: pd.DataFrame) -> go.Figure:
    """Prevalence in the counterfactuals minus that in the originals with its 95 % interval, per finding and arm.

    table: from `findings_table`. Undefined ones are left out.
    """
    findings, arms = names_of(table, "finding", "label"), names_of(table, "arm", "arm_name")
    cells = cells_of(table)
    figure = go.Figure()
    step = 0.62 / max(len(arms), 1)
    for j, (arm, name) in enumerate(arms):
        rows = [(i, label, cells[finding, arm]) for i, (finding, label) in enumerate(findings)]
        known = [(i, label, row) for i, label, row in rows if number(row["difference"]) is not None]
        interval_points(
            figure, direction_name(name), j,
            [(row, "difference", i + (j - (len(arms) - 1) / 2) * step,
              f"{label}, {direction_name(name)}: {with_spread(row, 'difference', share=True)}, "
              f"{counted(row['readings'], 'reading')}") for i, label, row in known],
        )  # fmt: skip
    plain(figure, 100 + (30 + 18 * len(arms)) * len(findings))
    _difference_axis(figure, "Counterfactuals − originals (percentage points)")
    figure.update_yaxes(
        range=[len(findings) - 0.5, -0.5],
        tickvals=list(range(len(findings))),
        ticktext=[folded(n) for _, n in findings],
    )
    return figure


def _difference_axis(figure: go.Figure, title: str) -> None:
    values = [-1, -0.5, 0, 0.5, 1]
    texts = [decimal(100 * v, 0) for v in values]
    figure.update_xaxes(range=[-1.05, 1.05], tickvals=values, ticktext=texts, gridcolor=GRID, title=axis_title(title))
    for value in values:
        colour = "#8a94a6" if value == 0 else GRID
        figure.add_shape(
            type="line", x0=value, x1=value, y0=0, y1=1, yref="paper", line={"color": colour, "width": 1}, layer="below"
        )


def interval_points(
    figure: go.Figure, name: str, j: int, rows: Sequence[tuple[Mapping[Any, Any], str, float, str]]
) -> None:
    """One trace of estimates with their intervals: (row, column, height, text) each."""
    x, y, below, above, text = [], [], [], [], []
    for row, column, height, words in rows:
        value = number(row[column]) or 0.0
        low, high = number(row.get(f"{column}_low")), number(row.get(f"{column}_high"))
        x.append(value)
        y.append(height)
        below.append(value - (value if low is None else low))
        above.append((value if high is None else high) - value)
        text.append(words)
    figure.add_scatter(
        x=x, y=y, mode="markers", name=name, text=text, hovertemplate="%{text}<extra></extra>",
        error_x={"type": "data", "array": above, "arrayminus": below, "thickness": 2, "width": 0},
        marker={"size": 10, "color": ARM_COLOURS[j % 6], "symbol": MARKERS[j % 6]},
    )  # fmt: skip


def prevalence_slopes(table: pd.DataFrame) -> go.Figure:
    """Prevalence in the originals and in the counterfactuals joined by a line, a finding each, arms side by side.

    table: from `findings_table`.
    """
    findings, arms = names_of(table, "finding", "label"), names_of(table, "arm", "arm_name")
    cells = cells_of(table)
    figure = go.Figure()
    for i, (finding, label) in enumerate(findings):
        for j, (arm, name) in enumerate(arms):
            row = cells[finding, arm]
            ends = ("prevalence_original", "prevalence_counterfactual")
            y = [number(row[end]) for end in ends]
            if any(v is None for v in y):
                continue
            figure.add_scatter(
                x=[2 * j, 2 * j + 1], y=[100 * (v or 0.0) for v in y], mode="lines+markers", name=label,
                legendgroup=finding, showlegend=j == 0,
                line={"color": ARM_COLOURS[i % 6], "width": 2, "dash": "dot" if i >= 6 else "solid"},
                marker={"size": 8, "color": ARM_COLOURS[i % 6], "symbol": MARKERS[i % 6]},
                text=[f"{label}, {direction_name(name)}, {words}: {with_spread(row, end, share=True)}"
                      for end, words in zip(ends, ("originals", "counterfactuals"), strict=True)],
                hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    plain(figure, 420)
    ticks = [t for j in range(len(arms)) for t in (2 * j, 2 * j + 1)]
    words = [t for _, name in arms for t in (f"{direction_name(name)}<br>original", "<br>counterfactual")]
    figure.update_xaxes(tickvals=ticks, ticktext=words, range=[-0.5, 2 * len(arms) - 0.5], showgrid=False)
    figure.update_yaxes(range=[-4, 104], dtick=20, ticksuffix=" %", showgrid=True, gridcolor=GRID)
    return figure


def reader_pairs_heat(pairs: pd.DataFrame, column: str = "value") -> go.Figure:
    """Readers by readers: agreement of each pair over all findings, with its 95 % interval.

    pairs: first, second, `column` with _low and _high (or low and high), n: from `pairs_of_readers`.
    """
    readers = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    figure = go.Figure()
    place = {reader: i for i, reader in enumerate(readers)}
    for row in pairs.to_dict("records"):
        value = number(row[column])
        low, high = (number(row.get(f"{column}_{end}", row.get(end))) for end in ("low", "high"))
        back = _EMPTY if value is None else shade(value)
        interval = "" if low is None or high is None else f"{decimal(low)} to {decimal(high)}"
        for x, y in ((place[row["first"]], place[row["second"]]), (place[row["second"]], place[row["first"]])):
            _box(figure, x, y, back)
            figure.add_annotation(
                x=x, y=y, showarrow=False, font={"color": ink(back)}, text=f"{decimal(value)}<br>{interval}",
                hovertext=f"{row['first']} and {row['second']}: {counted(int(row['n']), 'answer')} that both gave",
            )  # fmt: skip
    return _grid(figure, readers, readers, 52)


def comparison_forest(table: pd.DataFrame, column: str = "difference") -> go.Figure:
    """Differences between arms (second - first) with 95 % intervals, a line each, corrected p beside it.

    table: from `compare_arms`: label, first_name, second_name (or first, second), `column`, p_adjusted, adjustment.
    """
    figure = go.Figure()
    rows = [row for row in table.to_dict("records") if number(row[column]) is not None]
    one = len({row["label"] for row in rows}) == 1
    interval_points(figure, "", 0, [(row, column, i, _contrast(row, column)) for i, row in enumerate(rows)])
    figure.update_traces(showlegend=False)
    for i, row in enumerate(rows):
        figure.add_annotation(
            x=1.05, y=i, showarrow=False, xanchor="right", yanchor="bottom", font={"size": 11},
            text=f"p {p_value(row['p_adjusted'])}",
        )  # fmt: skip
    plain(figure, 100 + 40 * len(rows))
    _difference_axis(figure, "Second arm − first (percentage points)")
    figure.update_yaxes(
        range=[len(rows) - 0.5, -0.5],
        tickvals=list(range(len(rows))),
        ticktext=[folded(contrast_name(row) if one else f"{row['label']}: {contrast_name(row)}", 34) for row in rows],
    )
    return figure


def contrast_name(row: Mapping[Any, Any]) -> str:
    """ "v1 + against v2 +"."""
    first, second = (str(row.get(f"{end}_name") or row[end]) for end in ("first", "second"))
    return f"{direction_name(first)} against {direction_name(second)}"


def p_value(value: Any) -> str:
    """A p value as journals want it: "< 0.001", "0.014", "0.38", a dash where there is none."""
    p = number(value)
    if p is None:
        return NONE
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def _contrast(row: Mapping[Any, Any], column: str) -> str:
    adjusted = f"p {p_value(row['p_adjusted'])} ({row['adjustment']})"
    return f"{row['label']}, {contrast_name(row)}: {with_spread(row, column, share=True)}, {adjusted}"
