"""Case drill-down: the pair and what every reader said about it."""

from __future__ import annotations

import streamlit as st

from cfcore.wording import direction_name, duration
from pages.parts import layout
from pages.parts.study_pairs import pair_panel, target_of
from services.results import Case, CaseReading, StudyResults

MARKS = {
    "appears": ("appears", "locked"),
    "disappears": ("disappears", "note"),
    "both": ("on both sides", "draft"),
    "neither": ("–", ""),
    "cannot assess": ("cannot assess", "failed"),
    "no answer": ("no answer", "failed"),
}


def cases_tab(found: StudyResults) -> None:
    """One case at a time, filtered by arm or by a finding that somebody saw appear."""
    arms = {"": "all arms"} | {arm.key: direction_name(arm.name) for arm in found.study.protocol.arms}
    arms |= {c.kind: c.name for c in found.study.protocol.controls}
    labels = {"": "any"} | {finding.key: finding.label for finding in found.study.protocol.findings}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        arm = st.selectbox("Arm", list(arms), format_func=arms.__getitem__, width=200)
        finding = st.selectbox("Somebody saw appear", list(labels), format_func=labels.__getitem__, width=300)
        chosen = [case for case in found.cases if (not arm or case.arm == arm) and appears(case, finding)]
        if not chosen:
            st.write("No case matches.")
            return
        case = st.selectbox(
            f"Case ({len(chosen)})", chosen, format_func=lambda c: f"{c.label} · {arms[c.arm]} · {c.patient}", width=280
        )
    protocol, name = found.study.protocol, f"{case.label} · {arms[case.arm]} · patient {case.patient}"
    pair_panel(case.pair, name, target_of(protocol, case.pair), protocol.reference)
    answers(found, case)


def appears(case: Case, finding: str) -> bool:
    """Whether some reader saw `finding` appear in this case; True for the empty finding."""
    return not finding or any(reading.seen.get(finding) == "appears" for reading in case.readings)


def head(reading: CaseReading) -> str:
    """The reader's label, and what sets the reading apart."""
    marks = [word for word, here in (("simulated", reading.simulated), ("repeat", reading.purpose == "repeat")) if here]
    return f"{reading.reader} ({', '.join(marks)})" if marks else reading.reader


def answers(found: StudyResults, case: Case) -> None:
    """Findings and ratings (rows) by readers (columns), decoded."""
    readers = [head(reading) for reading in case.readings]
    rows = []
    for finding in found.study.protocol.findings:
        marks = [MARKS[reading.seen.get(finding.key, "no answer")] for reading in case.readings]
        cells = [layout.Safe(layout.chip_of(text, kind)) if kind else text for text, kind in marks]
        rows.append((finding.label, *cells))
    for rating in found.study.protocol.ratings:
        values = [reading.ratings.get(rating.key) for reading in case.readings]
        rows.append((f"{rating.question} (1 to {rating.points})", *("–" if v is None else str(v) for v in values)))
    seconds = [reading.seconds for reading in case.readings]
    rows.append(("Time", *(duration(s) for s in seconds)))
    if any(reading.comment for reading in case.readings):
        rows.append(("Comment", *(reading.comment for reading in case.readings)))
    layout.table(["", *readers], rows)
    st.caption(
        "Decoded: “appears” = in the counterfactual and not in the original, “–” = on neither side. Pictures are 8-bit "
        "previews."
    )
