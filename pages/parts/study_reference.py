"""Reference answers of a study's real images, and readers scored against them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from cfcore.reports.numbers import decimal
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.study_arms import arm_names
from pages.parts.who import account_may, actor, workspace
from services.reader_scores import Shown, accuracy, real_or_generated
from services.reference_answers import (
    ReferenceRow,
    labels_of,
    reference_rows,
    set_reference,
    take_labels,
    take_phantom,
    take_table,
    template_csv,
)
from services.study_views import StudyRefused, StudyView

WORDS: dict[bool | None, str] = {None: "unknown", True: "yes", False: "no"}
VALUES = {"yes": True, "no": False}


def reference_section(view: StudyView) -> None:
    """What is held to be true of the real images, and the readers' scores once the reading has ended."""
    if not view.pairs:
        layout.empty("No images yet", "Make the pairs first: reference answers are about the images of this study.")
        return
    rows = reference_rows(workspace(), view.id, actor())
    given = sum(value is not None for row in rows for value in row.answers.values())
    st.markdown(
        f"**Reference answers**: {given} of {sum(len(row.answers) for row in rows)} given, for "
        f"{counted(len(rows), 'real image')}. Only originals have one; they never reach a reader."
    )
    table, sources = st.tabs(["On this page", "From a table, labels or phantoms"])
    with table:
        editor(view, rows)
    with sources:
        from_elsewhere(view)
    if view.state == "closed" and account_may(view.id, "results"):
        scores(view)


def editor(view: StudyView, rows: list[ReferenceRow]) -> None:
    """One row an image, one column a finding."""
    labels = {finding.key: finding.label for finding in view.protocol.findings}
    frame = pd.DataFrame(
        [{"patient": row.patient, **{key: WORDS[value] for key, value in row.answers.items()}} for row in rows]
    )
    options: dict[str, Any] = {"patient": st.column_config.TextColumn("Patient")} | {
        key: st.column_config.SelectboxColumn(
            labels[key], options=["unknown", "yes", "no"], default="unknown", required=True
        )
        for key in labels
    }
    with st.form(f"reference-{view.id}", border=False):
        edited = st.data_editor(
            frame, column_config=options, disabled=["patient"], hide_index=True, key=f"reference-table-{view.id}"
        )
        if st.form_submit_button("Save these answers"):
            answers = {
                (row.image_id, key): VALUES.get(str(values[key]))
                for row, values in zip(rows, edited.to_dict("records"), strict=True)
                for key in row.answers
            }
            changed = set_reference(workspace(), view.id, answers, actor=actor())
            st.toast(f"{counted(changed, 'answer')} changed.")
            st.rerun()


def from_elsewhere(view: StudyView) -> None:
    """A CSV table, the labels of the data set, the phantom's own factors."""
    st.caption(
        "A table has the column “patient” (P07, or the id under which the images were imported: it is looked up and "
        "forgotten) and one column a finding with yes or no."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Table to fill in",
            template_csv(workspace(), view.id, actor()),
            f"study-{view.id}-reference.csv",
            "text/csv",
        )
        if st.button("Take the phantom's truth"):
            attempt(
                lambda: st.toast(f"{counted(take_phantom(workspace(), view.id, actor=actor()), 'answer')} changed.")
            )
    uploaded = st.file_uploader("Table (CSV)", type=["csv", "txt", "tsv"], key=f"reference-file-{view.id}")
    if uploaded is not None and st.button("Take the answers of this table"):
        attempt(lambda: tell(take_table(workspace(), view.id, uploaded.getvalue(), actor=actor())))
    labels = labels_of(workspace(), view.id)
    if labels:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            findings = {finding.key: finding.label for finding in view.protocol.findings}
            key = st.selectbox("Finding", list(findings), format_func=lambda k: findings[k])
            label = st.selectbox("is there where the image is labelled", labels)
            if st.button("Take the labels"):
                attempt(lambda: take_labels(workspace(), view.id, {key: label}, actor=actor()))
                st.rerun()


def attempt(work: Any) -> None:
    try:
        work()
    except StudyRefused as error:
        st.error(str(error))


def tell(taken: Any) -> None:
    """What came of a table."""
    parts = [f"{counted(taken.stored, 'answer')} changed"]
    if taken.without_row:
        parts.append(f"{counted(taken.without_row, 'image')} without a row")
    if taken.foreign_rows:
        shown = ", ".join(str(number) for number in taken.foreign_rows[:10])
        more = " …" if len(taken.foreign_rows) > 10 else ""
        parts.append(f"{counted(len(taken.foreign_rows), 'row')} of nobody in this study (row {shown}{more})")
    if taken.ignored_columns:
        parts.append(f"no finding of the list: {', '.join(taken.ignored_columns)}")
    st.success(". ".join(parts) + ".")


def scores(view: StudyView) -> None:
    """Sensitivity, specificity and area per reader, or per finding; d' for real or generated."""
    by = st.segmented_control(
        "Scored by", ["reader", "finding", "arm"], default="reader", key=f"by-{view.id}", required=True
    )
    shown: Shown = "pair"
    if getattr(view.protocol, "single_share", 0) and st.toggle("Originals that stood alone", key=f"alone-{view.id}"):
        shown = "single"
    try:
        table = accuracy(workspace(), view.id, actor(), (str(by),), shown)
        told = real_or_generated(workspace(), view.id, actor())
    except StudyRefused as error:
        st.caption(str(error))
        return
    names = {finding.key: finding.label for finding in view.protocol.findings} if by == "finding" else arm_names(view)
    rows = [
        (
            names.get(row[by], row[by]),
            str(row["readings"]),
            *(_cell(row, name) for name in ("sensitivity", "specificity", "auc")),
        )
        for row in table.to_dict("records")
    ]
    if any(row[1] != "0" for row in rows):
        layout.table(
            [str(by).capitalize(), "Readings", "Sensitivity", "Specificity", "Area under the curve"], rows, [1]
        )
    else:
        st.caption("No reading is about an image with a reference answer yet.")
    if len(told):
        st.markdown("**Real or generated**")
        asked = {question.key: question.text for question in view.protocol.questions}
        lines = [
            (
                str(r["reader"]),
                asked.get(r["question"], r["question"]),
                f"{r['correct']} of {r['n']}",
                _estimate(r, "d_prime", "low", "high"),
            )
            for r in told.to_dict("records")
        ]
        layout.table(["Reader", "Question", "Right", "d' (95 %)"], lines)


def _cell(row: dict[Any, Any], name: str) -> str:
    return _estimate(row, name, f"{name}_low", f"{name}_high") if pd.notna(row[name]) else str(row[f"{name}_note"])


def _estimate(row: dict[Any, Any], value: str, low: str, high: str) -> str:
    if row[value] is None or pd.isna(row[value]):
        return str(row.get("note", "–"))
    span = f" ({decimal(row[low])} to {decimal(row[high])})" if pd.notna(row[low]) and pd.notna(row[high]) else ""
    return f"{decimal(row[value])}{span}"
