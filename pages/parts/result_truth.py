"""What the directions really move, on phantoms: beside the readers' table, and on the page of a run."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cfcore.reports.factors import LEGEND, WHY, in_unit, rows, sentences_html, table_html
from cfcore.reports.numbers import decimal, percent
from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.heat import heat_table
from pages.parts.run_state import controls
from pages.parts.who import actor, workspace
from services.reporting import file_stem
from services.result_truth import (
    MeasureSettings,
    Truth,
    measure_run_directions,
    measure_study,
    measured_truth,
    truth_csv,
    truth_for_report,
    truth_of_run,
    truth_of_study,
)
from services.results import StudyResults
from services.runs import RunRefused, RunView, run_view
from services.studies import StudyRefused

POLL_SECONDS = 2.0
TITLE = "What the directions really move"


def study_truth(found: StudyResults) -> None:
    """Below the readers' table of a closed study on phantoms: the truth about the same pairs; nothing elsewhere."""
    if found.interim:
        return
    study = found.study
    section(
        f"study-{study.id}",
        lambda: truth_of_study(workspace(), study),
        lambda: measure_study(workspace(), study.id, actor=actor()),
        found,
    )


def truth_download(found: StudyResults) -> None:
    """The true factors as a table, where they are measured."""
    if truth_for_report(workspace(), found) is not None:
        st.download_button(
            "True factors (CSV)",
            lambda: truth_csv(workspace(), found),
            f"{file_stem(found.study)}-true-factors.csv",
            "text/csv",
            on_click="ignore",
            icon=":material/straighten:",
        )


def run_truth(view: RunView) -> None:
    """On the page of a finished run on phantoms: what its kept directions move; nothing elsewhere."""
    section(
        f"run-{view.id}",
        lambda: truth_of_run(workspace(), view),
        lambda: measure_run_directions(workspace(), view.id, actor=actor()),
    )


def measured(view: RunView) -> None:
    """The page of the measuring run itself."""
    settings = MeasureSettings.of(view.settings)
    show(measured_truth(view), None)
    back = {"study": str(settings.study)} if settings.study else {"run": str(settings.moves[0].run)}
    if settings.study:
        st.page_link(
            "pages/results.py", label="Go to the study's results", icon=":material/insights:", query_params=back
        )
    else:
        st.page_link("pages/runs.py", label="Go to the run", icon=":material/arrow_forward:", query_params=back)


def section(
    key: str, look: Callable[[], Truth | None], ask: Callable[[], int], found: StudyResults | None = None
) -> None:
    """Heading, then the truth as far as it is known, or how to come to it."""
    truth = look()
    if truth is None:
        return
    st.subheader(TITLE, anchor=False)
    if truth.state == "under way" and truth.run is not None:
        st.fragment(following, run_every=POLL_SECONDS)(truth.run.id)
    if truth.state in ("none", "ended early"):
        st.caption(f"{WHY} Measuring takes less than a minute, in the background.")
        if truth.run is not None:
            layout.html(f'<span class="muted">{layout.escape(truth.run.message)}</span>')
        again = "Measure again" if truth.run is not None else "Measure what they move"
        if st.button(again, key=f"measure-{key}", icon=":material/straighten:"):
            try:
                ask()
            except (RunRefused, StudyRefused) as error:
                st.error(str(error))
                return
            st.rerun()
    show(truth, found)


def following(run_id: int) -> None:
    """Progress of the measuring; the page is drawn anew with every direction that is done."""
    view = run_view(workspace(), run_id)
    done = len(view.result.get("effects", []))
    known = st.session_state.setdefault(f"measured-{run_id}", done)
    if view.state not in ("queued", "running") or done != known:
        st.session_state[f"measured-{run_id}"] = done
        st.rerun(scope="app")
    st.progress(view.progress, view.message or "Waits for its turn.")
    controls(view, "truth")


def show(truth: Truth, found: StudyResults | None) -> None:
    """Words, the table, the findings' truth beside the readers', all numbers."""
    if not truth.effects:
        return
    layout.html(sentences_html(truth.effects))
    if found is not None and truth.findings:
        left, right = st.columns([1, 1], gap="large")
        with left:
            finding_table(found, truth)
        with right:
            factor_table(truth)
    else:
        factor_table(truth)
    with st.expander("All numbers of the factors", icon=":material/table_rows:"):
        numbers(truth)


def factor_table(truth: Truth) -> None:
    st.subheader("Which factor moves", anchor=False)
    layout.html(table_html(truth.effects))
    st.caption(LEGEND)


def finding_table(found: StudyResults, truth: Truth) -> None:
    """The readers' table again with the truth in it: in how many pairs each finding really appears."""
    findings = {f.key: f.label for f in found.study.protocol.findings}
    arms = {arm.key: direction_name(arm.name) for arm in found.study.protocol.arms}
    seen = {(row["finding"], row["arm"]): row for row in found.findings.to_dict("records")}
    cells = {}
    for (finding, arm), cell in (truth.findings or {}).items():
        readers = percent(seen.get((finding, arm), {}).get("share"))
        title = (
            f"{findings.get(finding, finding)}, {arms.get(arm, arm)}: truly appears in {percent(cell['share'])} of "
            f"{counted(cell['n'], 'pair')}, readers saw it in {readers} of readings"
        )
        cells[finding, arm] = cell | {"title": title}
    known = {finding for finding, _ in cells}
    most = {arm: max(c["n"] for (_, a), c in cells.items() if a == arm) for arm in {a for _, a in cells}}
    heads = {arm: counted(n, "pair") for arm, n in most.items()}
    main = [f.key for f in found.study.protocol.findings if f.kind == "main"]
    st.subheader("Finding truly appears in the counterfactual", anchor=False)
    listed = [(key, label) for key, label in findings.items() if key in known]
    columns = [(key, name) for key, name in arms.items() if key in heads]
    layout.html(heat_table(listed, columns, heads, main, lambda f, a: cells.get((f, a))))
    left_out = [label for key, label in findings.items() if key not in known]
    st.caption(
        "The readers' table with the truth in it: share of pairs whose counterfactual has the finding and whose "
        "original has not, by measurement of the pixels; 95 % interval (Wilson). Tick: in the majority of pairs."
        + (f" No rule measures {', '.join(left_out)}." if left_out else "")
    )


def numbers(truth: Truth) -> None:
    """Every factor of every direction in its own unit."""
    cells = []
    for one in truth.effects:
        for i, (row, effect) in enumerate(zip(rows([one]), one.effect.effects, strict=True)):
            interval = f"{decimal(row['change_low'], 3)} to {decimal(row['change_high'], 3)}"
            cells.append(
                (
                    direction_name(one.direction) if i == 0 else "",
                    row["label"],
                    in_unit(effect),
                    interval,
                    decimal(row["standardised"]),
                    decimal(row["rank_correlation"]),
                    f"{row['images_measured']} of {row['images']}",
                )
            )
    columns = ["Direction", "Factor", "Change", "95 % interval", "In SD", "Rank correlation", "Images measured"]
    layout.table(columns, cells, numbers=(4, 5, 6))
