"""Step 1: what readers are asked, before anything is shown."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.parts import layout
from pages.parts.question_list import question_list, templates
from pages.parts.study_elicitation import elicitation
from pages.parts.study_viewing import viewing_step
from pages.parts.who import actor, workspace
from services.studies import Rating, StudyRefused, StudyView, findings_from, update_draft

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
    templates(view)
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
            [(r.key, r.question, r.low, r.high, r.points) for r in view.protocol.ratings],
            columns=["key", "question", "low", "high", "points"],
        ),
        column_config={
            "key": None,
            "question": st.column_config.TextColumn("Question, answered on a scale", required=True, width=FIRST),
            "low": st.column_config.TextColumn("Lowest means", required=True, width=END),
            "high": st.column_config.TextColumn("Highest means", required=True, width=END),
            "points": st.column_config.NumberColumn(
                "Points", required=True, default=5, min_value=2, max_value=11, step=1, width=END // 2
            ),
        },
        num_rows="dynamic",
        hide_index=True,
        width="content",
        key=f"ratings-{view.id}-{hash(view.protocol.ratings)}",
    )
    if st.button("Save questions", type="primary"):
        save(view, findings, ratings)
    question_list(view)
    viewing_step(view)
    elicitation(view)


def save(view: StudyView, findings: pd.DataFrame, ratings: pd.DataFrame) -> None:
    rows = [(str(k or ""), str(label or ""), str(kind)) for k, label, kind in _rows(findings)]
    asked = [[str(cell or "").strip() for cell in row] for row in _rows(ratings)]
    keyed = findings_from([(row[0], row[1], "main") for row in asked])
    ends = [(low, high, int(float(points or 5))) for _, question, low, high, points in asked if question]
    try:
        problems = update_draft(
            workspace(),
            view.id,
            actor=actor(),
            findings=findings_from(rows),
            ratings=tuple(Rating(f.key, f.label, *scale) for f, scale in zip(keyed, ends, strict=True)),
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
    return [list(row) for row in frame.astype(object).fillna("").itertuples(index=False)]


def fixed_questions(view: StudyView) -> None:
    layout.table(["Finding", "Kind"], [(f.label, f.kind) for f in view.protocol.findings])
    st.space("small")
    layout.table(
        ["Rating", "Lowest means", "Highest means", "Points"],
        [(r.question, r.low, r.high, str(r.points)) for r in view.protocol.ratings],
        numbers=(3,),
    )
    question_list(view)
    viewing_step(view)
    elicitation(view)
