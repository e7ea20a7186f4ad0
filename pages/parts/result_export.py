"""Taking results away: notebook, the report and everything with it, single tables."""

from __future__ import annotations

from functools import partial

import streamlit as st

from cfcore.wording import counted
from pages.parts import layout
from pages.parts.result_truth import truth_download
from pages.parts.run_state import controls
from pages.parts.who import actor, ago, workspace
from services.notebook import EntryRefused, keep
from services.report.job import ReportView, latest_report, report_file, start_report
from services.reporting import export_codebook_long, export_csv, export_long, export_ratings, file_stem
from services.result_picture import findings_png
from services.results import StudyResults
from services.runs import run_view
from services.studies import StudyRefused

POLL_SECONDS = 2.0
CONTENTS = (
    "The report as interactive HTML and as PDF; every figure as SVG; every table as CSV and Excel; all readings as one "
    "tidy table with codebook, R and SPSS syntax; JSON; iMRMC input; DICOM structured reports; notebook entries; "
    "protocol "
    "and a manifest with versions and hashes."
)


def keep_button(found: StudyResults) -> None:
    """Keep the findings table, as it stands now, as an entry of the notebook."""
    with st.popover("Keep in notebook", icon=":material/bookmark_add:"):
        line = found.headline
        title = st.text_input("Title", f"Results of {found.study.title}", key=f"keep-title-{found.study.id}")
        note = st.text_area("Note (Markdown)", key=f"keep-note-{found.study.id}", placeholder="What this shows")
        if st.button("Keep", type="primary"):
            settings = {
                "study": found.study.id,
                "readings": f"{line.readings_done} of {line.readings_planned}",
                "digest": found.study.digest or "",
            }
            try:
                keep(
                    workspace(),
                    "results",
                    title,
                    settings,
                    note=note,
                    picture=findings_png(found),
                    study_id=found.study.id,
                    author=actor(),
                )
            except EntryRefused as error:
                st.error(str(error).capitalize())
                return
            st.toast("Kept in the notebook.", icon=":material/check:")


def export_tab(found: StudyResults) -> None:
    """The report with everything beside it, written in the background; single tables at once."""
    left, right = st.columns([3, 2], gap="large")
    with left.container(border=True):
        st.markdown("**Report and everything with it**")
        st.write(CONTENTS)
        report = latest_report(workspace(), found.study.id)
        if report is not None and report.state == "under way":
            st.fragment(following, run_every=POLL_SECONDS)(report.run.id)
        else:
            written(found, report)
            ask(found, report)
    with right.container(border=True):
        st.markdown("**Readings only**")
        st.write("Tidy CSV with numbers instead of names. From the long table every number of the report follows.")
        single(found)
        truth_download(found)
    if found.simulated:
        layout.html(
            f"<span class=muted>Readers {layout.escape(', '.join(found.simulated))} are simulated; "
            "every export says so.</span>"
        )


def written(found: StudyResults, report: ReportView | None) -> None:
    """What the last report made, ready to be taken away."""
    if report is None:
        return
    if report.state == "ended early":
        layout.html(f'<div class="muted">{layout.escape(report.run.message)}</div>')
        controls(report.run, "report")
        return
    if not report.files:
        return
    stem = file_stem(found.study)
    with st.container(horizontal=True):
        for name, words, kind, icon in (
            ("all.zip", "Everything (ZIP)", "application/zip", ":material/folder_zip:"),
            ("report.html", "Report (HTML)", "text/html", ":material/description:"),
            ("report.pdf", "Report (PDF)", "application/pdf", ":material/picture_as_pdf:"),
        ):
            if name in report.files:
                file = f"{stem}.zip" if name == "all.zip" else f"{stem}-{name}"
                st.download_button(
                    words,
                    partial(report_file, workspace(), report, name),
                    file,
                    kind,
                    type="primary" if name == "all.zip" else "secondary",
                    on_click="ignore",
                    icon=icon,
                    key=f"get-{name}",
                )
    n = counted(int(report.run.result.get("n_files", 0)), "file")
    stale = " The study has changed since: write it again." if report.stale else ""
    st.caption(f"Written {ago(report.written)}, {n}.{stale}")
    for note in report.notes:
        st.warning(note, icon=":material/info:")


def ask(found: StudyResults, report: ReportView | None) -> None:
    words = "Write the report" if report is None or not report.files else "Write it again"
    due = report is None or not report.files or report.stale
    if st.button(words, type="primary" if due else "secondary", icon=":material/edit_document:", key="write-report"):
        try:
            start_report(workspace(), found.study.id, actor=actor())
        except StudyRefused as error:
            st.error(str(error))
            return
        st.rerun()
    st.caption("Takes a minute or two, in the background: you may leave this page.")


def following(run_id: int) -> None:
    """How far the writing is; the whole page once when it has ended."""
    view = run_view(workspace(), run_id)
    if view.state not in ("queued", "running"):
        st.rerun(scope="app")
    st.progress(view.progress, view.message.capitalize() or "Waits for its turn.")


def single(found: StudyResults) -> None:
    study = found.study
    stem = file_stem(study)
    with st.container(horizontal=True):
        for words, make, name, icon in (
            ("Long table", export_long, "readings-long", ":material/table:"),
            ("Codebook", export_codebook_long, "codebook", ":material/menu_book:"),
            ("Findings", export_csv, "findings", ":material/table:"),
            ("Ratings", export_ratings, "ratings", ":material/table:"),
        ):
            st.download_button(
                words,
                partial(make, workspace(), study.id),
                f"{stem}-{name}.csv",
                "text/csv",
                on_click="ignore",
                icon=icon,
                key=f"csv-{name}",
            )
