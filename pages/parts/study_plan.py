"""The primary analysis and the Holm family, stated before the lock."""

from __future__ import annotations

import re

import streamlit as st

from cfcore.study.analysis_plan import ESTIMANDS, TESTS, AnalysisPlan, Hypothesis
from cfcore.wording import counted, direction_name
from pages.parts import layout
from pages.parts.who import actor, workspace
from services.studies import StudyRefused, StudyView, update_draft

ITSELF = "its own originals"


def plan_section(view: StudyView) -> None:
    """What is tested first, in a sentence; in a draft a folded form changes it."""
    plan = view.protocol.analysis
    findings, arms = _findings(view), _arms(view)
    layout.html("<b>Primary analysis</b>")
    if plan is None:
        st.caption("None is stated yet: list findings and choose arms first, then it is suggested.")
    else:
        against = ITSELF if len(plan.contrast) == 1 else "".join(f"“{arms.get(arm, arm)}”" for arm in plan.contrast[1:])
        first = arms.get(plan.contrast[0], plan.contrast[0]) if plan.contrast else "no arm"
        st.write(plan.question)
        shares = ", ".join(f"{100 * look:g} %" for look in plan.looks)
        family = counted(len(plan.family), "hypothesis", "hypotheses")
        st.caption(
            f"“{findings.get(plan.finding, plan.finding)}” under “{first}” against {against}: "
            f"{ESTIMANDS[plan.estimand]}. {TESTS[plan.test]}. Level {plan.alpha:g}, Holm over {family}; the rest is "
            f"exploratory.{f' Looks at {shares} of the readings.' if shares else ''}"
        )
    if view.state == "draft" and findings and arms:
        plan_form(view, plan or AnalysisPlan("", next(iter(findings)), contrast=(next(iter(arms)),)))


def plan_form(view: StudyView, plan: AnalysisPlan) -> None:
    findings, arms = _findings(view), _arms(view)
    with st.expander("Change the primary analysis", icon=":material/query_stats:"):
        question = st.text_area("The primary question, in a sentence", plan.question, key=f"plan-question-{view.id}")
        with st.container(horizontal=True):
            finding = st.selectbox(
                "Finding or rating", list(findings), index=_at(list(findings), plan.finding),
                format_func=findings.__getitem__, key=f"plan-finding-{view.id}",
            )  # fmt: skip
            first = st.selectbox(
                "Arm", list(arms), index=_at(list(arms), plan.contrast[0] if plan.contrast else ""),
                format_func=arms.__getitem__, key=f"plan-arm-{view.id}",
            )  # fmt: skip
            others = ["", *(arm for arm in arms if arm != first)]
            second = st.selectbox(
                "against", others, index=_at(others, plan.contrast[1] if len(plan.contrast) > 1 else ""),
                format_func=lambda arm: arms.get(arm, ITSELF), key=f"plan-against-{view.id}",
            )  # fmt: skip
        estimand = st.selectbox(
            "What is estimated", list(ESTIMANDS), index=list(ESTIMANDS).index(plan.estimand),
            format_func=lambda name: ESTIMANDS[name].capitalize(), key=f"plan-estimand-{view.id}",
        )  # fmt: skip
        test = st.selectbox(
            "Test", list(TESTS), index=list(TESTS).index(plan.test), format_func=lambda name: f"{name}: {TESTS[name]}",
            key=f"plan-test-{view.id}",
        )  # fmt: skip
        contrast = (first, second) if second else (first,)
        primary = Hypothesis(finding, contrast)
        known = [Hypothesis(key, (arm,)) for key in findings for arm in arms]
        known += [Hypothesis(key, contrast) for key in findings if second]
        known += [member for member in plan.family if member not in known]
        family = st.multiselect(
            "Holm family: every confirmatory hypothesis", known, default=[m for m in plan.family if m in known],
            format_func=lambda m: (
                f"{findings.get(m.finding, m.finding)}: {' against '.join(arms.get(a, a) for a in m.arms)}"
            ),
            key=f"plan-family-{view.id}",
        )  # fmt: skip
        with st.container(horizontal=True):
            alpha = st.number_input("Level alpha", 0.001, 0.4, plan.alpha, 0.005, format="%.3f", key=f"alpha-{view.id}")
            looks = st.text_input(
                "Planned looks, % of the readings", ", ".join(f"{100 * look:g}" for look in plan.looks),
                placeholder="none: one analysis at the end; or 50, 100", key=f"looks-{view.id}",
            )  # fmt: skip
        if not st.button("Save the plan", key=f"save-plan-{view.id}"):
            return
        try:
            shares = tuple(float(part) / 100 for part in re.split(r"[,;\s]+", looks.strip()) if part)
            members = family if primary in family else [primary, *family]
            stated = AnalysisPlan(question, finding, estimand, contrast, test, tuple(members), float(alpha), shares)
            update_draft(workspace(), view.id, actor=actor(), analysis=stated)
        except StudyRefused as error:
            st.error(str(error))
            return
        except ValueError:
            st.error(f"“{looks}” are not shares: write numbers parted by commas, such as 50, 100.")
            return
        st.rerun()


def _at(options: list[str], value: str) -> int:
    return options.index(value) if value in options else 0


def _findings(view: StudyView) -> dict[str, str]:
    protocol = view.protocol
    return {f.key: f.label for f in protocol.findings} | {r.key: r.question for r in protocol.ratings}


def _arms(view: StudyView) -> dict[str, str]:
    return {arm.key: direction_name(arm.name) for arm in view.protocol.arms}
