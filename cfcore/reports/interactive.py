"""Figures in the report: a drawing that prints, replaced by Plotly's where scripts run; one copy of Plotly for all."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cfcore.reports.drawing import svg_of

# Draws every figure once it is near the window: thirty figures at once would freeze an old machine.
_START = """
(function () {
  var figures = JSON.parse(document.getElementById("figures").textContent);
  function draw(box) {
    var live = box.querySelector(".live"), figure = figures[box.id];
    live.hidden = false;
    Plotly.newPlot(live, figure.data, figure.layout, {displaylogo: false, responsive: true}).then(function () {
      box.classList.add("drawn-live");
    });
  }
  var seen = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
    });
  }, {rootMargin: "400px"});
  document.querySelectorAll("figure.chart").forEach(function (box) { seen.observe(box); });
})();
"""


@dataclass(frozen=True)
class Figure:
    """A figure of the report. `key`: letters, digits and hyphens, unique; `title` is read out and names the file."""

    key: str
    title: str
    caption: str
    figure: go.Figure

    def svg(self, width: int = 820) -> str:
        """The figure as one SVG element."""
        return svg_of(self.figure, width=width, title=self.title)

    def html(self) -> Markup:
        """The figure element: the drawing, a place for the live figure, the caption."""
        return Markup(
            '<figure class="chart" id="{}"><div class="still">{}</div><div class="live" hidden></div>'
            "<figcaption>{}</figcaption></figure>"
        ).format(self.key, Markup(self.svg()), self.caption)


@dataclass(frozen=True)
class Scripts:
    """The scripts of a report, and the policy that lets these and no others run."""

    markup: Markup
    policy: str


NO_SCRIPTS = Scripts(Markup(""), "default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def scripts(figures: Sequence[Figure]) -> Scripts:
    """Plotly once, the figures as JSON, and a few lines that draw them; NO_SCRIPTS where there is no figure."""
    if not figures:
        return NO_SCRIPTS
    plotly = get_plotlyjs()
    data: Mapping[str, dict] = {figure.key: json.loads(figure.figure.to_json()) for figure in figures}
    # Plotly's default template is 8 kB a figure, and ours override it.
    for one in data.values():
        one["layout"].pop("template", None)
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in (plotly, _START))
    return Scripts(
        Markup(
            f"<script>{plotly}</script>\n"
            f'<script type="application/json" id="figures">{text}</script>\n<script>{_START}</script>'
        ),
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src {allowed}",
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
