"""The desk of somebody with a part in single studies: progress, masked data, the way to the disagreements."""

from __future__ import annotations

import streamlit as st

from pages.parts import layout
from pages.parts.study_adjudication import chair_link
from pages.parts.study_readers import desk_table
from pages.parts.who import account_id, account_may, actor, ago, day, workspace
from services.study_blinding import BlindData, blind_data
from services.study_desk import desk
from services.study_members import MEANING, PartView, parts_by_study
from services.study_views import StudyRefused

WORDS = {"draft": "draft", "locked": "being read", "closed": "closed"}


def desk_page() -> None:
    layout.heading("Desk", "The studies in which you have a part.")
    parts = parts_by_study(workspace(), account_id())
    if not parts:
        layout.empty("No study yet", "You will find a study here as soon as a researcher gives you a part in it.")
    for part in parts:
        one_study(part)


def one_study(part: PartView) -> None:
    with st.container(border=True):
        chip = layout.chip_of(WORDS.get(part.state, part.state), part.state)
        layout.line(part.title, [f"{name}: {MEANING[name]}" for name in part.parts], chip=chip)
        if "co-editor" in part.parts:
            with st.container(horizontal=True):
                st.page_link("pages/studies.py", label="Open the study", query_params={"study": str(part.study_id)})
                if part.state != "draft":
                    st.page_link("pages/results.py", label="Results", query_params={"study": str(part.study_id)})
        if account_may(part.study_id, "progress") and part.state != "draft":
            progress(part)
        if "statistician" in part.parts:
            statistician(part)
        if "chair" in part.parts:
            if part.state == "closed":
                chair_link(part.study_id)
            else:
                st.caption("Disagreements are decided when the reading has ended.")


def progress(part: PartView) -> None:
    found = desk(workspace(), part.study_id, actor())
    last = max((r.last_saved for r in found.readers if r.last_saved), default=None)
    began = f"open since {day(found.locked_at)}" if found.locked_at else "open"
    end = began if found.state == "locked" else f"closed {day(found.closed_at)}"
    st.caption(f"{found.done} of {found.total} readings · last reading {ago(last)} · {end}")
    desk_table(found, names=False)


def statistician(part: PartView) -> None:
    try:
        data = blind_data(workspace(), part.study_id, actor())
    except StudyRefused as error:
        st.caption(str(error))
        return
    if data.arms:
        st.caption(
            f"Unblinded {day(data.unblinded_at)}: " + ", ".join(f"{k} is {v}" for k, v in data.arms.items()) + "."
        )
    else:
        st.caption("The arms are masked until a researcher unblinds you.")
    downloads(part.study_id, data)
    with st.expander("Look at the table"):
        st.dataframe(data.decoded, hide_index=True)


def downloads(study_id: int, data: BlindData) -> None:
    with st.container(horizontal=True):
        for name, table in (("readings", data.decoded), ("ratings", data.rated)):
            if len(table):
                st.download_button(
                    f"{name.capitalize()} (CSV)",
                    table.to_csv(index=False),
                    f"study-{study_id}-{name}-masked.csv",
                    "text/csv",
                )


desk_page()
