"""Comparisons: the locked hypotheses first, everything else as exploration."""

from __future__ import annotations

import streamlit as st

from cfcore.reports.charts import comparison_forest
from cfcore.reports.sections import comparison_rows, confirmatory_rows, named_comparisons
from cfcore.wording import direction_name
from pages.parts import layout
from pages.parts.result_views import TERMS, chart, svg_download
from services.results import StudyResults


def tests_tab(found: StudyResults) -> None:
    """Hypotheses with Holm's correction, then all arms against each other with Benjamini and Hochberg's."""
    if found.exploratory:
        st.warning(
            "Somebody looked at the results without a plan before the study was closed: every p value is exploratory.",
            icon=":material/warning:",
        )
    confirmatory(found)
    exploratory(found)


def confirmatory(found: StudyResults) -> None:
    plan = found.study.protocol.analysis
    st.subheader("Hypotheses locked with the protocol", anchor=False, help=TERMS["Holm"])
    if plan is None:
        layout.empty(
            "No hypothesis was locked", "This study was locked without a primary analysis: all is exploratory."
        )
        return
    st.write(direction_name(plan.question))
    rows = []
    for row in confirmatory_rows(found.study.protocol, found.tables.confirmatory):
        label = layout.Safe(f"<b>{layout.escape(row['label'])}</b>") if row["primary"] else row["label"]
        verdict = {"yes": ("supported", "done"), "no": ("not supported", "draft")}.get(row["supported"])
        chip = layout.Safe(layout.chip_of(*verdict)) if verdict else "–"
        rows.append(
            (
                label,
                row["contrast"],
                row["values"],
                _two(row["difference"], row["interval"]),
                str(row["patients"]),
                str(row["readings"]),
                row["test"],
                row["p"],
                row["p_adjusted"],
                chip,
            )
        )
    heads = ["Question", "Contrast", "Values", "Difference", "Patients", "Readings", "Test", "p", "p (Holm)", ""]
    layout.table(heads, rows, numbers=(4, 5, 7, 8))
    st.caption(
        f"Bold: the primary hypothesis. Supported: p corrected over the locked family at most {plan.alpha:g}"
        + (", exploratory after an unplanned look." if found.exploratory else ".")
        + " Difference with its 95 % interval (bootstrap over patients)."
    )


def exploratory(found: StudyResults) -> None:
    table = found.tables.comparisons
    if not len(table):
        return
    st.subheader("Arms against each other (exploratory)", anchor=False, help=TERMS["BH"])
    labels = {"": "all findings"} | {f.key: f.label for f in found.study.protocol.findings}
    begin = found.study.protocol.findings[0].key
    wanted = st.selectbox(
        "Finding", list(labels), index=list(labels).index(begin), format_func=labels.__getitem__, width=320
    )
    shown = table[table["finding"] == wanted] if wanted else table
    figure = comparison_forest(named_comparisons(found.study.protocol, shown))
    with st.container(width=920):
        chart(figure, "comparisons", "Differences between arms with 95 % intervals")
        svg_download(found, figure, "comparisons", "Differences between arms")
    rows = [
        (
            *(() if wanted else (row["label"],)),
            layout.unbroken(row["contrast"]),
            layout.unbroken(row["values"]),
            _two(row["difference"], row["interval"]),
            _two(*row["odds"].rstrip(")").partition(" (")[::2]),
            layout.unbroken(f"{row['patients']} / {row['readings']}"),
            row["test"],
            row["p"],
            row["p_adjusted"],
        )
        for row in comparison_rows(found.study.protocol, shown)
    ]
    heads = ["Contrast", "Shares", "Second − first", "Odds ratio", "n", "Test", "p", "p (BH)"]
    heads = heads if wanted else ["Finding", *heads]
    layout.table(heads, rows, numbers=(len(heads) - 4, len(heads) - 2, len(heads) - 1))
    st.caption(
        "n: patients / readings. Corrected over all findings and pairs of arms. GEE: regression clustered on the "
        "patient, reader as fixed effect; permutation below 20 patients."
    )


def _two(value: str, below: str) -> layout.Safe:
    return layout.Safe(f'<nobr>{layout.escape(value)}</nobr><br><nobr class="muted">{layout.escape(below)}</nobr>')
