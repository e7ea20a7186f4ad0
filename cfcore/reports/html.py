"""The study report: one HTML file that loads nothing from elsewhere, reads on a screen and prints.

Its figures are drawings; where the report is interactive, Plotly's own scripts, and no others, may replace them.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from cfcore.reports import sections
from cfcore.reports.checklists import claim, grras, share_reported
from cfcore.reports.colours import DISAGREE
from cfcore.reports.content import ReportCase, ReportContent, ReportEntry
from cfcore.reports.factors import section as factors_section
from cfcore.reports.figures import COEFFICIENT_NAMES
from cfcore.reports.footnotes import Footnotes
from cfcore.reports.html_rows import (
    agreement_rows,
    cohen_rows,
    heat_cell,
    prevalence_rows,
    rating_rows,
    reader_shares,
    records,
    summary,
)
from cfcore.reports.interactive import NO_SCRIPTS, Figure, scripts
from cfcore.reports.markup import safe_html
from cfcore.reports.methods import methods_text
from cfcore.reports.numbers import decimal, folding, number, percent
from cfcore.reports.outside import accuracy_block, adjudication_block, outside_figures
from cfcore.reports.svg import forest_svg
from cfcore.study.protocol import Protocol
from cfcore.study.resampling import RESAMPLES
from cfcore.wording import counted, direction_name, duration

MAX_BYTES = 1_000_000
# Bytes of markup around a picture, generously.
_FRAME = 400
_TEMPLATES = Path(__file__).parent / "templates"
_TESTS = ("confirmatory", "comparisons", "checks", "repeated", "controls", "blinding", "questions")
_PNG = b"\x89PNG\r\n\x1a\n"

LIMITATIONS: tuple[str, ...] = (
    "Prevalence is as seen in pairs: a reader who sees original and counterfactual side by side compares them, and "
    "absolute prevalence would need images shown one at a time.",
    "Intervals describe these readers on patients like these. They say nothing about other readers.",
    "The patient is the unit. With few patients, intervals are wide, and a finding that is rare among them may have "
    "an agreement coefficient that is not defined or that hangs on a single case.",
    "Kappa-type coefficients (Fleiss, Conger, Krippendorff) fall when nearly all readings are the same, whatever the "
    "readers do; AC1 and raw agreement stand beside them for that reason.",
    "What was not locked as a hypothesis is exploratory, whatever its p value.",
    "A finding that appears under a direction shows what moves the classifier, not what causes the disease.",
)


class _Pictures:
    """Embeds PNGs until the budget is used up, so that the file stays small enough to mail."""

    def __init__(self, budget: int) -> None:
        self.left, self.skipped = budget, 0

    def uri(self, png: bytes | None) -> str | None:
        """A data URI; None where there is no picture or no room. Raises ValueError for what is not a PNG."""
        if not png:
            return None
        if not png.startswith(_PNG):
            raise ValueError("A picture of the report is not a PNG: convert it first.")
        size = 4 * ((len(png) + 2) // 3)
        if size > self.left:
            self.skipped += 1
            return None
        self.left -= size
        return "data:image/png;base64," + base64.b64encode(png).decode()


# Answers that say where a finding is.
SEEN = ("appears", "disappears", "both", "neither")


def _cases(content: ReportContent, pictures: _Pictures) -> list[dict[str, Any]]:
    names = {arm.key: arm.name for arm in content.protocol.arms}

    def shown(case: ReportCase) -> dict[str, Any]:
        images = [{"caption": p.caption, "uri": pictures.uri(p.png)} for p in case.pictures]
        # As in every table: first readings, of readers who could assess the finding.
        appears = [
            f"{finding.label} ({k} of {len(said)})"
            for finding in content.protocol.findings
            for said in [[r.seen[finding.key] for r in case.readings if r.first and r.seen.get(finding.key) in SEEN]]
            if (k := said.count("appears"))
        ]
        return {
            "label": case.label,
            "patient": case.patient,
            "arm": names.get(case.arm, case.arm),
            "facts": case.facts,
            "readings": case.readings,
            "pictures": [image for image in images if image["uri"]],
            "appears": appears,
        }

    return [shown(case) for case in content.cases]


def _entries(entries: Iterable[ReportEntry], pictures: _Pictures) -> list[dict[str, Any]]:
    return [
        {
            "title": entry.title,
            "note": Markup(safe_html(entry.note_html)),
            "uri": pictures.uri(entry.png),
            "settings": entry.settings,
        }
        for entry in entries
    ]


def _methods(content: ReportContent) -> list[tuple[str, str]]:
    protocol = content.protocol
    allocation = {
        "own patients": "every arm has its own patients",
        "same patients": "the same patients under every arm",
    }.get(protocol.allocation, protocol.allocation)
    rows: Sequence[tuple[str, str]] = (
        ("Arms", ", ".join(arm.name for arm in protocol.arms)),
        ("Pairs", f"{protocol.n_per_arm} per arm, one image a patient; {allocation}"),
        ("Degree", f"{protocol.degree:g}, fixed; pairs whose class did not flip are kept"),
        ("Rendering", f"{protocol.rendering}; the {protocol.reference} stands for the original"),
        ("Seed", str(protocol.seed)),
        ("Protocol digest", f"SHA-256 {content.digest}"),
    )
    return list(rows)


def study_report(content: ReportContent, *, max_bytes: int = MAX_BYTES, interactive: bool = False) -> str:
    """The report as one HTML document (UTF-8): inline style and SVG, pictures as data URIs.

    max_bytes: about how large the file may get without scripts; pictures that no longer fit are left out, and the
    report says how many. interactive: figures can be zoomed and read out (5 MB of Plotly); else there is no script. All
    text is escaped, notes are cleaned to plain text elements. Raises ValueError for a picture
    that is no PNG.
    """
    content = replace(content, protocol=_for_people(content.protocol))
    bare = _render(content, _Pictures(0))
    shown = len(content.entries) + sum(len(case.pictures) for case in content.cases)
    pictures = _Pictures(max(max_bytes - len(bare.encode()) - _FRAME * shown, 0))
    return _render(content, pictures, interactive)


def report_figures(content: ReportContent) -> list[Figure]:
    """The figures of the report, in their order; none without `content.tables`."""
    if content.tables is None:
        return []
    drawn = sections.study_figures(_for_people(content.protocol), content.tables, content.decoded)
    return [*drawn, *outside_figures(content.outside)]


def _for_people(protocol: Protocol) -> Protocol:
    """The protocol with its directions as people read them; the digest is of the stored one."""
    return replace(protocol, arms=tuple(replace(arm, name=direction_name(arm.name)) for arm in protocol.arms))


def _render(content: ReportContent, pictures: _Pictures, interactive: bool = False) -> str:
    figures = report_figures(content)
    script = scripts(figures) if interactive else NO_SCRIPTS
    rows = {(r["finding"], r["arm"]): r for r in records(content.findings)}
    arms = [(arm.key, arm.name) for arm in content.protocol.arms]
    findings = [(f.key, f.label) for f in content.protocol.findings]
    notes = {name: Footnotes() for name in ("heat", "prevalence", "agreement", "ratings", "cohen")}
    # These are filled while the template runs.
    late = {name: Footnotes() for name in ("tests", "controls")}
    # Before the cases: where room is short, the notebook's pictures come first.
    entries = _entries(content.entries, pictures)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"decimal": decimal, "percent": percent, "duration": duration, "direction": direction_name}
    environment.filters["folding"] = lambda text: Markup(folding(str(escape(text))))
    environment.globals["counted"] = counted
    return environment.get_template("report.html").render(
        content=content,
        protocol=content.protocol,
        line=content.headline,
        style=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        summary=summary(rows, content),
        heat=[
            {
                "label": f.label,
                "main": f.kind == "main",
                "cells": [heat_cell(rows.get((f.key, key), {}), notes["heat"]) for key, _ in arms],
            }
            for f in content.protocol.findings
        ],
        prevalence=prevalence_rows(rows, content, notes["prevalence"]),
        forest=Markup(forest_svg(rows, findings, arms)),
        coefficient_names=[*COEFFICIENT_NAMES.values(), "Positive", "Negative"],
        agreement=agreement_rows(rows, content, notes["agreement"]),
        cohen=cohen_rows(content.pairs_of_readers, notes["cohen"]),
        ratings=rating_rows(content, notes["ratings"]),
        readers=records(content.readers),
        reader_shares=reader_shares(content),
        entries=entries,
        cases=_cases(content, pictures),
        flow_svg=Markup(content.flow_svg),
        kept_back=[
            {"why": one.why, "images": [{"caption": p.caption, "uri": pictures.uri(p.png)} for p in one.pictures]}
            for one in content.kept_back
        ],
        skipped=pictures.skipped,
        methods=_methods(content),
        short_digest=f"sha256 {content.digest[:4]}…{content.digest[-4:]}"
        if len(content.digest) == 64
        else content.digest,
        true_factors=Markup(factors_section(content.true_factors, *_true_findings(content, rows))),
        figures={figure.key: figure.html() for figure in figures},
        script=script,
        **_tests(content),
        **_text(content),
        adjudication=adjudication_block(content.protocol, content.outside),
        accuracy=accuracy_block(content.protocol, content.outside),
        notes={name: collected.items() for name, collected in notes.items()} | late,
        limitations=[*content.limitations, *LIMITATIONS],
        resamples=RESAMPLES,
        disagree=DISAGREE,
        ac1_interval=_bounds(content),
    )


def _tests(content: ReportContent) -> dict[str, Any]:
    """Hypotheses, comparisons, controls and further questions; empty lists without `content.tables`."""
    tables, protocol = content.tables, content.protocol
    if tables is None:
        return {name: [] for name in _TESTS}
    return {
        "confirmatory": sections.confirmatory_rows(protocol, tables.confirmatory),
        "comparisons": sections.comparison_rows(protocol, tables.comparisons),
        "checks": sections.check_rows(tables.checks),
        "repeated": sections.repeated_rows(protocol, tables.repeated_ratings),
        "repeated_heads": sections.REPEATED_HEADS,
        "repeated_said": sections.REPEATED,
        "controls": sections.control_rows(tables.controls),
        "blinding": sections.blinding_rows(protocol, tables.blinding),
        "questions": sections.question_blocks(protocol, tables.questions, tables.strengths),
    }


def _text(content: ReportContent) -> dict[str, Any]:
    """Methods text and checklists; empty without `content.facts`."""
    facts, protocol = content.facts, content.protocol
    if facts is None:
        return {"paragraphs": [], "checklists": [], "facts": None}
    lists = (
        ("GRRAS (Kottner et al. 2011)", grras(protocol, facts, content.headline)),
        ("CLAIM 2024 (Tejani et al. 2024)", claim(protocol, facts, content.headline)),
    )
    return {
        "paragraphs": methods_text(protocol, facts),
        "checklists": [{"name": name, "share": share_reported(items), "items": items} for name, items in lists],
        "facts": facts,
    }


def _true_findings(
    content: ReportContent, rows: Mapping[tuple[str, str], Mapping[str, Any]]
) -> tuple[list[str], list[tuple[str, list[dict[str, Any] | None]]]]:
    """Names of the arms, and for every finding with a known truth its cells: the truth and the readers' share."""
    known = content.true_findings
    table: list[tuple[str, list[dict[str, Any] | None]]] = []
    for finding in content.protocol.findings:
        keys = [(finding.key, arm.key) for arm in content.protocol.arms]
        if any(key in known for key in keys):
            cells = [
                {**known[key], "readers": number(rows.get(key, {}).get("share"))} if key in known else None
                for key in keys
            ]
            table.append((finding.label, cells))
    return [arm.name for arm in content.protocol.arms], table


def _bounds(content: ReportContent) -> str:
    ac1 = content.headline.ac1
    return "" if ac1.low is None or ac1.high is None else f"{decimal(ac1.low)} to {decimal(ac1.high)}"
