"""Figures as SVG without a browser: the parts of Plotly that the figures of the report are made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from math import ceil, floor, log10
from typing import Any

import plotly.graph_objects as go

_CHARACTER = 6.9
_TEXT, _MUTED, _GRID = "#1b2230", "#465062", "#e8ebf0"
_DASHES = {"dot": "2 3", "dash": "6 4", "dashdot": "6 3 2 3"}
_FAMILY = "Inter, 'Segoe UI', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class _Frame:
    """Where the plot lies in the picture, and the ranges of its axes."""

    left: float
    top: float
    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: Any, y: Any) -> tuple[float, float]:
        """Pixels of a point in data coordinates."""
        return (
            self.left + (float(x) - self.x[0]) / (self.x[1] - self.x[0]) * self.width,
            self.top + (self.y[1] - float(y)) / (self.y[1] - self.y[0]) * self.height,
        )


def svg_of(figure: go.Figure, *, width: int = 820, title: str = "") -> str:
    """A figure of `cfcore.reports` as one SVG element of `width` pixels; its height is the figure's own.

    Drawn are scatter traces (markers, lines, error bars), rectangles, annotations at data coordinates, axes with
    ranges and the legend; nothing else is used by our figures. title: read out by screen readers.

    Raises ValueError for another kind of trace.
    """
    plain = figure.to_plotly_json()
    layout, traces = plain["layout"], plain["data"]
    for trace in traces:
        if trace["type"] != "scatter":
            raise ValueError(f"A trace of type {trace['type']!r} cannot be drawn as SVG: use scatter and shapes.")
    xs, ys = layout.get("xaxis", {}), layout.get("yaxis", {})
    x = _range(xs, [v for t in traces for v in _values(t, "x")])
    y = _range(ys, [v for t in traces for v in _values(t, "y")])
    x_ticks, y_ticks = _ticks(xs, x), _ticks(ys, y)
    left = 14 + max((_width(text) for _, text in y_ticks), default=0) + (22 if _title(ys) else 0)
    on_top = xs.get("side") == "top"
    lines = max((len(_lines(text)) for _, text in x_ticks), default=1)
    room = 10 + 17 * lines + (22 if _title(xs) else 0)
    legend, legend_height = _legend(traces, left, width)
    top = 8 + legend_height + (room if on_top else 6)
    height = float(layout.get("height") or 400)
    frame = _Frame(left, top, width - left - 16, max(height - top - (8 if on_top else room), 40), x, y)
    parts = [*legend, *_shapes(layout, frame), *_x_axis(xs, x_ticks, frame, on_top), *_y_axis(ys, y_ticks, frame)]
    for trace in traces:
        parts += _trace(trace, frame)
    parts += _annotations(layout, frame)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawn" viewBox="0 0 {width} {height:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="{_FAMILY}" font-size="13" fill="{_TEXT}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _values(trace: Mapping[str, Any], name: str) -> list[float]:
    found = trace.get(name)
    return [] if found is None else [float(v) for v in found if v is not None and v == v]


def _range(axis: Mapping[str, Any], values: Sequence[float]) -> tuple[float, float]:
    if axis.get("range"):
        low, high = axis["range"]
        return float(low), float(high)
    low, high = min(values, default=0.0), max(values, default=1.0)
    if axis.get("rangemode") == "tozero":
        low = min(low, 0.0)
    pad = 0.05 * (high - low) or 0.5
    return (low if axis.get("rangemode") == "tozero" else low - pad), high + pad


def _ticks(axis: Mapping[str, Any], bounds: tuple[float, float]) -> list[tuple[float, str]]:
    if axis.get("tickvals") is not None:
        texts = axis.get("ticktext") or axis["tickvals"]
        return [(float(v), str(t)) for v, t in zip(axis["tickvals"], texts, strict=True)]
    low, high = sorted(bounds)
    raw = (high - low) / 6
    power = 10.0 ** floor(log10(raw))
    step = float(axis.get("dtick") or next(s * power for s in (1, 2, 5, 10) if s * power >= raw))
    digits = max(0, ceil(-log10(step) - 1e-9))
    suffix = axis.get("ticksuffix") or ""
    first = ceil(low / step - 1e-9)
    values = [i * step for i in range(first, floor(high / step + 1e-9) + 1)]
    return [(v, f"{v:.{digits}f}".replace("-", "−") + suffix) for v in values]


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return str(title.get("text") or "") if isinstance(title, Mapping) else str(title)


def _lines(text: str) -> list[str]:
    """The lines of a text with Plotly's few tags, the tags gone."""
    return [unescape(re.sub(r"<[^>]+>", "", line)) for line in re.split(r"<br\s*/?>", text)]


def _width(text: str) -> float:
    return max(len(line) for line in _lines(text)) * _CHARACTER


def _text(x: float, y: float, text: str, anchor: str, *, colour: str = "", size: float = 0, small: bool = False) -> str:
    """Text around (x, y), its lines below each other; from the second on smaller where `small`."""
    lines = _lines(text)
    begin = y - 16 * (len(lines) - 1) / 2 + 4.5
    style = (f' fill="{colour}"' if colour else "") + (f' font-size="{size:g}"' if size else "")
    lesser = ' font-size="11.5"' if small else ""
    spans = "".join(
        f'<tspan x="{x:.1f}" y="{begin + 16 * i:.1f}"{lesser if i else ""}>{escape(line)}</tspan>'
        for i, line in enumerate(lines)
    )
    return f'<text text-anchor="{anchor}"{style}>{spans}</text>'


def _x_axis(axis: Mapping[str, Any], ticks: list[tuple[float, str]], frame: _Frame, on_top: bool) -> list[str]:
    parts = []
    grid = axis.get("showgrid") is not False and axis.get("tickvals") is None
    bottom = frame.top + frame.height
    lines = max((len(_lines(text)) for _, text in ticks), default=1)
    for value, text in ticks:
        x, _ = frame.at(value, frame.y[0])
        if grid:
            colour = "#8a94a6" if abs(value) < 1e-9 and min(frame.x) < 0 else axis.get("gridcolor") or _GRID
            parts.append(f'<line x1="{x:.1f}" y1="{frame.top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{colour}"/>')
        y = frame.top - 4 - 8 * lines if on_top else bottom + 6 + 8 * lines
        parts.append(_text(x, y, text, "middle", colour=_MUTED))
    if _title(axis):
        parts.append(
            _text(frame.left + frame.width / 2, bottom + 18 + 17 * lines, _title(axis), "middle", colour=_MUTED)
        )
    return parts


def _y_axis(axis: Mapping[str, Any], ticks: list[tuple[float, str]], frame: _Frame) -> list[str]:
    parts = []
    for value, text in ticks:
        _, y = frame.at(frame.x[0], value)
        if axis.get("showgrid"):
            colour = axis.get("gridcolor") or _GRID
            right = frame.left + frame.width
            parts.append(f'<line x1="{frame.left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" stroke="{colour}"/>')
        parts.append(_text(frame.left - 8, y, text, "end"))
    if _title(axis):
        x, y = 14.0, frame.top + frame.height / 2
        turned = _text(x, y, _title(axis), "middle", colour=_MUTED)
        parts.append(f'<g transform="rotate(-90 {x:.1f} {y:.1f})">{turned}</g>')
    return parts


def _shapes(layout: Mapping[str, Any], frame: _Frame) -> list[str]:
    parts = []
    for shape in layout.get("shapes") or ():
        (x0, y0), (x1, y1) = frame.at(shape["x0"], shape["y0"]), frame.at(shape["x1"], shape["y1"])
        if shape.get("yref") == "paper":
            y0, y1 = frame.top + frame.height, frame.top
        line = shape.get("line") or {}
        stroke, dash = line.get("color") or "none", _DASHES.get(line.get("dash") or "")
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        if shape["type"] == "line":
            parts.append(
                f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{stroke}"{dashed} '
                f'stroke-width="{line.get("width") or 1:g}"/>'
            )
            continue
        parts.append(
            f'<rect x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" width="{abs(x1 - x0):.1f}" height="{abs(y1 - y0):.1f}" '
            f'rx="4" fill="{shape.get("fillcolor") or "none"}" stroke="{stroke}"{dashed} '
            f'stroke-width="{line.get("width") or 0:g}"/>'
        )
    return parts


def _annotations(layout: Mapping[str, Any], frame: _Frame) -> list[str]:
    parts = []
    anchors = {"left": "start", "right": "end"}
    for note in layout.get("annotations") or ():
        x, y = frame.at(note["x"], note["y"])
        font = note.get("font") or {}
        anchor = anchors.get(note.get("xanchor") or "", "middle")
        parts.append(
            _text(
                x,
                y,
                note.get("text") or "",
                anchor,
                colour=font.get("color") or "",
                size=font.get("size") or 0,
                small=True,
            )
        )
    return parts


def _trace(trace: Mapping[str, Any], frame: _Frame) -> list[str]:
    xs, ys = ([] if trace.get(name) is None else list(trace[name]) for name in ("x", "y"))
    points = [frame.at(x, y) for x, y in zip(xs, ys, strict=True)]
    mode, marker, line = trace.get("mode") or "markers", trace.get("marker") or {}, trace.get("line") or {}
    colour = marker.get("color") or line.get("color") or _TEXT
    parts = []
    if "lines" in mode and len(points) > 1:
        dash = _DASHES.get(line.get("dash") or "")
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" '
            f'stroke="{line.get("color") or colour}" stroke-width="{line.get("width") or 2:g}"{dashed}/>'
        )
    parts += _bars(trace, xs, ys, frame, colour)
    if "markers" in mode:
        texts = list(trace.get("text") or [])
        size, opacity = float(marker.get("size") or 8), marker.get("opacity")
        for i, (x, y) in enumerate(points):
            name = f"<title>{escape(_lines(str(texts[i]))[0])}</title>" if i < len(texts) else ""
            parts.append(_marker(marker.get("symbol") or "circle", x, y, size / 2, colour, opacity, name))
    return parts


def _bars(trace: Mapping[str, Any], xs: list[Any], ys: list[Any], frame: _Frame, colour: str) -> list[str]:
    parts = []
    for name, across in (("error_x", True), ("error_y", False)):
        error = trace.get(name) or {}
        above = [] if error.get("array") is None else list(error["array"])
        below = above if error.get("arrayminus") is None else list(error["arrayminus"])
        for x, y, up, down in zip(xs, ys, above, below, strict=False):
            ends = ((x - down, y), (x + up, y)) if across else ((x, y - down), (x, y + up))
            (x0, y0), (x1, y1) = (frame.at(*end) for end in ends)
            parts.append(
                f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" '
                f'stroke-width="{error.get("thickness") or 2:g}"/>'
            )
    return parts


_CORNERS: Mapping[str, Sequence[tuple[float, float]]] = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "diamond": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
    "triangle-up": [(0, -1.2), (1.2, 1), (-1.2, 1)],
    "cross": [(-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4), (0.4, 1.2), (-0.4, 1.2),
              (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4)],
    "x": [(0, -0.5), (0.8, -1.3), (1.3, -0.8), (0.5, 0), (1.3, 0.8), (0.8, 1.3), (0, 0.5), (-0.8, 1.3), (-1.3, 0.8),
          (-0.5, 0), (-1.3, -0.8), (-0.8, -1.3)],
}  # fmt: skip


def _marker(symbol: str, x: float, y: float, r: float, colour: str, opacity: Any, name: str) -> str:
    faint = f' opacity="{opacity:g}"' if opacity is not None else ""
    if symbol not in _CORNERS:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:g}" fill="{colour}"{faint}>{name}</circle>'
    corners = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in _CORNERS[symbol])
    return f'<polygon points="{corners}" fill="{colour}"{faint}>{name}</polygon>'


def _legend(traces: Sequence[Mapping[str, Any]], left: float, width: float) -> tuple[list[str], float]:
    """Marks and names above the plot, in as many rows as they need; nothing for one unnamed trace."""
    named = [t for t in traces if t.get("name") and t.get("showlegend") is not False]
    parts, x, y = [], left, 14.0
    for trace in named:
        name = str(trace["name"])
        needed = 32 + len(name) * _CHARACTER
        if x > left and x + needed > width:
            x, y = left, y + 20
        marker, line = trace.get("marker") or {}, trace.get("line") or {}
        colour = marker.get("color") or line.get("color") or _TEXT
        parts.append(_marker(marker.get("symbol") or "circle", x + 6, y, 5, colour, None, ""))
        parts.append(_text(x + 17, y, name, "start"))
        x += needed
    return parts, (y + 12 if named else 0.0)
