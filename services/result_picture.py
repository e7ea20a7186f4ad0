"""The findings table as a picture, for the notebook."""

from __future__ import annotations

import io

from PIL import Image as Pillow
from PIL import ImageDraw

from cfcore.reports.colours import from_hex, ink, shade
from cfcore.reports.font import sans
from cfcore.wording import direction_name
from services.results import StudyResults

INK, MUTED = (27, 34, 48), (91, 101, 119)
LABEL, CELL, ROW, GAP, SCALE = 300, 150, 52, 4, 2


def findings_png(found: StudyResults) -> bytes:
    """Share of readings in which each finding (row) appears under each arm (column), with its interval, as PNG.

    A tick marks what the majority of readers saw in the majority of cases.
    """
    findings, arms = found.study.protocol.findings, found.study.protocol.arms
    width, height = LABEL + CELL * len(arms), 40 + ROW * len(findings)
    picture = Pillow.new("RGB", (SCALE * width, SCALE * height), "white")
    draw = ImageDraw.Draw(picture)
    cells = {(row["finding"], row["arm"]): row for row in found.findings.to_dict("records")}
    for i, arm in enumerate(arms):
        _text(draw, (LABEL + (i + 0.5) * CELL, 20), direction_name(arm.name), 14, INK, "mm")
    for j, finding in enumerate(findings):
        top = 40 + j * ROW
        _text(draw, (8, top + ROW / 2), finding.label, 13, INK, "lm")
        for i, arm in enumerate(arms):
            row, left = cells[finding.key, arm.key], LABEL + i * CELL
            share = row["share"]
            known = share is not None and share == share
            fill = shade(float(share)) if known else (244, 246, 249)
            box = [SCALE * v for v in (left + GAP / 2, top + GAP / 2, left + CELL - GAP / 2, top + ROW - GAP / 2)]
            draw.rounded_rectangle(box, radius=6 * SCALE, fill=fill)
            if not known:
                _text(draw, (left + CELL / 2, top + ROW / 2), "no reading", 13, MUTED, "mm")
                continue
            text = from_hex(ink(fill))
            _text(draw, (left + CELL / 2, top + 18), f"{100 * share:.0f} %", 15, text, "mm")
            if row["majority"]:
                _tick(draw, (left + CELL / 2 - 40, top + 18), text)
            low, high = row["share_low"], row["share_high"]
            if low is not None and high is not None and low == low:
                _text(draw, (left + CELL / 2, top + 37), f"{100 * low:.0f} to {100 * high:.0f}", 11, text, "mm")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _tick(draw: ImageDraw.ImageDraw, at: tuple[float, float], fill: tuple[int, int, int]) -> None:
    """Drawn, so that it looks the same in any font."""
    corners = [(SCALE * (at[0] + x), SCALE * (at[1] + y)) for x, y in ((-6, 0), (-2, 5), (6, -6))]
    draw.line(corners, fill=fill, width=2 * SCALE, joint="curve")


def _text(
    draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, fill: tuple[int, int, int], anchor: str
) -> None:
    draw.text((at[0] * SCALE, at[1] * SCALE), text, fill=fill, font=sans(size * SCALE), anchor=anchor)
