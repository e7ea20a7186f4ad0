"""Studies: the list, and one study from its questions to its readers."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.study_after import reference_step, rehearsal_step
from pages.parts.study_fieldwork import lock_step, readers_step
from pages.parts.study_pairs import pairs_step, preview_step
from pages.parts.study_questions import questions_step
from pages.parts.who import account_may, actor, ago, day, is_researcher, workspace
from services.runs import list_runs
from services.studies import (
    StudyRefused,
    StudySummary,
    StudyView,
    copy_study,
    create_study,
    delete_draft,
    list_studies,
    study_view,
)

STEPS = ("1 Questions", "2 Images and arms", "3 Preview", "4 Lock", "5 Readers", "Rehearsal", "Reference")
WORDS = {"draft": "draft", "locked": "open for reading", "closed": "closed"}


def studies_page() -> None:
    chosen = st.query_params.get("study", "")
    if not chosen:
        list_page()
        return
    try:
        view = study_view(workspace(), int(chosen) if chosen.isdigit() else 0)
    except StudyRefused as error:
        layout.heading("Studies")
        st.warning(str(error))
        list_page()
        return
    if not account_may(view.id, "design"):
        layout.heading("Studies")
        st.warning("This study is not open to you: ask a researcher for a part in it.")
        return
    study_page(view)


def list_page() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layout.heading("Studies", "Original and counterfactual side by side, read blind. A locked study never changes.")
        if is_researcher() and st.button("New study", type="primary", icon=":material/add:"):
            new_study()
    studies = [study for study in list_studies(workspace()) if account_may(study.id, "design")]
    if not studies:
        layout.empty(
            "No study yet",
            "Finish a run first, then press “New study”: choose its eigenvectors, list the findings, invite readers.",
        )
    for summary in studies:
        study_row(summary)


def study_row(summary: StudySummary) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        when = {"draft": summary.created_at, "locked": summary.locked_at, "closed": summary.closed_at}[summary.state]
        facts = [
            direction_name(", ".join(summary.arms)),
            counted(summary.n_pairs, "pair"),
            counted(summary.n_readers, "reader") + (" (simulated)" if summary.simulated else ""),
            f"{summary.done} of {counted(summary.total, 'reading')}" if summary.total else "",
            f"since {day(when)}",
        ]
        layout.line(summary.title, facts, chip=layout.chip_of(WORDS[summary.state], summary.state))
        if summary.done:
            st.page_link("pages/results.py", label="Results", query_params={"study": str(summary.id)})
        layout.open_button("study", summary.id)


@st.dialog("New study")
def new_study() -> None:
    runs = {run.id: run for run in list_runs(workspace(), "explain") if run.state == "done"}
    if not runs:
        st.write("A study shows what a finished run has found, and there is none yet.")
        st.page_link("pages/runs.py", label="Start a run", icon=":material/play_arrow:")
        return
    run_id = st.selectbox("Finished run", list(runs), format_func=lambda i: f"{runs[i].name} (run {i})")
    run = runs[run_id]
    kept = [direction_name(direction.name) for direction in run.directions if direction.kept]
    st.write(f"Target {run.settings.get('target', '')}. Best directions: {', '.join(kept[:3]) or 'none named'}.")
    title = st.text_input(
        "Title, for researchers", placeholder=f"{run.settings.get('target', run.name)}, first reading"
    )
    st.caption("Readers never see this title. They get a neutral one, which you can word before the lock.")
    if st.button("Create draft", type="primary"):
        try:
            study_id = create_study(workspace(), run_id, actor=actor(), title=title.strip(), ask_profile=True)
        except StudyRefused as error:
            st.error(str(error))
            return
        st.query_params["study"] = str(study_id)
        st.rerun()


def study_page(view: StudyView) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        layout.back_button("All studies")
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            if view.state != "draft":
                st.page_link("pages/results.py", label="Results", query_params={"study": str(view.id)})
            if is_researcher() and st.button("Copy as a new draft", type="tertiary", icon=":material/content_copy:"):
                st.query_params["study"] = str(copy_study(workspace(), view.id, actor=actor()))
                st.rerun()
            if view.state == "draft" and st.button("Delete draft", type="tertiary", icon=":material/delete:"):
                confirm_delete(view)
    phase = "being read" if view.phase == "running" else WORDS[view.state]
    state = layout.chip_of(phase + (f", version {view.version}" if view.version > 1 else ""), view.state)
    layout.heading(view.title, summary_line(view), chip=state)
    start = STEPS[0] if view.state == "draft" else STEPS[4]
    step = st.segmented_control(
        "Step",
        STEPS,
        default=start,
        key=f"step-{view.id}-{view.state}",
        label_visibility="collapsed",
        required=True,
    )
    if view.changed_after_preview:
        st.info("The questions were changed after a preview. The report says so.", icon=":material/info:")
    if step == STEPS[0]:
        questions_step(view)
    elif step == STEPS[1]:
        pairs_step(view)
    elif step == STEPS[2]:
        preview_step(view)
    elif step == STEPS[3]:
        lock_step(view)
    elif step == STEPS[4]:
        readers_step(view)
    elif step == STEPS[5]:
        rehearsal_step(view)
    else:
        reference_step(view)


def summary_line(view: StudyView) -> str:
    parts = [f"Readers see “{view.reader_title}”", f"run “{view.run}”" if view.run else "", view.dataset or ""]
    if view.digest:
        parts.append(f"sha256\u00a0{layout.short_digest(view.digest)}")
    saved = [reader.last_saved for reader in view.readers if reader.last_saved]
    if saved:
        parts.append(f"last reading {ago(max(saved))}")
    return " · ".join(part for part in parts if part)


@st.dialog("Delete this draft?")
def confirm_delete(view: StudyView) -> None:
    st.write(f"“{view.title}” and its {counted(len(view.pairs), 'pair')} go. Data, runs and other studies stay.")
    if st.button("Delete", type="primary"):
        delete_draft(workspace(), view.id, actor=actor())
        st.query_params.clear()
        st.rerun()


studies_page()
