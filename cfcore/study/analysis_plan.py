"""The one primary analysis that is fixed before the first reading, and the family that Holm's method corrects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

Estimand = Literal["difference", "appears", "disappears", "rating"]
Test = Literal["interval", "permutation", "GEE"]

ESTIMANDS: Mapping[Estimand, str] = {
    "difference": "prevalence in counterfactuals minus prevalence in originals, as seen in pairs",
    "appears": "share of pairs in which the finding is seen in the counterfactual and not in the original",
    "disappears": "share of pairs in which the finding is seen in the original and not in the counterfactual",
    "rating": "mean rating of the pairs",
}
TESTS: Mapping[Test, str] = {
    "interval": "95 % interval by bootstrap over patients; the effect counts if it excludes 0",
    "permutation": "permutation of the arms within patients (or of patients between arms), two-sided",
    "GEE": "generalised estimating equations clustered on patients, reader as fixed effect, bias-reduced covariance",
}


@dataclass(frozen=True)
class Hypothesis:
    """One member of the Holm family: a finding (or rating) under one arm, or compared between two."""

    finding: str
    arms: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "arms", tuple(self.arms))


@dataclass(frozen=True)
class AnalysisPlan:
    """What is tested first of all, and how.

    question: the primary question in words. finding: key of the finding (or of the rating) it is about. estimand: a
    key of `ESTIMANDS`. contrast: one arm (against its own originals), or two (first minus second). test: a key of
    `TESTS`. family: every confirmatory hypothesis; Holm's method corrects over it (Holm 1979), what is outside is
    exploratory. alpha: two-sided level. looks: planned interim looks as shares of the readings, rising, the last 1;
    empty for one analysis at the end (O'Brien and Fleming 1979; spending after Lan and DeMets 1983).
    """

    question: str
    finding: str
    estimand: Estimand = "difference"
    contrast: tuple[str, ...] = ()
    test: Test = "interval"
    family: tuple[Hypothesis, ...] = ()
    alpha: float = 0.05
    looks: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "contrast", tuple(self.contrast))
        object.__setattr__(self, "family", tuple(self.family))
        object.__setattr__(self, "looks", tuple(float(look) for look in self.looks))


def suggested_plan(
    findings: Sequence[tuple[str, str]], arms: Sequence[tuple[str, str]], main: Sequence[str] = ()
) -> AnalysisPlan | None:
    """The plan that a new study begins with: does the first main finding appear under the first arm?

    findings, arms: (key, name) each. main: keys of the main findings, whose hypotheses under every arm form the
    family (default: the first finding alone). None where there is no finding or no arm yet.
    """
    if not findings or not arms:
        return None
    keys = [key for key, _ in findings if key in main] or [findings[0][0]]
    names = dict(findings)
    return AnalysisPlan(
        question=f"Do readers see “{names[keys[0]]}” more often in counterfactuals of “{arms[0][1]}” than in their "
        "originals?",
        finding=keys[0],
        contrast=(arms[0][0],),
        family=tuple(Hypothesis(key, (arm,)) for arm, _ in arms for key in keys),
    )


def _unknown(what: str, found: Sequence[str], known: Sequence[str]) -> list[str]:
    return [
        f"The analysis names the {what} “{key}”, which the study does not have: choose one of {', '.join(known)}."
        for key in dict.fromkeys(found)
        if key not in known
    ]


def plan_problems(
    plan: AnalysisPlan | None, findings: Sequence[str], ratings: Sequence[str], arms: Sequence[str]
) -> list[str]:
    """What keeps the plan from being locked, a sentence each. findings, ratings, arms: the keys of the study."""
    if plan is None:
        return [
            "No primary analysis is named: state one primary question, its estimand, contrast, test and the family "
            "of hypotheses."
        ]
    problems = [] if plan.question.strip() else ["The primary question is empty: say in a sentence what is asked."]
    if plan.estimand not in get_args(Estimand):
        problems.append(f"The estimand “{plan.estimand}” is unknown: use {', '.join(get_args(Estimand))}.")
    if plan.test not in get_args(Test):
        problems.append(f"The test “{plan.test}” is unknown: use {', '.join(get_args(Test))}.")
    asked = ratings if plan.estimand == "rating" else findings
    problems += _unknown("rating" if plan.estimand == "rating" else "finding", [plan.finding], asked)
    if not 1 <= len(plan.contrast) <= 2 or len(set(plan.contrast)) != len(plan.contrast):
        problems.append("The contrast needs one arm (against its originals) or two different ones (first - second).")
    if plan.estimand == "rating" and len(plan.contrast) == 1:
        problems.append("A rating of one arm has nothing to be compared with: name two arms.")
    if len(plan.contrast) == 1 and plan.test != "interval":
        problems.append("One arm against its originals is judged by its interval: choose that test, or two arms.")
    known_arms = [*plan.contrast, *(arm for member in plan.family for arm in member.arms)]
    problems += _unknown("arm", known_arms, arms)
    problems += _unknown("finding", [member.finding for member in plan.family], [*findings, *ratings])
    if not plan.family:
        problems.append("The Holm family is empty: list at least the primary hypothesis.")
    elif Hypothesis(plan.finding, plan.contrast) not in plan.family:
        problems.append("The primary hypothesis is not in the Holm family: add it.")
    if len(set(plan.family)) != len(plan.family):
        problems.append("A hypothesis stands twice in the Holm family: list each once.")
    if not (math.isfinite(plan.alpha) and 0 < plan.alpha < 0.5):
        problems.append(f"The level alpha is {plan.alpha}: use a number between 0 and 0.5 (0.05 is usual).")
    looks = plan.looks
    if looks and (looks[-1] != 1 or looks[0] <= 0 or any(a >= b for a, b in itertools.pairwise(looks))):
        problems.append(
            f"The planned looks {', '.join(f'{look:g}' for look in looks)} must rise and end with 1, e.g. 0.5, 1."
        )
    return problems


def plan_from(data: Mapping[str, Any] | None) -> AnalysisPlan | None:
    """The plan of a protocol's JSON. Raises TypeError for an unknown or missing field."""
    if data is None:
        return None
    return AnalysisPlan(**{**data, "family": tuple(Hypothesis(**member) for member in data.get("family", ()))})
