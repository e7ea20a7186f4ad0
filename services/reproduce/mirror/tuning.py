"""The same few settings for every method, chosen on validation images."""

from __future__ import annotations

from collections.abc import Sequence

from cfcore.engines.base import Progress, silent
from cfcore.metrics.comparison import is_valid, is_valid_denoised, l1_distance
from services.reproduce.result import Row

from .columns import Column, Led
from .methods import Choice, Method, Outcome, outcomes


def chosen(method: Method, column: Column, led: Sequence[Led], progress: Progress = silent) -> tuple[Choice, list[Row]]:
    """The choice with the largest denoised validity on the images, then the largest validity, then the least L1; and a
    row a choice: kind "tuning", column, method, choice, the three figures, chosen or not.

    Of Mirror-CFE the first counterfactual is judged.
    """
    rows: list[Row] = []
    for i, choice in enumerate(method.choices):

        def tell(share: float, message: str, begun: int = i) -> None:
            progress((begun + share) / len(method.choices), f"tuning, {message}")

        outcome = outcomes(method, column, led, choice, tell)[""]
        rows.append(
            {"kind": "tuning", "column": column.name, "method": method.key, "choice": choice.told}
            | figures_of(column, outcome)
        )
    best = max(range(len(rows)), key=lambda i: (rows[i]["denoised_validity"], rows[i]["validity"], -rows[i]["l1"]))
    for i, row in enumerate(rows):
        row["chosen"] = i == best
    return method.choices[best], rows


def figures_of(column: Column, outcome: Outcome) -> dict[str, float]:
    """Denoised validity, validity (both of all images) and L1 (of those that have one; 1 without any)."""
    valid, denoised = (
        (judge(column.classifier, outcome.pictures, outcome.target) & outcome.found).float().mean().item()
        for judge in (is_valid, is_valid_denoised)
    )
    l1 = l1_distance(outcome.images, outcome.pictures)[outcome.found]
    return {"denoised_validity": denoised, "validity": valid, "l1": l1.mean().item() if len(l1) else 1.0}
