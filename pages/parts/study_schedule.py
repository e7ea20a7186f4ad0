"""Who reads what in which order: the plan's options, its balance table, and every planned case."""

from __future__ import annotations

import streamlit as st

from cfcore.study.design.balance import Balance
from cfcore.study.design.choices import Cases, Design, Order, Repeats
from cfcore.wording import counted
from pages.parts import layout
from pages.parts.study_arms import arm_names
from pages.parts.who import actor, workspace
from services.studies import StudyRefused, StudyView, update_draft
from services.study_design.planning import exposure_line, plan_balance

ORDERS: dict[Order, str] = {
    "random": "At random",
    "permuted blocks": "Permuted blocks: every arm once in each run of cases",
    "Latin square": "One arm after the other, order balanced over readers (Williams)",
}
CASES: dict[Cases, str] = {"all": "Every reader reads all cases", "blocks": "Each case is read by some of the readers"}


def schedule_section(view: StudyView) -> None:
    """The planned schedule of a study with pairs, and in a draft the form that changes it."""
    st.subheader("Readers and order", anchor=False)
    if view.state == "draft":
        schedule_form(view)
    table, cases = plan_balance(workspace(), view.id)
    if not table.readers:
        st.caption("No reader is planned: each schedule is drawn when its reader is invited.")
        return
    said = [
        counted(table.readers, "planned reader"),
        f"{_span(table.cases_per_reader)} counted cases each",
        f"{_span(table.readers_per_case)} readers a case",
        f"two readers share {_span(table.common_cases)} cases" if table.readers > 1 else "",
    ]
    st.caption("; ".join(part for part in said if part) + ". " + exposure_line(view.protocol, table.exposures))
    balance_table(view, table)
    with st.expander("Every planned case, reader by reader", icon=":material/list:"):
        slot = st.selectbox("Reader", sorted({case.slot for case in cases}), format_func=lambda n: f"R{n}", width=160)
        names = arm_names(view)
        layout.table(
            ["Place", "Pair", "Arm", "Shown as", "Original on"],
            [
                (str(c.position + 1), str(c.case), names.get(c.arm, c.arm), c.purpose, c.original_side)
                for c in cases
                if c.slot == slot
            ],
        )


def balance_table(view: StudyView, table: Balance) -> None:
    names = arm_names(view)
    rows = [
        (
            names.get(row.arm, row.arm),
            str(row.pairs),
            f"{row.sides[0]} / {row.sides[1]}",
            str(row.widest),
            " / ".join(map(str, row.thirds)),
            f"{row.place:.2f}",
            str(row.repeats),
            str(row.guesses),
        )
        for row in table.arms
    ]
    columns = [
        "Arm", "Pairs", "Original on A / B", "Largest A − B of a reader", "Read in first / middle / last third",
        "Mean place, 0 to 1", "Repeats", "Guesses",
    ]  # fmt: skip
    layout.table(columns, rows, numbers=range(1, 8))


def schedule_form(view: StudyView) -> None:
    design, repeats = view.protocol.design, view.protocol.repeats or Repeats(0)
    with st.expander("Change readers, order, repeats", icon=":material/tune:"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            readers = st.number_input("Planned readers", 0, 100, design.readers, key=f"readers-{view.id}")
            cases = st.selectbox(
                "Who reads what", list(CASES), index=list(CASES).index(design.cases), format_func=CASES.__getitem__,
                key=f"cases-{view.id}",
            )  # fmt: skip
            per_case = 0
            if cases == "blocks":
                most = max(1, int(readers))
                now = min(max(design.readers_per_case, 2), most)
                per_case = st.number_input("Readers per case", 1, most, now, key=f"per-case-{view.id}")
        order = st.radio(
            "Order of cases", list(ORDERS), index=list(ORDERS).index(design.order), format_func=ORDERS.__getitem__,
            key=f"order-{view.id}",
        )  # fmt: skip
        with st.container(horizontal=True):
            again = st.number_input("Pairs read twice", 0, 200, repeats.n, key=f"repeats-{view.id}")
            distance = st.number_input(
                "at least so many cases later", 1, 500, repeats.min_distance, key=f"distance-{view.id}"
            )
            days = st.number_input("and so many days", 0, 365, repeats.washout_days, key=f"washout-{view.id}")
            guesses = st.number_input(
                "Pairs to guess at the end, %", 0, 100, round(100 * view.protocol.guess_share), 5,
                key=f"guess-{view.id}", help="Readers say which side is the generated one: was the blinding kept?",
            )  # fmt: skip
            alone = st.number_input(
                "Single images before the pairs, %", 0, 100, round(100 * view.protocol.single_share), 5,
                key=f"single-{view.id}",
                help="One image of so many of the pairs is read alone first (present, absent): absolute prevalence.",
            )  # fmt: skip
        if not st.button("Plan again", type="primary", key=f"plan-{view.id}"):
            return
        try:
            problems = update_draft(
                workspace(),
                view.id,
                actor=actor(),
                design=Design(int(readers), cases, int(per_case), order),
                repeats=Repeats(int(again), int(distance), int(days)) if again else None,
                guess_share=guesses / 100,
                single_share=alone / 100,
            )
        except StudyRefused as error:
            st.error(str(error))
            return
        if problems:
            layout.html("<ul class=problems>" + "".join(f"<li>{layout.escape(p)}</li>" for p in problems) + "</ul>")
        else:
            st.rerun()


def _span(numbers: tuple[int, int]) -> str:
    return str(numbers[0]) if numbers[0] == numbers[1] else f"{numbers[0]} to {numbers[1]}"
