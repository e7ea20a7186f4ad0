"""Rows of the report's tables as its template fills them in: numbers already written out, footnotes collected."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from cfcore.reports.colours import DISAGREE, css, ink, shade
from cfcore.reports.content import ReportContent
from cfcore.reports.figures import COEFFICIENT_NAMES
from cfcore.reports.footnotes import Footnotes
from cfcore.reports.numbers import NONE, decimal, number, percent, spread, with_spread
from cfcore.reports.svg import scale_bar


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as dictionaries by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def heat_cell(row: Mapping[str, Any], notes: Footnotes) -> dict[str, Any]:
    """A cell of the findings' table: share, interval, colour, tick of the majority, footnote mark."""
    share, ac1 = number(row.get("share")), number(row.get("ac1"))
    if share is None:
        return {
            "share": NONE,
            "interval": "",
            "style": "",
            "tick": False,
            "faint": False,
            "mark": notes.mark("no reading"),
        }
    faint = ac1 is not None and ac1 < DISAGREE
    back = shade(share, faint)
    return {
        "share": percent(share),
        "interval": spread(row, "share", share=True),
        "style": f"background:{css(back)};color:{ink(back)}",
        "tick": row.get("majority") is True,
        "faint": faint,
        "mark": notes.of(row, "share"),
    }


def summary(rows: Mapping[tuple[str, str], Mapping[str, Any]], content: ReportContent) -> list[dict[str, Any]]:
    """For each arm what the majority saw, strongest first, in words."""
    lines = []
    for arm in content.protocol.arms:
        seen = [
            (f.label, rows[f.key, arm.key])
            for f in content.protocol.findings
            if rows.get((f.key, arm.key), {}).get("majority") is True
        ]
        seen.sort(key=lambda item: -(number(item[1]["share"]) or 0))
        found = [
            f"{label} ({with_spread(row, 'share', share=True).replace(' (', ', ').rstrip(')')})" for label, row in seen
        ]
        lines.append({"arm": arm.name, "found": found})
    return lines


def agreement_rows(
    rows: Mapping[tuple[str, str], Mapping[str, Any]], content: ReportContent, notes: Footnotes
) -> list[Any]:
    """A row per finding and arm: every coefficient with its interval."""
    columns = [*COEFFICIENT_NAMES, "positive_agreement", "negative_agreement"]
    table = []
    for finding in content.protocol.findings:
        for i, arm in enumerate(content.protocol.arms):
            row = rows.get((finding.key, arm.key), {})
            cells = []
            for name in columns:
                mark = notes.of(row, name)
                cells.append({"value": decimal(row.get(name)), "interval": spread(row, name), "mark": mark})
            table.append(
                {
                    "label": finding.label if i == 0 else "",
                    "span": len(content.protocol.arms),
                    "arm": arm.name,
                    "cells": cells,
                    "prevalence_index": decimal(row.get("prevalence_index")),
                    "bias_index": decimal(row.get("bias_index")),
                }
            )
    return table


def prevalence_rows(
    rows: Mapping[tuple[str, str], Mapping[str, Any]], content: ReportContent, notes: Footnotes
) -> list[dict[str, Any]]:
    """A row per finding and arm: prevalence in originals and counterfactuals, and their paired difference."""
    table = []
    for finding in content.protocol.findings:
        for i, arm in enumerate(content.protocol.arms):
            row = rows.get((finding.key, arm.key), {})
            table.append(
                {
                    "label": finding.label if i == 0 else "",
                    "span": len(content.protocol.arms),
                    "arm": arm.name,
                    "counts": [row.get(name, 0) for name in ("pairs", "readers", "readings", "cannot", "missing")],
                    "cells": [
                        {
                            "value": percent(row.get(name)),
                            "interval": spread(row, name, share=True),
                            "mark": notes.of(row, name),
                        }
                        for name in ("prevalence_original", "prevalence_counterfactual", "difference")
                    ],
                }
            )
    return table


def reader_shares(content: ReportContent) -> list[dict[str, Any]]:
    """Per arm a table of findings by readers: share and paired difference."""
    cells = {(r["reader"], r["finding"], r["arm"]): r for r in records(content.per_reader)}
    readers = list(dict.fromkeys(key[0] for key in cells))
    if not readers:
        return []
    return [
        {
            "arm": arm.name,
            "readers": readers,
            "rows": [
                {
                    "label": f.label,
                    "cells": [
                        {
                            "share": with_spread(cells.get((r, f.key, arm.key), {}), "share", share=True),
                            "difference": with_spread(cells.get((r, f.key, arm.key), {}), "difference", share=True),
                        }
                        for r in readers
                    ],
                }
                for f in content.protocol.findings
            ],
        }
        for arm in content.protocol.arms
    ]


def rating_rows(content: ReportContent, notes: Footnotes) -> list[dict[str, Any]]:
    """A row per rating and arm: mean, how the points were used, agreement."""
    by_key = {(r["rating"], r["arm"]): r for r in records(content.ratings)}
    table = []
    for rating in content.protocol.ratings:
        for i, arm in enumerate(content.protocol.arms):
            row = by_key.get((rating.key, arm.key), {})
            shares = [number(row.get(f"share_{p}")) for p in range(1, rating.points + 1)]
            table.append(
                {
                    "question": rating.question if i == 0 else "",
                    "ends": f"1 {rating.low}, {rating.points} {rating.high}",
                    "span": len(content.protocol.arms),
                    "arm": arm.name,
                    "readings": row.get("readings", 0),
                    "mean": {
                        "value": decimal(row.get("mean")),
                        "interval": spread(row, "mean"),
                        "mark": notes.mark(row.get("mean_note")),
                    },
                    "bar": Markup(scale_bar(shares)),
                    "cells": [
                        {
                            "value": decimal(row.get(n)),
                            "interval": spread(row, n),
                            "mark": notes.mark(row.get(f"{n}_note")),
                        }
                        for n in ("ac2", "alpha", "icc", "icc_mean", "kendall_w")
                    ],
                }
            )
    return table


def cohen_rows(table: pd.DataFrame | None, notes: Footnotes) -> list[dict[str, Any]]:
    """A row per pair of readers; none where there is no table."""
    return [
        {
            "pair": f"{row['first']} and {row['second']}",
            "value": with_spread(row, "value") if number(row["value"]) is None else decimal(row["value"]),
            "interval": f"{decimal(row['low'])} to {decimal(row['high'])}" if number(row["low"]) is not None else "",
            "n": row["n"],
            "mark": notes.mark(row["note"]),
        }
        for row in records(table if table is not None else pd.DataFrame())
    ]
