"""Step 1: what readers are asked, before anything is shown."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.parts import layout
from pages.parts.who import actor, workspace
from services.studies import FINDING_LISTS, Rating, StudyRefused, StudyView, findings_from, update_draft

# Widths in pixels: both tables one below the other in the same grid, no column cut at 1024 px.
FIRST, END = 480, 160


def questions_step(view: StudyView) -> None:
    """Findings and ratings: editable in a draft, a plain table afterwards."""
    st.write(
        "One list for all cases and all arms. For every finding the reader presses A, B, both, neither or cannot "
        "assess. Main findings define the disease, secondary ones come with it; readers do not see which is which."
    )
    if view.state != "draft":
        fixed_questions(view)
        return
    known = ["keep the list below", *FINDING_LISTS]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        start = st.selectbox("Start from a list of the paper", known, key=f"list-{view.id}", width=320)
        if start in FINDING_LISTS and st.button("Use this list"):
            update_draft(workspace(), view.id, actor=actor(), findings=FINDING_LISTS[start])
            st.session_state.pop(f"findings-{view.id}", None)
            st.rerun()
    st.subheader("Findings", anchor=False)
    findings = st.data_editor(
        pd.DataFrame([(f.key, f.label, f.kind) for f in view.protocol.findings], columns=["key", "label", "kind"]),
        column_config={
            "key": None,
            "label": st.column_config.TextColumn("Finding, as readers see it", required=True, width=FIRST),
            "kind": st.column_config.SelectboxColumn(
                "Kind", options=["main", "secondary"], default="secondary", width=2 * END
            ),
        },
        num_rows="dynamic",
        hide_index=True,
        width="content",
        key=f"findings-{view.id}-{hash(view.protocol.findings)}",
    )
    st.subheader("Ratings", anchor=False)
    ratings = st.data_editor(
        pd.DataFrame(
            [(r.key, r.question, r.low, r.high) for r in view.protocol.ratings],
            columns=["key", "question", "low", "high"],
        ),
        column_config={
            "key": None,
            "question": st.column_config.TextColumn("Question, answered from 1 to 5", required=True, width=FIRST),
            "low": st.column_config.TextColumn("1 means", required=True, width=END),
            "high": st.column_config.TextColumn("5 means", required=True, width=END),
        },
        num_rows="dynamic",
        hide_index=True,
        width="content",
        key=f"ratings-{view.id}-{hash(view.protocol.ratings)}",
    )
    if st.button("Save questions", type="primary"):
        save(view, findings, ratings)


def save(view: StudyView, findings: pd.DataFrame, ratings: pd.DataFrame) -> None:
    rows = [(str(k or ""), str(label or ""), str(kind)) for k, label, kind in _rows(findings)]
    asked = [[str(cell or "").strip() for cell in row] for row in _rows(ratings)]
    keyed = findings_from([(key, question, "main") for key, question, _, _ in asked])
    ends = [(low, high) for _, question, low, high in asked if question]
    try:
        problems = update_draft(
            workspace(),
            view.id,
            actor=actor(),
            findings=findings_from(rows),
            ratings=tuple(Rating(f.key, f.label, low, high) for f, (low, high) in zip(keyed, ends, strict=True)),
        )
    except StudyRefused as error:
        st.error(str(error))
        return
    about = [p for p in problems if "finding" in p.casefold() or "rating" in p.casefold()]
    if about:
        layout.html("<ul class=problems>" + "".join(f"<li>{layout.escape(p)}</li>" for p in about) + "</ul>")
    else:
        st.toast("Questions saved.", icon=":material/check:")
        st.rerun()


def _rows(frame: pd.DataFrame) -> list[list[object]]:
    return [list(row) for row in frame.fillna("").itertuples(index=False)]


def fixed_questions(view: StudyView) -> None:
    layout.table(["Finding", "Kind"], [(f.label, f.kind) for f in view.protocol.findings])
    st.space("small")
    layout.table(
        ["Rating", "1 means", f"{max((r.points for r in view.protocol.ratings), default=5)} means"],
        [(r.question, r.low, r.high) for r in view.protocol.ratings],
    )
