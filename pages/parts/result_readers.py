"""The readers: their work, how each pair agrees, controls, and the time that cases took."""

from __future__ import annotations

import streamlit as st

from cfcore.reports.charts import reader_pairs_heat
from cfcore.reports.figures import time_per_case
from cfcore.reports.numbers import number, percent
from cfcore.reports.sections import (
    REPEATED,
    REPEATED_HEADS,
    blinding_rows,
    check_rows,
    control_rows,
    repeated_rows,
)
from cfcore.wording import counted, duration
from pages.parts import layout
from pages.parts.heat import heat_table
from pages.parts.result_tables import arms_of, cells_by, findings_of, records
from pages.parts.result_views import TERMS, chart, svg_download
from services.results import StudyResults

# Beyond this many readers the intervals in the heat map of their pairs need the whole width of a small screen.
SIDE_BY_SIDE = 4


def readers_tab(found: StudyResults) -> None:
    """Each reader's work, agreement of pairs, controls, and what each saw under one arm."""
    work(found)
    if len(found.readers) > SIDE_BY_SIDE:
        with st.container(width=920):
            pairs(found)
        times(found)
    else:
        left, right = st.columns(2, gap="large")
        with left:
            pairs(found)
        with right:
            times(found)
    controls(found)
    by_reader(found)


def work(found: StudyResults) -> None:
    views = {reader.label: reader for reader in found.study.readers}
    rows = []
    for record in records(found.readers):
        reader = views[record["reader"]]
        rows.append(
            (
                reader.label + (" (simulated)" if reader.simulated else ""),
                reader.display_name,
                f"{record['done']} of {record['planned']}",
                duration(number(record["median_seconds"])),
                str(record["cannot"]),
                str(record["missing"]),
                percent(number(record["first_side"])),
            )
        )
    layout.table(
        ["Reader", "Name", "Cases", "Median time", "Cannot assess", "No answer", "One-sided answers on A"],
        rows,
        numbers=range(2, 7),
    )
    st.caption("One-sided answers on A: far from 50 % shows a side bias. Names stay out of exports and report.")


def pairs(found: StudyResults) -> None:
    table = found.tables.pairs_of_readers
    st.subheader("Agreement of each pair of readers", anchor=False, help=TERMS["kappa"])
    if not len(table):
        st.write("One reader alone has nobody to agree with.")
        return
    figure = reader_pairs_heat(table)
    chart(figure, "pairs-of-readers", "Cohen's kappa of each pair of readers over all findings")
    answers = f"{table['n'].min():.0f} to {table['n'].max():.0f}" if len(table) > 1 else f"{table['n'].iloc[0]:.0f}"
    st.caption(
        f"Cohen’s kappa over all findings, {answers} answers that both gave, 95 % interval (bootstrap over patients)."
    )
    svg_download(found, figure, "pairs-of-readers", "Agreement of each pair of readers")


def times(found: StudyResults) -> None:
    st.subheader("Time per case", anchor=False)
    figure = time_per_case(found.decoded[found.decoded["purpose"] == "reading"])
    chart(figure, "times", "Seconds of each case in the order in which each reader saw them")
    svg_download(found, figure, "times", "Time per case")


def controls(found: StudyResults) -> None:
    """Repeats, false alarms, other controls, guesses; nothing where the study had none."""
    checks, kinds = check_rows(found.tables.checks), control_rows(found.tables.controls)
    guesses = blinding_rows(found.study.protocol, found.tables.blinding)
    if not (checks or kinds or guesses):
        return
    st.subheader("Controls", anchor=False, help=f"{TERMS['intra']} {TERMS['false alarm']} {TERMS['Bang']}")
    if checks:
        layout.table(
            ["Reader", "Repeats", "Agreement with own first reading", "Identical pairs", "False alarms"],
            [(r["reader"], str(r["repeats"]), r["intra"], str(r["controls"]), r["alarms"]) for r in checks],
            numbers=(1, 3),
        )
    repeated(found)
    if kinds:
        layout.table(
            ["Control", "Pairs", "Readers", "Answers", "Seen on one side only"],
            [(r["kind"], str(r["pairs"]), str(r["readers"]), str(r["answers"]), r["share"]) for r in kinds],
            numbers=(1, 2, 3),
        )
    if guesses:
        layout.table(
            ["Which one is generated?", "Right / wrong / unsure", "Readers", "Blinding index"],
            [(r["arm"], r["counts"], str(r["readers"]), r["index"]) for r in guesses],
            numbers=(2,),
        )
    st.caption("Controls and repeats enter neither prevalence nor agreement between readers. Intervals 95 %.")


def repeated(found: StudyResults) -> None:
    """Ratings of pairs that a reader rated twice; nothing where there are none."""
    rows = repeated_rows(found.study.protocol, found.tables.repeated_ratings)
    if not rows:
        return
    st.markdown("**Ratings of pairs read twice**")
    layout.table(
        REPEATED_HEADS,
        [
            (
                r["reader"] if r["span"] else "",
                r["question"],
                str(r["repeats"]),
                *(cell["value"] for cell in r["cells"]),
            )
            for r in rows
        ],
        numbers=(2,),
    )
    notes = dict.fromkeys(f"{r['reader']}: {cell['note']}." for r in rows for cell in r["cells"] if cell["note"])
    st.caption(" ".join([REPEATED, *notes]))


def by_reader(found: StudyResults) -> None:
    arms = dict(arms_of(found))
    arm = st.segmented_control(
        "What each reader saw under", list(arms), default=next(iter(arms)), format_func=arms.__getitem__, required=True
    )
    own = found.per_reader[found.per_reader["arm"] == arm] if len(found.per_reader) else found.per_reader
    cells = cells_by(own, "finding", "reader") if len(own) else {}
    main = [finding.key for finding in found.study.protocol.findings if finding.kind == "main"]
    views = {reader.label: reader for reader in found.study.readers}
    readers = [(label, label) for label in dict.fromkeys(found.readers["reader"])]
    cases: dict[str, int] = dict(own.groupby("reader")["readings"].max()) if len(own) else {}
    names = {
        label: counted(cases.get(label, 0), "case") + (", simulated" if views[label].simulated else "")
        for label, _ in readers
    }
    layout.html(heat_table(findings_of(found), readers, names, main, lambda f, r: cells.get((f, r))))
    st.caption("Share of the reader's cases in which the finding appears, 95 % interval (Wilson).")
