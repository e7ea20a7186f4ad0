"""What is really there on both sides of a demo pair: measured on the phantom, never asked of the classifier alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from cfcore.images.phantom import Factors, Measurement, measure_batch
from cfcore.study.simulated import SimulatedReader, Truth, expected_agreement
from db.models import Image, Study
from services.images import pad_to_square
from services.pairs import pair_units
from services.study_views import PairView, pair_view, protocol_of
from services.workspace import Workspace

CHUNK = 8


@dataclass(frozen=True)
class Rule:
    """When a finding is there: the measured value reaches `level`; in the counterfactual also when it grew by `change`
    or more over the original. `known`: the same value from a phantom's own factors."""

    measured: Callable[[Measurement], float]
    known: Callable[[Factors], float]
    level: float
    change: float
    words: str


def _lower_opacity(effusion: float, collapse: float) -> float:
    """1 where fluid or a collapsed lower lobe veils the lower lung."""
    return max(effusion / 0.10, collapse / 0.40)


RULES: dict[str, Rule] = {
    "ctr": Rule(
        lambda m: m.cardiothoracic_ratio or 0.0,
        lambda f: f.cardiothoracic_ratio,
        0.50,
        0.03,
        "cardiothoracic ratio at least 0.50, or 0.03 above the original's",
    ),
    "reduced_opacity": Rule(
        lambda m: m.lucency or 0.0, lambda f: f.lucency, 0.35, 0.20, "lung lucency at least 0.35, or 0.20 more"
    ),
    "effusion": Rule(
        lambda m: max(m.effusion_left or 0.0, m.effusion_right or 0.0),
        lambda f: max(f.effusion_left, f.effusion_right),
        0.05,
        0.03,
        "effusion level at least 5 % of the height, or 3 % more",
    ),
    "pacemaker": Rule(lambda m: m.device or 0.0, lambda f: float(f.pacemaker), 0.5, 0.5, "device score at least 0.5"),
    "older": Rule(lambda m: m.age or 0.0, lambda f: f.age, 65.0, 8.0, "age 65 or more, or 8 years more"),
    "recessus": Rule(
        lambda m: max(m.effusion_left or 0.0, m.effusion_right or 0.0),
        lambda f: max(f.effusion_left, f.effusion_right),
        0.03,
        0.02,
        "effusion level at least 3 % of the height, or 2 % more",
    ),
    "opaque_lower": Rule(
        lambda m: _lower_opacity(
            max(m.effusion_left or 0.0, m.effusion_right or 0.0),
            max(m.atelectasis_left or 0.0, m.atelectasis_right or 0.0),
        ),
        lambda f: _lower_opacity(max(f.effusion_left, f.effusion_right), f.atelectasis),
        1.0,
        0.5,
        "effusion level of 10 % of the height or lower-lobe collapse of 0.4, or half of either more",
    ),
    "fluid_overload": Rule(
        lambda m: m.congestion or 0.0, lambda f: f.congestion, 0.35, 0.20, "congestion at least 0.35, or 0.20 more"
    ),
    "pneumonia": Rule(
        lambda m: m.opacity or 0.0, lambda f: f.opacity, 0.40, 0.25, "opacity at least 0.40, or 0.25 more"
    ),
    "shift": Rule(
        lambda m: abs(m.mediastinal_shift or 0.0),
        lambda f: abs(f.shift),
        0.06,
        0.04,
        "mediastinal shift at least 0.06 half-widths of the thorax, or 0.04 more",
    ),
    "barrel": Rule(
        lambda m: m.barrel or 0.0, lambda f: f.barrel, 0.35, 0.20, "barrel shape at least 0.35, or 0.20 more"
    ),
}
# One rule under the names that the lists of other diseases give it.
RULES = RULES | {"cardiac_diameter": RULES["ctr"], "infiltration": RULES["pneumonia"]}


def describe_truth(readers: Sequence[SimulatedReader], keys: Iterable[str]) -> str:
    """The rules of the findings `keys` and the readers in words, for the protocol's notes."""
    rules = "; ".join(f"{key}: {RULES[key].words}" for key in keys)
    people = "; ".join(
        f"{r.key} sensitivity {r.sensitivity:g}, specificity {r.specificity:g}, shared impression {r.agreement:g}"
        for r in readers
    )
    pairs = [(a, b) for i, a in enumerate(readers) for b in readers[i + 1 :]]
    there, absent = (sum(expected_agreement(a, b, present) for a, b in pairs) / len(pairs) for present in (True, False))
    return (
        f"Demo study. Readers are simulated: {people}. Two of them judge one image alike with probability {there:.2f} "
        f"where a finding is there and {absent:.2f} where it is not. Truth is the phantom measured back from the "
        f"pixels of both sides ({rules}). Where a picture cannot be measured: the original's own factors, and in the "
        "counterfactual the main findings if and only if the class flipped."
    )


def truth_of(workspace: Workspace, study_id: int) -> Truth:
    """(pair id, finding) -> (in the original, in the counterfactual), by `RULES`.

    Raises:
        ValueError: the checklist has a finding without a rule.
    """
    with workspace.session() as session:
        study = session.get_one(Study, study_id)
        findings = protocol_of(study).findings
        pairs = list(study.pairs)
        ids = {pair.image_id for pair in pairs}
        metas = {i.id: i.meta for i in session.scalars(sa.select(Image).where(Image.id.in_(ids)))}
    if unknown := [finding.key for finding in findings if finding.key not in RULES]:
        raise ValueError(f"no rule says when {', '.join(unknown)} is there; the demo knows {', '.join(RULES)}")
    main = {finding.key for finding in findings if finding.kind == "main"}
    truth: dict[tuple[str | int, str], tuple[bool, bool]] = {}
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        for pair, (original, moved) in zip(
            chunk, measured_sides(workspace, [pair_view(pair) for pair in chunk]), strict=True
        ):
            factors = known_factors(metas[pair.image_id])
            for finding in findings:
                rule = RULES[finding.key]
                if original.measurable and moved.measurable:
                    truth[pair.id, finding.key] = judged(rule, original, moved)
                else:
                    there = rule.known(factors) >= rule.level
                    truth[pair.id, finding.key] = (there, there or (finding.key in main and pair.flipped))
    return truth


def judged(rule: Rule, original: Measurement, moved: Measurement) -> tuple[bool, bool]:
    """Whether the finding is there in the original and in the counterfactual, both measurable."""
    before, after = rule.measured(original), rule.measured(moved)
    return before >= rule.level, after >= rule.level or after - before >= rule.change


def measured_sides(workspace: Workspace, pairs: Sequence[PairView]) -> list[tuple[Measurement, Measurement]]:
    """Of every pair the original and the counterfactual, measured; sides of all pairs of one size in pixels."""
    units = [pad_to_square(unit) for pair in pairs for unit in pair_units(workspace, pair)]
    found = measure_batch(np.stack(units))
    return list(zip(found[::2], found[1::2], strict=True))


def known_factors(meta: Mapping[str, Any]) -> Factors:
    """The factors with which a phantom image was drawn, from its stored `meta`."""
    stored = dict(meta["phantom"]["factors"])
    stored["opacity_position"] = tuple(stored["opacity_position"])
    return Factors(**stored)
