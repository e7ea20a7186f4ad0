"""Which true factor each direction moves, in words, as an HTML table and as rows: pages, report and exports alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cfcore.metrics.factor_effects import EffectOf, FactorEffect
from cfcore.metrics.factor_names import LABELS
from cfcore.reports.colours import ACCENT, Colour, css, ink, shade
from cfcore.reports.numbers import NONE, decimal, percent, spread
from cfcore.wording import counted, direction_name

FALLS: Colour = (184, 80, 11)
# Colour is full at this many standard deviations; less than LITTLE is called nothing, less than ASIDE not a leak.
FULL, LITTLE, ASIDE = 1.5, 0.2, 0.25
STYLE = """
<style>
table.factors { border-collapse: separate; border-spacing: 3px; font-size: 0.95rem; line-height: 1.35; }
table.factors th { font-weight: 600; color: #465062; text-align: left; padding: 0.3rem 0.6rem; }
table.factors th .n { display: block; font-weight: 400; font-size: 0.8rem; color: #5b6577; }
table.factors th[scope=row] { font-weight: 400; color: #1b2230; padding: 0 1.25rem 0 0; max-width: 17rem; }
table.factors td { min-width: 7.2rem; height: 2.6rem; text-align: center; border-radius: 6px; padding: 0.2rem;
  border: 2px solid transparent; font-variant-numeric: tabular-nums; background: #fff; }
table.factors td.corner { min-width: 0; }
table.factors td.main { border-color: #1b2230; font-weight: 650; }
table.factors td span { display: block; font-size: 0.8rem; font-weight: 400; }
table.factors tr.sum td, table.factors tr.sum th { height: 2.2rem; background: #f4f6f9; color: #1b2230; }
table.factors tr.sum th { padding-left: 0.4rem; border-radius: 6px; }
ul.factors { list-style: none; padding: 0; margin: 0 0 0.75rem; max-width: 60rem; }
ul.factors li { padding: 0.35rem 0; border-bottom: 1px solid #e8ebf0; }
ul.factors b { font-weight: 650; }
</style>
"""
WHY = "These images are phantoms: every factor of them can be measured, so it is known what a direction brings in."
LEGEND = (
    "Every image is moved along the direction in equal steps and the phantom measured back at each. In the cell: mean "
    "change at the last step in standard deviations of the factor among phantoms (blue rises, orange falls), below it "
    "the mean rank correlation ρ between step and factor within an image. Framed: what the direction moves most. "
    "“Leaks”: share of all change, in standard deviations, that is in other factors than that one."
)
# The factor in a sentence, and how its own unit is written.
_WORDS: Mapping[str, tuple[str, str, str]] = {
    "cardiothoracic_ratio": ("makes the heart wider", "makes the heart narrower", "cardiothoracic ratio {:+.2f}"),
    "effusion": ("adds pleural fluid", "takes pleural fluid away", "{:+.1%} of the height, both sides"),
    "mediastinal_shift": ("shifts the mediastinum to one side", "shifts it to the other side", "{:+.2f} half-widths"),
    "atelectasis": ("collapses a lower lobe", "opens a collapsed lobe", "{:+.2f} on a scale of 0 to 1 a side"),
    "opacity": ("adds an opacity", "clears an opacity", "{:+.2f} on a scale of 0 to 1"),
    "lucency": ("makes the lungs more lucent", "makes the lungs less lucent", "{:+.2f} on a scale of 0 to 1"),
    "congestion": ("congests the vessels", "clears the vessels", "{:+.2f} on a scale of 0 to 1"),
    "barrel": ("makes the thorax barrel-shaped", "makes the thorax less barrel-shaped", "{:+.2f}, 0 to 1"),
    "build": ("makes the patient stouter", "makes the patient slimmer", "{:+.2f} on a scale of -1 to 1"),
    "age": ("makes the patient look older", "makes the patient look younger", "{:+.0f} years"),
    "device": ("draws a pacemaker", "removes the pacemaker", "detection score {:+.2f}"),
}  # fmt: skip


def in_unit(effect: FactorEffect) -> str:
    """A change in the factor's own unit: "cardiothoracic ratio +0.08"."""
    if effect.change.value is None:
        return NONE
    return _true_minus(_WORDS[effect.factor][2].format(effect.change.value + 0.0))


def sentence(found: EffectOf) -> str:
    """What a direction does, for people: what it moves most, what else moves, whether a pacemaker appears."""
    effect = found.effect
    if effect.main is None or effect.leakage is None:
        return "none of its pictures could be measured."
    main = effect.of(effect.main)
    size = main.standardised or 0.0
    if abs(size) < LITTLE:
        said = f"moves no factor by more than {decimal(LITTLE, 1)} standard deviations."
    else:
        said = f"{_what(main)}: {in_unit(main)} ({_sd(size)}, {_steady(main)})."
        aside = sorted((e for e in effect.effects if e.factor != effect.main), key=lambda e: -abs(e.standardised or 0))
        others = [f"{_what(e)} ({_sd(e.standardised or 0)})" for e in aside if abs(e.standardised or 0) >= ASIDE][:3]
        alone = "Little else moves" if not others else f"It also {_listed(others)}"
        said += f" {alone}; {percent(effect.leakage)} of all change is in other factors."
    if found.pacemaker.yes:
        share = percent(found.pacemaker.appears.value)
        said += f" It reveals a pacemaker: one appears in {share} of the {found.pacemaker.appears.n} images without."
    return said


def sentences_html(found: Sequence[EffectOf]) -> str:
    """A line of words for each direction."""
    lines = (f"<li><b>{escape(direction_name(one.direction))}</b> {escape(sentence(one))}</li>" for one in found)
    return f'{STYLE}<ul class="factors">{"".join(lines)}</ul>'


def table_html(found: Sequence[EffectOf]) -> str:
    """Factors (rows) by directions (columns); at least one direction."""
    head = "".join(
        f'<th scope="col">{escape(direction_name(one.direction))}<span class="n">{_measured(one)}</span></th>'
        for one in found
    )
    body = []
    for factor, label in LABELS.items():
        cells = "".join(_cell(one.effect.of(factor), one.effect.main == factor) for one in found)
        body.append(f'<tr><th scope="row">{escape(label.split(" (")[0])}</th>{cells}</tr>')
    leaks = "".join(f"<td>{percent(one.effect.leakage)}</td>" for one in found)
    device = "".join(f"<td>{_pacemaker(one)}</td>" for one in found)
    body.append(f'<tr class="sum"><th scope="row">Leaks into other factors</th>{leaks}</tr>')
    body.append(f'<tr class="sum"><th scope="row">A pacemaker appears</th>{device}</tr>')
    top = f'<thead><tr><td class="corner"></td>{head}</tr></thead>'
    table = f'<table class="factors">{top}<tbody>{"".join(body)}</tbody></table>'
    return f'{STYLE}<div style="overflow-x:auto">{table}</div>'


def section(
    found: Sequence[EffectOf],
    arms: Sequence[str] = (),
    findings: Sequence[tuple[str, Sequence[Mapping[str, Any] | None]]] = (),
) -> str:
    """The report's section; "" without a direction.

    arms: names of the columns of `findings`: rows of (label, cells), a cell with "share" (in [0, 1]) of the pairs in
    which the finding truly appears, "share_low", "share_high", "majority" and "readers", their share or None.
    """
    if not found:
        return ""
    truth = ""
    if findings:
        head = "".join(f'<th scope="col">{escape(arm)}</th>' for arm in arms)
        body = "".join(
            f'<tr><th scope="row">{escape(label)}</th>{"".join(_truth_cell(cell) for cell in cells)}</tr>'
            for label, cells in findings
        )
        truth = (
            '<h3>Finding truly appears in the counterfactual</h3><div class="scroll"><table class="heat">'
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            '<p class="caption">Share of pairs whose counterfactual has the finding and whose original has not, by '
            "measurement of the pixels, 95 % interval (Wilson); below it the share of readings. Tick: in the majority "
            "of pairs.</p>"
        )
    return (
        '<section id="true-factors"><h2>What the directions really move</h2>'
        f"<p>{escape(WHY)}</p>{sentences_html(found)}{table_html(found)}"
        f'<p class="caption">{escape(LEGEND)}</p>{truth}</section>'
    )


def _truth_cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None or cell["share"] is None:
        return f"<td>{NONE}</td>"
    back = shade(cell["share"])
    tick = "✓ " if cell["majority"] else ""
    interval = spread(cell, "share", share=True)
    return (
        f'<td style="background:{css(back)};color:{ink(back)}">{tick}{percent(cell["share"])}'
        f"<span>{interval}</span><span>readers {percent(cell['readers'])}</span></td>"
    )


def rows(found: Sequence[EffectOf]) -> list[dict[str, Any]]:
    """One row per direction and factor: what a table of numbers or a CSV shows."""
    return [
        {
            "direction": one.direction,
            "rank": one.rank,
            "factor": effect.factor,
            "label": LABELS[effect.factor],
            "change": effect.change.value,
            "change_low": effect.change.low,
            "change_high": effect.change.high,
            "standardised": effect.standardised,
            "rank_correlation": effect.correlation,
            "main": effect.factor == one.effect.main,
            "leakage": one.effect.leakage,
            "images_measured": one.effect.measurable,
            "images": one.effect.n,
            "pacemaker_appears": one.pacemaker.appears.value,
            "pacemaker_revealed": one.pacemaker.yes,
        }
        for one in found
        for effect in one.effect.effects
    ]


def _cell(effect: FactorEffect, main: bool) -> str:
    size = effect.standardised
    if size is None:
        return f'<td style="background:#f4f6f9;color:#5b6577">{NONE}</td>'
    full = ACCENT if size >= 0 else FALLS
    weight = min(abs(size) / FULL, 1.0)
    back: Colour = tuple(round(255 + weight * (c - 255)) for c in full)  # type: ignore[assignment]
    change = effect.change
    interval = "" if change.low is None or change.high is None else f", 95 % interval {_pair(change.low, change.high)}"
    title = escape(f"{LABELS[effect.factor]}: {in_unit(effect)}{interval}, {counted(change.n, 'image')}")
    mark = "● " if main else ""
    return (
        f'<td{" class=main" if main else ""} title="{title}" style="background:{css(back)};color:{ink(back)}">'
        f"{mark}{_sd(size)}<span>ρ {_signed(effect.correlation)}</span></td>"
    )


def _measured(found: EffectOf) -> str:
    effect = found.effect
    if effect.measurable == effect.n:
        return counted(effect.n, "image")
    return f"{effect.measurable} of {effect.n} measured"


def _pacemaker(found: EffectOf) -> str:
    appears = found.pacemaker.appears
    if appears.value is None:
        return NONE
    mark = "✓ " if found.pacemaker.yes else ""
    return f"{mark}{round(appears.value * appears.n)} of {appears.n}"


def _what(effect: FactorEffect) -> str:
    rises, falls, _ = _WORDS[effect.factor]
    return rises if (effect.standardised or 0.0) >= 0 else falls


def _steady(effect: FactorEffect) -> str:
    size = abs(effect.correlation or 0.0)
    words = "step by step" if size >= 0.8 else "mostly step by step" if size >= 0.5 else "not steadily"
    return f"{words}, ρ {_signed(effect.correlation)}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _sd(size: float) -> str:
    return "0.0 SD" if abs(size) < 0.05 else f"{_true_minus(f'{size:+.1f}')} SD"


def _signed(value: float | None) -> str:
    return NONE if value is None else _true_minus(f"{round(value, 2) + 0.0:+.2f}")


def _pair(low: float, high: float) -> str:
    digits = 0 if max(abs(low), abs(high)) >= 10 else 3
    return f"{decimal(low, digits)} to {decimal(high, digits)}"


def _true_minus(text: str) -> str:
    return text.replace("-", "−")
