"""Table 2 of seed 000 without people: what simulated readers see, beside which true factor each kept pair moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cfcore.engines.base import Engine, NamedDirection, Progress, silent
from cfcore.engines.eigenfind import Basis, EigenFind, EigenFindConfig
from cfcore.images.phantom import Measurement, measure_batch
from cfcore.metrics.explained import distinct
from cfcore.rendering import Rendering
from cfcore.study.decode import decode_readings
from cfcore.study.findings import findings_table, headline
from cfcore.study.protocol import FINDING_LISTS, Arm
from cfcore.study.schedule import make_schedule
from cfcore.study.simulated import simulate_study
from services.demo_parts import READERS
from services.demo_truth import RULES, judged
from services.phantom_effects import EffectOf, effects_of
from services.reproduce.material import TARGET_CLASS, Shipped, shipped_generators, source_images
from services.reproduce.result import Part, Row, keep, plain, recall, reproduce

NAME = "reproduce-eigenfind-table2"
SOURCES = (
    "cfcore/classifiers/base.py", "cfcore/classifiers/densenet.py", "cfcore/engines/attfind", "cfcore/engines/base.py",
    "cfcore/engines/codes.py", "cfcore/engines/eigenfind", "cfcore/engines/first_order.py", "cfcore/engines/transfer",
    "cfcore/generators/layers.py", "cfcore/generators/stylex", "cfcore/images/phantom", "cfcore/metrics",
    "services/demo_truth.py", "services/phantom_effects.py", "services/reproduce/material.py",
    "services/reproduce/result.py", "services/reproduce/table2.py",
)  # fmt: skip
# The factors that are each pathology itself.
OWN: Mapping[str, tuple[str, ...]] = {
    "cardiomegaly": ("cardiothoracic_ratio",),
    "effusion": ("effusion",),
    "atelectasis": ("atelectasis", "mediastinal_shift"),
}
# The paper's ticks: finding -> under which of the three eigenvectors it was seen (v17, v2, v18; v15, v7, v12; v15, v7,
# v12). Where the text lost the columns, only the number of ticks is known, and that is what is given.
PAPER_TICKS: Mapping[str, Mapping[str, int]] = {
    "cardiomegaly": {"ctr": 3, "reduced_opacity": 1, "effusion": 2, "pacemaker": 1, "older": 1},
    "effusion": {"recessus": 3, "opaque_lower": 1, "cardiac_diameter": 1, "fluid_overload": 1, "pneumonia": 1},
    "atelectasis": {"shift": 3, "barrel": 2, "effusion": 3, "infiltration": 2, "older": 1},
}
SEED = 20


@dataclass(frozen=True)
class Extent:
    """Images that rank the pairs, on which true effects are measured, that readers see; arms; scan, k, degree."""

    rank: int = 100
    effects: int = 60
    read: int = 10
    arms: int = 3
    scan: int = 20
    k: int = 8
    degree: float = 10.0
    every: bool = True


QUICK = Extent(rank=8, effects=8, read=4, scan=12, k=3, every=False)


def table2(
    quick: bool = False,
    *,
    from_store: bool = False,
    rendering: Rendering = "detail transfer",
    basis: Basis = "sefa",
    progress: Progress = silent,
) -> dict[str, Any]:
    """For every shipped phantom generator: ten healthy images, the same for each of the three best eigenvectors, moved
    by degree 10 whether they flip or not; three simulated readers judge each finding, and the phantom is measured.

    Rows of `kind` "readers" (finding x eigenvector: share of readings in which it appears, majority tick, the truth's
    share and tick, the paper's number of ticks) and "truth" (kept pair x factor: mean change with interval,
    standardised change, rank correlation with the degree; the pair's main factor and leakage).

    Figures, per generator key: main_ticked_* (share of main findings x eigenvectors that the readers tick),
    tick_agreement_* (share of all cells where readers' and truth's ticks agree), ac1_*, own_factor_* (share of kept
    pairs whose main factor is the pathology's own), correlation_* (rank correlation of the first pair's main factor),
    leakage_* (of the first pair), pacemaker_found_* (1 if a kept pair makes a pacemaker appear), pacemaker_rank_*
    (which, by score). shortcut_found and shortcut_rank: the same for a generator of the coupled phantom, where one is
    shipped. A full run in detail transfer is stored, one for each basis.

    Raises:
        ValueError: no phantom generator is shipped. FileNotFoundError: `from_store`, and nothing is kept.
    """
    generators = [g for g in shipped_generators() if g.source == "phantom" and g.size == 64]
    if not generators:
        raise ValueError("no phantom generator of 64 px is shipped under weights/: only the phantom knows the truth")
    if from_store:
        return recall(_stored_as(basis), generators)
    extent = QUICK if quick else Extent()
    coupled = any(g.shortcut for g in generators)
    settings = asdict(extent) | {
        "rendering": rendering,
        "basis": basis,
        "seed": SEED,
        "readers": [asdict(reader) for reader in READERS],
        "shortcut": "a generator of the coupled phantom is shipped"
        if coupled
        else "no generator of the coupled phantom is shipped, so whether a pair reveals its pacemaker stays open",
    }

    def work(here: Sequence[Shipped]) -> Part:
        parts = []
        for i, shipped in enumerate(here):
            progress(i / len(here), shipped.name)
            parts.append(read_generator(shipped, extent, rendering, basis))
        figures = {name: value for part in parts for name, value in part.figures.items()}
        for shipped in here:
            if shipped.shortcut:
                figures["shortcut_found"] = figures[f"pacemaker_found_{shipped.key}"]
                figures["shortcut_rank"] = figures[f"pacemaker_rank_{shipped.key}"]
        return Part(figures, [row for part in parts for row in part.rows])

    result = reproduce(_stored_as(basis), generators if extent.every else generators[:1], settings, work)
    if not quick and rendering == "detail transfer":
        keep(result, generators, SOURCES)
    return plain(result)


def _stored_as(basis: Basis) -> str:
    return NAME if basis == "sefa" else f"{NAME}-{basis}"


def read_generator(shipped: Shipped, extent: Extent, rendering: Rendering, basis: Basis = "sefa") -> Part:
    """Rank, measure and read one generator's pairs."""
    classifier, generator = shipped.load()
    rank = source_images(shipped, classifier, "rank", extent.rank).images
    test = source_images(shipped, classifier, "test", max(extent.effects, extent.read)).images
    config = EigenFindConfig(basis=basis, scan=extent.scan, k=extent.k, degree=extent.degree)
    engine = EigenFind.fit(classifier, rank, TARGET_CLASS, config, generator=generator)
    kept = [d for d in engine.directions() if d.kept]
    names = [d.name for d in kept]
    effects = effects_of(engine, [test[: extent.effects]], TARGET_CLASS, names, extent.degree, rendering)
    truth = truth_part(shipped.key, shipped.finding, kept, effects)
    arms = distinct(engine.directions(), extent.arms)
    pairs = moved_pairs(engine, test[: extent.read], arms, extent.degree, rendering)
    seen = readers_part(shipped.key, shipped.finding, arms, pairs)
    return Part(truth.figures | seen.figures, [*truth.rows, *seen.rows])


def truth_part(key: str, finding: str, kept: Sequence[NamedDirection], effects: Sequence[EffectOf]) -> Part:
    """Rows and figures of what the kept pairs really move."""
    rows: list[Row] = []
    for direction, found in zip(kept, effects, strict=True):
        effect = found.effect
        for one in effect.effects:
            rows.append(
                {
                    "kind": "truth",
                    "generator": key,
                    "direction": found.direction,
                    "rank": found.rank,
                    "mean_change": direction.mean_change,
                    "factor": one.factor,
                    "change": one.change.value,
                    "low": one.change.low,
                    "high": one.change.high,
                    "standardised": one.standardised,
                    "correlation": one.correlation,
                    "main": one.factor == effect.main,
                    "leakage": effect.leakage,
                    "measurable": effect.measurable,
                    "n": effect.n,
                    "pacemaker_appears": found.pacemaker.appears.value,
                    "pacemaker": found.pacemaker.yes,
                }
            )
    figures: dict[str, float] = {}
    mains = [found.effect.main for found in effects]
    figures[f"own_factor_{key}"] = float(np.mean([main in OWN[finding] for main in mains]))
    first = effects[0].effect
    if first.main is not None and first.leakage is not None:
        figures[f"correlation_{key}"] = float(first.of(first.main).correlation or 0.0)
        figures[f"leakage_{key}"] = first.leakage
    ranks = [found.rank for found in effects if found.pacemaker.yes]
    figures[f"pacemaker_found_{key}"] = float(bool(ranks))
    figures[f"pacemaker_rank_{key}"] = float(ranks[0]) if ranks else 0.0
    return Part(figures, rows)


@dataclass(frozen=True)
class MovedPairs:
    """The same n images under each arm: measured originals, and for each arm's name the measured counterfactuals and
    whether each flipped."""

    original: list[Measurement]
    moved: dict[str, list[Measurement]]
    flipped: dict[str, list[bool]]


def moved_pairs(
    engine: Engine, images: Tensor, arms: Sequence[NamedDirection], degree: float, rendering: Rendering
) -> MovedPairs:
    """Move (n, 1, size, size) images along every arm by a fixed degree, whether they flip or not."""
    moved, flipped = {}, {}
    for arm in arms:
        found = engine.move(images, TARGET_CLASS, direction=arm.name, degree=degree, rendering=rendering)
        moved[arm.name] = measure_batch(_arrays(found.counterfactual))
        flipped[arm.name] = found.flipped.tolist()
    return MovedPairs(measure_batch(_arrays(images)), moved, flipped)


def _arrays(images: Tensor) -> npt.NDArray[np.float32]:
    return torch.as_tensor(images)[:, 0].cpu().numpy()


def readers_part(key: str, finding: str, arms: Sequence[NamedDirection], pairs: MovedPairs) -> Part:
    """Three simulated readers judge every pair; ticks by the majority of readers in the majority of images.

    An image that cannot be measured on either side has no truth and is left out of the arm.
    """
    listed = FINDING_LISTS[finding]
    truth: dict[tuple[int | str, str], tuple[bool, bool]] = {}
    arm_of: dict[int | str, str] = {}
    patient_of: dict[int | str, int | str] = {}
    for arm in arms:
        for i, (before, after) in enumerate(zip(pairs.original, pairs.moved[arm.name], strict=True)):
            if not (before.measurable and after.measurable):
                continue
            pair = f"{arm.name} {i:02d}"
            arm_of[pair], patient_of[pair] = arm.name, f"P{i:02d}"
            for one in listed:
                truth[pair, one.key] = judged(RULES[one.key], before, after)
    if not arm_of:
        return Part({f"unreadable_{key}": 1.0}, [])
    table = _read(arm_of, patient_of, truth, [one.key for one in listed])
    decoded = decode_readings(table, [one.key for one in listed])
    names = [Arm(arm.name, arm.name) for arm in arms]
    found = findings_table(decoded, listed, names, np.random.default_rng(SEED), resamples=200)
    rows, agree, main = [], [], []
    for record in found.to_dict("records"):
        own = [truth[p, record["finding"]] for p, arm in arm_of.items() if arm == record["arm"]]
        appears = float(np.mean([after and not before for before, after in own])) if own else None
        tick = bool(record["majority"]) if record["majority"] is not None else None
        true_tick = None if appears is None else appears > 0.5
        if tick is not None and true_tick is not None:
            agree.append(tick == true_tick)
        if record["kind"] == "main" and tick is not None:
            main.append(tick)
        rows.append(
            {
                "kind": "readers",
                "generator": key,
                "finding": record["label"],
                "main": record["kind"] == "main",
                "direction": record["arm"],
                "images": len(own),
                "flipped": sum(pairs.flipped[record["arm"]]),
                "share": record["share"],
                "low": record["share_low"],
                "high": record["share_high"],
                "tick": tick,
                "truth_share": appears,
                "truth_tick": true_tick,
                "ac1": record["ac1"],
                "paper_ticks": PAPER_TICKS[finding].get(record["finding"]),
            }
        )
    overall = headline(decoded, np.random.default_rng(SEED))
    figures = {f"main_ticked_{key}": float(np.mean(main)), f"tick_agreement_{key}": float(np.mean(agree))}
    if overall.ac1.value is not None:
        figures[f"ac1_{key}"] = overall.ac1.value
    return Part(figures, rows)


def _read(
    arm_of: Mapping[int | str, str],
    patient_of: Mapping[int | str, int | str],
    truth: Mapping[tuple[int | str, str], tuple[bool, bool]],
    findings: Sequence[str],
) -> list[Row]:
    """The demo's three simulated readers on all pairs, as rows for `decode_readings`."""
    schedules = {r.key: make_schedule(list(arm_of), r.key, SEED, arm_of, patient_of) for r in READERS}
    given = simulate_study(READERS, schedules, truth, findings, np.random.default_rng(SEED), ())
    return [row | {"arm": arm_of[row["pair"]], "patient": patient_of[row["pair"]]} for row in given]
