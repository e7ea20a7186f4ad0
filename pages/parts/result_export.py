"""Taking results away: notebook, tables, report."""

from __future__ import annotations

import streamlit as st

from pages.parts import layout
from pages.parts.result_truth import truth_download
from pages.parts.who import actor, workspace
from services.notebook import EntryRefused, keep
from services.reporting import export_codebook, export_csv, export_ratings, file_stem, write_report
from services.result_picture import findings_png
from services.results import StudyResults


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
    """The report as one HTML file, the readings as a tidy table with its codebook."""
    study = found.study
    stem, who = file_stem(study), actor()
    columns = st.columns(3)
    with columns[0].container(border=True, height="stretch"):
        st.markdown("**Report**")
        st.write(
            "One self-contained HTML file: protocol, digest, tables with intervals, case drill-down with previews, "
            "notebook entries linked to the study, versions, limitations. Opens anywhere, prints well."
        )
        st.download_button(
            "Report (HTML)", lambda: write_report(workspace(), study.id, actor=who), f"{stem}-report.html", "text/html",
            type="primary", on_click="ignore", icon=":material/description:",
        )  # fmt: skip
    with columns[1].container(border=True, height="stretch"):
        st.markdown("**Readings**")
        st.write("Tidy CSV, one row per reader, case and question, as answered and decoded. Numbers instead of names.")
        with st.container(horizontal=True):
            st.download_button(
                "Findings (CSV)", lambda: export_csv(workspace(), study.id), f"{stem}-findings.csv", "text/csv",
                on_click="ignore", icon=":material/table:",
            )  # fmt: skip
            st.download_button(
                "Ratings (CSV)", lambda: export_ratings(workspace(), study.id), f"{stem}-ratings.csv", "text/csv",
                on_click="ignore", icon=":material/table:",
            )  # fmt: skip
    with columns[2].container(border=True, height="stretch"):
        st.markdown("**Codebook**")
        st.write("What every column of the readings means, with its values.")
        st.download_button(
            "Codebook (CSV)", lambda: export_codebook(workspace(), study.id), f"{stem}-codebook.csv", "text/csv",
            on_click="ignore", icon=":material/menu_book:",
        )  # fmt: skip
    truth_download(found)
    if found.simulated:
        layout.html(
            f"<span class=muted>Readers {layout.escape(', '.join(found.simulated))} are simulated; "
            "every export says so.</span>"
        )
