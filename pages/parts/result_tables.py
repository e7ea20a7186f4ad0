"""Findings, ratings and readers of a study."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from cfcore.reports.colours import css, shade
from cfcore.reports.figures import agreement_forest, time_per_case
from cfcore.reports.numbers import decimal, number, percent, spread, with_spread
from cfcore.wording import counted, direction_name, duration
from pages.parts import layout
from pages.parts.heat import heat_table
from pages.parts.result_truth import study_truth
from services.results import StudyResults


def arms_of(found: StudyResults) -> list[tuple[str, str]]:
    """(key, name) of every arm, its direction as people read it."""
    return [(arm.key, direction_name(arm.name)) for arm in found.study.protocol.arms]


def findings_of(found: StudyResults) -> list[tuple[str, str]]:
    """(key, label) of every finding."""
    return [(finding.key, finding.label) for finding in found.study.protocol.findings]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _cells(table: pd.DataFrame, row: str, column: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(record[row], record[column]): record for record in records(table)}


def findings_tab(found: StudyResults) -> None:
    """Table 2 with intervals, the forest of AC1, and every number behind them."""
    cells = _cells(found.findings, "finding", "arm")
    for record in cells.values():
        record["majority"] = bool(record["majority"]) if number(record["majority"]) is not None else None
        record["title"] = (
            f"{record['label']}, {direction_name(record['arm_name'])}: {counted(record['readings'], 'reading')} of "
            f"{counted(record['pairs'], 'pair')}, AC1 {with_spread(record, 'ac1')}, cannot assess {record['cannot']}"
        )
    flips = {
        arm: f"{sum(p.flipped for p in own)} of {len(own)} flipped"
        for arm, _ in arms_of(found)
        if (own := [pair for pair in found.study.pairs if pair.arm == arm])
    }
    main = [finding.key for finding in found.study.protocol.findings if finding.kind == "main"]
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Finding appears in the counterfactual", anchor=False)
        table = heat_table(findings_of(found), arms_of(found), flips, main, lambda f, a: cells.get((f, a)))
        layout.html(table)
        st.caption(
            "Share of readings, 95 % interval (bootstrap over patients, these readers). Tick: seen by the majority of "
            "readers in the majority of cases. Fainter and dashed where readers disagree (AC1 below 0.4). Bold: main "
            "findings. “Appears”: in the counterfactual and not in the original, after sides A and B are decoded."
        )
    with right:
        st.subheader("Agreement (Gwet AC1)", anchor=False)
        st.plotly_chart(
            agreement_forest(found.findings.assign(arm_name=found.findings["arm"].map(dict(arms_of(found))))),
            config={"displayModeBar": False},
            theme=None,
            key="forest",
            alt="Gwet AC1 with interval per finding and arm",
        )
    with st.expander("All numbers", icon=":material/table_rows:"):
        all_numbers(found.findings.assign(arm_name=found.findings["arm"].map(dict(arms_of(found)))))
    study_truth(found)


def all_numbers(table: pd.DataFrame) -> None:
    columns = [
        "Finding", "Arm", "Readings", "Cannot", "Original", "Counterfactual", "Difference", "Raw", "AC1", "Fleiss",
        "Alpha", "PABAK", "Pos. / neg.",
    ]  # fmt: skip
    rows = []
    for record in records(table):
        positive, negative = (number(record.get(f"{name}_agreement")) for name in ("positive", "negative"))
        rows.append(
            (
                record["label"],
                layout.Safe(f"<nobr>{layout.escape(record['arm_name'])}</nobr>"),
                str(record["readings"]),
                str(record["cannot"]),
                _stacked(record, "prevalence_original", share=True),
                _stacked(record, "prevalence_counterfactual", share=True),
                _stacked(record, "difference", share=True),
                _stacked(record, "raw_agreement"),
                _stacked(record, "ac1"),
                _stacked(record, "fleiss"),
                _stacked(record, "alpha"),
                _stacked(record, "brennan_prediger"),
                f"{decimal(positive)} / {decimal(negative)}",
            )
        )
    layout.table(columns, rows, numbers=range(2, 13))
    st.caption(
        "Original, counterfactual and their difference: prevalence in percent as seen in pairs (side by side), not "
        "absolute prevalence. Agreement is on “appears”. Pos. / neg.: specific agreement. Intervals 95 %. “–” where "
        "the readings do not define a number, e.g. kappa when nobody ever ticks."
    )


def _stacked(record: dict[str, Any], name: str, *, share: bool = False) -> layout.Safe:
    """A number with its interval below it, so that thirteen columns fit."""
    value = percent(record[name]) if share else decimal(record[name])
    below = layout.escape(spread(record, name, share=share))
    return layout.Safe(f'<nobr>{layout.escape(value)}</nobr><br><nobr class="muted">{below}</nobr>')


def ratings_tab(found: StudyResults) -> None:
    """How the ratings spread in each arm and how far they agree."""
    if not found.study.protocol.ratings:
        layout.empty("No ratings", "This study asked for findings only.")
        return
    for rating in found.study.protocol.ratings:
        st.subheader(rating.question, anchor=False)
        rows = []
        for record in records(found.ratings[found.ratings["rating"] == rating.key]):
            shares = [number(record.get(f"share_{point}")) or 0.0 for point in range(1, rating.points + 1)]
            rows.append(
                (
                    direction_name(record["arm_name"]),
                    str(record["readings"]),
                    layout.Safe(_bar(shares)),
                    with_spread(record, "mean"),
                    decimal(record["median"], 1).removesuffix(".0"),
                    with_spread(record, "ac2"),
                    with_spread(record, "alpha"),
                    with_spread(record, "icc"),
                    decimal(number(record["kendall_w"])),
                )
            )
        head = f"1 {rating.low} … {rating.points} {rating.high}"
        layout.table(
            ["Arm", "Readings", head, "Mean", "Median", "AC2", "Alpha (ordinal)", "ICC (2,1)", "Kendall W"],
            rows,
            numbers=(1, 3, 4, 5, 6, 7, 8),
        )
        st.space("small")
    st.caption("AC2 with quadratic weights. Intervals 95 %: bootstrap over patients; ICC from F.")


def _bar(shares: list[float]) -> str:
    """A stacked bar from 1 (light) to the highest point (dark), with the percentages as its title."""
    title = ", ".join(f"{point}: {100 * share:.0f} %" for point, share in enumerate(shares, 1))
    shades = [css(shade(0.1 + 0.9 * i / max(1, len(shares) - 1))) for i in range(len(shares))]
    parts = "".join(
        f'<div style="width:{100 * share:.1f}%;background:{colour}"></div>'
        for share, colour in zip(shares, shades, strict=True)
    )
    return (
        f'<div title="{title}" role="img" aria-label="{title}" style="display:flex;width:16rem;height:1rem;'
        f'border-radius:4px;overflow:hidden;border:1px solid #d9dee6">{parts}</div>'
    )


def readers_tab(found: StudyResults) -> None:
    """Each reader's work, and what each saw under one arm."""
    views = {reader.label: reader for reader in found.study.readers}
    rows = []
    for record in records(found.readers):
        reader = views[record["reader"]]
        first = number(record["first_side"])
        rows.append(
            (
                reader.label + (" (simulated)" if reader.simulated else ""),
                reader.display_name,
                f"{record['done']} of {record['planned']}",
                duration(number(record["median_seconds"])),
                str(record["cannot"]),
                str(record["missing"]),
                percent(first),
            )
        )
    layout.table(
        ["Reader", "Name", "Cases", "Median time", "Cannot assess", "No answer", "One-sided answers on A"],
        rows,
        numbers=range(2, 7),
    )
    st.caption("One-sided answers on A: far from 50 % shows a side bias. Names stay out of exports and report.")
    st.space("small")
    arms = dict(arms_of(found))
    arm = st.segmented_control(
        "What each reader saw under", list(arms), default=next(iter(arms)), format_func=arms.__getitem__, required=True
    )
    own = found.per_reader[found.per_reader["arm"] == arm] if len(found.per_reader) else found.per_reader
    cells = _cells(own, "finding", "reader") if len(own) else {}
    main = [finding.key for finding in found.study.protocol.findings if finding.kind == "main"]
    readers = [(label, label) for label in views]
    names = {label: "simulated" if reader.simulated else "" for label, reader in views.items()}
    table = heat_table(findings_of(found), readers, names, main, lambda f, r: cells.get((f, r)))
    layout.html(table)
    st.caption("Share of the reader's cases in which the finding appears, 95 % interval (Wilson).")
    st.subheader("Time per case", anchor=False)
    st.plotly_chart(
        time_per_case(found.decoded),
        config={"displayModeBar": False},
        theme=None,
        key="times",
        alt="Seconds of each case in the order in which each reader saw them",
    )
