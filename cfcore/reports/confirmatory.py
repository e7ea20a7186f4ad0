"""The hypotheses that were locked with the protocol, tested together; everything else is exploratory."""

from typing import Any

import numpy as np
import pandas as pd

from cfcore.study.analysis_plan import AnalysisPlan, Hypothesis
from cfcore.study.comparison import Comparison, compare
from cfcore.study.multiplicity import adjusted
from cfcore.study.shaping import flat, readings_only

COLUMNS = (
    "primary", "finding", "arms", "estimand", "value_first", "value_second", "difference", "difference_low",
    "difference_high", "difference_note", "test", "p", "p_adjusted", "adjustment", "patients", "readings", "note",
)  # fmt: skip
_SIDES = ("in_original", "in_counterfactual")


def confirmatory_table(
    decoded: pd.DataFrame, rated: pd.DataFrame, plan: AnalysisPlan | None, rng: np.random.Generator
) -> pd.DataFrame:
    """One row per hypothesis of the plan's family, the primary one first; p adjusted over the family (Holm 1979).

    A hypothesis of one arm compares its counterfactuals with their originals, one of two arms the first with the
    second: `difference` is counterfactuals - originals, or first - second, of shares (mean ratings for a rating), and
    value_second - value_first, so that value_first is what is subtracted: the originals, or the second arm.
    decoded, rated: as from `decode_readings` and `decode_ratings`. Columns: `COLUMNS`; no row without a plan.
    """
    if plan is None:
        return pd.DataFrame(columns=list(COLUMNS))
    first = Hypothesis(plan.finding, plan.contrast)
    family = [first, *(member for member in plan.family if member != first)]
    rows = [_row(decoded, rated, member, plan, member == first, rng) for member in family]
    values, name = adjusted([row["p"] for row in rows], "confirmatory")
    for row, value in zip(rows, values, strict=True):
        row |= {"p_adjusted": value, "adjustment": name}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"primary": bool})


def _row(
    decoded: pd.DataFrame,
    rated: pd.DataFrame,
    member: Hypothesis,
    plan: AnalysisPlan,
    primary: bool,
    rng: np.random.Generator,
) -> dict[str, Any]:
    is_rating = member.finding in set(rated["rating"])
    estimand = "rating" if is_rating else plan.estimand if plan.estimand != "rating" else "appears"
    found = _compared(rated if is_rating else decoded, member, estimand, rng)
    return (
        {"primary": primary, "finding": member.finding, "arms": " against ".join(member.arms), "estimand": estimand}
        | {"value_first": found.first, "value_second": found.second}
        | flat("difference", found.difference)
        | {"test": found.test, "p": found.p, "patients": found.patients, "readings": found.readings, "note": found.note}
    )


def _compared(data: pd.DataFrame, member: Hypothesis, estimand: str, rng: np.random.Generator) -> Comparison:
    """`compare` takes second - first: the groups are handed over so that the sign is the plan's."""
    key = "rating" if estimand == "rating" else "finding"
    first = readings_only(data)
    own = first[(first[key] == member.finding) & first["arm"].isin(member.arms)]
    if len(member.arms) == 1:
        sides = [own.assign(group=side, value=own[side]) for side in _SIDES]
        return compare(pd.concat(sides, ignore_index=True), *_SIDES, rng)
    column = {"rating": "value", "disappears": "disappears"}.get(estimand, "appears")
    if estimand == "difference":
        change = own["in_counterfactual"].astype("Int64") - own["in_original"].astype("Int64")
        own = own.assign(change=change)
        column = "change"
    rows = own.assign(group=own["arm"], value=own[column])
    return compare(rows, member.arms[1], member.arms[0], rng)
