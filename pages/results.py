"""Results: the answer first, then how sure we are."""

from __future__ import annotations

import streamlit as st

from cfcore.reports.numbers import decimal, percent
from cfcore.wording import counted, duration
from pages.parts import layout
from pages.parts.result_cases import cases_tab
from pages.parts.result_export import export_tab, keep_button
from pages.parts.result_readers import readers_tab
from pages.parts.result_sealed import look_note, sealed
from pages.parts.result_tables import findings_tab, ratings_tab
from pages.parts.result_tests import tests_tab
from pages.parts.who import account_may, day, workspace
from services.report.looks import ResultsSealed
from services.results import StudyResults, shown_results
from services.studies import StudyRefused, list_studies

TABS = ("Findings", "Comparisons", "Ratings", "Readers", "Cases", "Export")


def results_page() -> None:
    asked = st.query_params.get("study", "")
    studies = {
        study.id: study
        for study in list_studies(workspace(), int(asked) if asked.isdigit() else 0)
        if study.state != "draft" and account_may(study.id, "results")
    }
    if not studies:
        layout.heading("Results")
        layout.empty("No results yet", "Lock a study and invite readers: what they see is counted here as it comes in.")
        st.page_link("pages/studies.py", label="Go to Studies", icon=":material/arrow_forward:")
        return
    ids = list(studies)
    begin = int(asked) if asked.isdigit() and int(asked) in studies else _first(studies)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Study", ids, index=ids.index(begin), format_func=lambda i: f"{studies[i].title}", width=420
        )
        if str(chosen) != asked:
            st.query_params["study"] = str(chosen)
        try:
            found = shown_results(workspace(), chosen)
        except ResultsSealed:
            found = None
        except (StudyRefused, ValueError) as error:
            st.error(str(error))
            return
        if found is not None:
            keep_button(found)
    if found is None:
        sealed(chosen)
    else:
        show(found)


def _first(studies: dict) -> int:
    """The newest closed study, else one with readings, else the newest."""
    closed = [i for i, study in studies.items() if study.state == "closed"]
    return next(iter(closed), next((i for i, study in studies.items() if study.done), next(iter(studies))))


def show(found: StudyResults) -> None:
    study, line = found.study, found.headline
    chip = layout.chip_of("interim", "note") if found.interim else ""
    if found.exploratory:
        chip += " " + layout.chip_of("p values exploratory", "note")
    if found.simulated:
        everybody = len(found.simulated) == len(study.readers)
        chip += " " + layout.chip_of("simulated readers" if everybody else "partly simulated", "note")
    arms = len(study.protocol.arms)
    sub = [
        f"Closed {day(study.closed_at)}" if study.closed_at else "Open for reading",
        f"sha256\u00a0{layout.short_digest(study.digest)}" if study.digest else "never locked",
        counted(line.readers, "reader"),
        f"{counted(line.pairs, 'pair')} of {counted(line.patients, 'patient')} in {counted(arms, 'arm')}",
        f"degree {study.protocol.degree:g}, {study.protocol.rendering}",
    ]
    layout.heading(study.title, " · ".join(sub), chip=chip)
    if found.interim and found.looks.taken:
        look_note(study.id, found.looks)
    if study.changed_after_preview:
        st.info("The questions were changed after a preview and before the lock.", icon=":material/info:")
    layout.figures(
        [
            (f"{line.readings_done} of {line.readings_planned}", "readings"),
            (decimal(line.ac1.value), f"AC1, all findings{_spread(line.ac1.low, line.ac1.high)}"),
            (percent(line.raw_agreement.value), "raw agreement" + _spread_percent(line.raw_agreement)),
            (percent(line.cannot_share, 1), "“cannot assess”"),
            (duration(line.median_seconds), "median per case"),
        ]
    )
    if not line.readings_done:
        layout.empty("Nothing read yet", "The tables fill as soon as the first reading is saved.")
        return
    tabs = dict(zip(TABS, st.tabs(TABS, key=f"tabs-{study.id}", on_change="rerun"), strict=True))
    for name, draw in (
        ("Findings", findings_tab),
        ("Comparisons", tests_tab),
        ("Ratings", ratings_tab),
        ("Readers", readers_tab),
        ("Cases", cases_tab),
        ("Export", export_tab),
    ):
        if tabs[name].open:
            with tabs[name]:
                draw(found)


def _spread(low: float | None, high: float | None) -> str:
    return f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""


def _spread_percent(estimate: object) -> str:
    low, high = getattr(estimate, "low", None), getattr(estimate, "high", None)
    return f" ({100 * low:.0f} to {100 * high:.0f})" if low is not None and high is not None else ""


results_page()
