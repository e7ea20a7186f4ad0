"""Findings, ratings and readers of a study."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from cfcore.reports.charts import difference_forest, majority_table, prevalence_slopes
from cfcore.reports.colours import css, shade
from cfcore.reports.figures import COEFFICIENT_NAMES, agreement_forest
from cfcore.reports.numbers import decimal, number, percent, spread, with_spread
from cfcore.reports.sections import ONCE_PER_ARM, strengths_block
from cfcore.reports.tables import GROUPS
from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.heat import heat_table
from pages.parts.result_truth import study_truth
from pages.parts.result_views import TERMS, chart, plain_table, svg_download
from services.results import StudyResults, findings_by_group


def arms_of(found: StudyResults) -> list[tuple[str, str]]:
    """(key, name) of every arm, its direction as people read it."""
    return [(arm.key, direction_name(arm.name)) for arm in found.study.protocol.arms]


def findings_of(found: StudyResults) -> list[tuple[str, str]]:
    """(key, label) of every finding."""
    return [(finding.key, finding.label) for finding in found.study.protocol.findings]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def cells_by(table: pd.DataFrame, row: str, column: str) -> dict[tuple[str, str], dict[str, Any]]:
    """(row, column) -> the record that stands there."""
    return {(record[row], record[column]): record for record in records(table)}


VIEWS = {
    "shares": "Shares",
    "table-2": "Table 2",
    "difference": "Differences",
    "slopes": "Slopes",
}
TITLES = {
    "difference": "Prevalence: counterfactuals minus originals",
    "slopes": "Prevalence in originals and counterfactuals",
}
CAPTIONS = {
    "shares": (
        "Share of readings, 95 % interval (bootstrap over patients, these readers). Tick: seen by the majority of "
        "readers "
        "in the majority of cases. Fainter and dashed where readers disagree (AC1 below 0.4). Bold: main findings. "
        "“Appears”: in the counterfactual and not in the original, after sides A and B are decoded."
    ),
    "table-2": (
        "As the paper’s Table 2: a tick where the majority of readers saw the finding in the majority of cases; the "
        "darker, "
        "the higher the raw agreement (below the tick, with the number of readings)."
    ),
    "difference": (
        "Prevalence in counterfactuals minus prevalence in originals, as seen in pairs, 95 % interval (bootstrap over "
        "patients). Right of 0: the finding is brought in, left: it is taken away."
    ),
    "slopes": "Prevalence as seen in pairs, in originals and in their counterfactuals.",
}


def findings_tab(found: StudyResults) -> None:
    """What appears under which arm (or in which class of images), the agreement, and every number behind it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Show", list(VIEWS), default="shares", format_func=VIEWS.__getitem__, required=True, key="findings-view"
        )
        table, columns, heads = grouped(found)
    left, right = st.columns([3, 2], gap="large")
    with left:
        title = TITLES.get(view or "", "Finding appears in the counterfactual")
        st.subheader(title, anchor=False, help=TERMS["prevalence"])
        if view == "shares":
            shares(found, table, columns, heads)
        else:
            figure = {"table-2": majority_table, "difference": difference_forest, "slopes": prevalence_slopes}[view](
                table
            )
            chart(figure, f"findings-{view}", VIEWS[view])
            svg_download(found, figure, view, VIEWS[view])
        st.caption(CAPTIONS[view])
    with right:
        names = {key: name for key, name in COEFFICIENT_NAMES.items() if key != "raw_agreement"}
        st.subheader("Agreement", anchor=False, help=TERMS["AC1"])
        coefficient = st.selectbox("Coefficient", list(names), format_func=names.__getitem__, index=0, width=220)
        forest = agreement_forest(table, coefficient)
        chart(forest, "forest", f"{names[coefficient]} with interval per finding and arm")
        svg_download(found, forest, "agreement", names[coefficient])
    with st.expander("All numbers", icon=":material/table_rows:"):
        all_numbers(table)
    study_truth(found)


def grouped(found: StudyResults) -> tuple[pd.DataFrame, list[tuple[str, str]], dict[str, str]]:
    """The findings by what is chosen: the table, its columns (key, name), and a small line below each name."""
    ways = {"arm": "arm"} | {
        column: name for column, name in GROUPS.items() if column != "pair" and found.decoded[column].nunique() > 1
    }
    if len(set(found.methods.values())) > 1:
        ways["method"] = "method"
    by = "arm"
    if len(ways) > 1:
        by = st.segmented_control("By", list(ways), default="arm", format_func=ways.__getitem__, required=True) or "arm"
    if by == "arm":
        table = found.findings.assign(arm_name=found.findings["arm"].map(dict(arms_of(found))))
        flips = {
            arm: f"{sum(p.flipped for p in own)} of {len(own)} flipped"
            for arm, _ in arms_of(found)
            if (own := [pair for pair in found.study.pairs if pair.arm == arm])
        }
        return table, arms_of(found), {arm: f"{n}\n{flips.get(arm, '')}" for arm, n in counts(table).items()}
    words = {"true": "flipped", "false": "did not flip"} if by == "flipped" else {}
    table, groups = findings_by_group(found, by)
    columns = [(group.key, words.get(group.key.casefold(), group.name)) for group in groups]
    return table.assign(arm_name=table["arm"].map(dict(columns))), columns, counts(table)


def counts(table: pd.DataFrame) -> dict[str, str]:
    """Column -> "30 readings", or "28 to 30 readings" where findings differ."""
    ranges = table.groupby("arm", sort=False)["readings"].agg(["min", "max"])
    return {
        str(arm): counted(high, "reading") if low == high else f"{low} to {counted(high, 'reading')}"
        for arm, low, high in ranges.itertuples()
    }


def shares(found: StudyResults, table: pd.DataFrame, columns: list[tuple[str, str]], heads: dict[str, str]) -> None:
    cells = cells_by(table, "finding", "arm")
    for record in cells.values():
        record["majority"] = bool(record["majority"]) if number(record["majority"]) is not None else None
        record["title"] = (
            f"{record['label']}, {record['arm_name']}: {counted(record['readings'], 'reading')} of "
            f"{counted(record['pairs'], 'pair')}, AC1 {with_spread(record, 'ac1')}, cannot assess {record['cannot']}"
        )
    main = [finding.key for finding in found.study.protocol.findings if finding.kind == "main"]
    layout.html(heat_table(findings_of(found), columns, heads, main, lambda f, a: cells.get((f, a))))


def all_numbers(table: pd.DataFrame) -> None:
    columns = [
        "Finding", "Arm", "Readings", "Cannot assess", "Original", "Counterfactual", "Difference", "Raw", "AC1",
        "Fleiss", "Alpha", "PABAK", "Pos. / neg.",
    ]  # fmt: skip
    rows = []
    for record in records(table):
        positive, negative = (number(record.get(f"{name}_agreement")) for name in ("positive", "negative"))
        rows.append(
            (
                record["label"],
                layout.unbroken(record["arm_name"]),
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
    if not found.study.protocol.ratings and not found.tables.questions:
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
    if found.study.protocol.ratings:
        st.caption("AC2 with quadratic weights. Intervals 95 %: bootstrap over patients; ICC from F.")
    asked = {question.key: question for question in found.study.protocol.questions}
    for key, table in found.tables.questions.items():
        question = asked.get(key)
        once = question is not None and question.ask == "series"
        st.subheader(key if question is None else question.text, anchor=False)
        if once:
            st.caption(ONCE_PER_ARM)
        plain_table(found, table, ("arm", "patients") if once else ("arm",), question)
        if block := strengths_block(found.tables.strengths, question):
            st.caption(block["said"])
            layout.table(block["heads"], block["rows"], numbers=block["counts"])


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
