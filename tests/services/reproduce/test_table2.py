"""Table 2 with a direction whose true effect is known: a heart that grows, and a device that appears."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cfcore.engines.base import NamedDirection
from cfcore.images.phantom import counterfactual, measure_batch, render, sample_patient
from cfcore.metrics.factor_effects import direction_effect, reveals
from cfcore.metrics.phantom_factors import SPREAD, factors_along
from cfcore.study.protocol import FINDING_LISTS
from services.demo_truth import RULES
from services.phantom_effects import EffectOf
from services.reproduce import table2
from services.reproduce.table2 import OWN, PAPER_TICKS, MovedPairs, readers_part, truth_part
from tests.services.reproduce.test_material import shipped
from tests.services.toy_study import Brighten, Brightness

DEGREES = (0.0, 5.0, 10.0)


def healthy(n: int = 8) -> list:
    patients = [sample_patient(5_000_000 + i, "cardiomegaly", positive=False) for i in range(n)]
    return [
        counterfactual(p, pacemaker=False, age=45.0, effusion_left=0.0, effusion_right=0.0, cardiothoracic_ratio=0.42)
        for p in patients
    ]


def direction(name: str, index: int) -> NamedDirection:
    return NamedDirection(name, index, 1, 2.0, 0.5, True)


@pytest.fixture(scope="module")
def along() -> dict[str, list[np.ndarray]]:
    """Frames at three degrees: a growing heart, and an appearing pacemaker."""
    people = healthy()
    hearts = [
        np.stack([render(counterfactual(p, cardiothoracic_ratio=0.42 + g), 64) for p in people])
        for g in (0, 0.08, 0.16)
    ]
    device = np.stack([render(counterfactual(p, pacemaker=True), 64) for p in people])
    return {"v3 +": hearts, "v7 -": [hearts[0], hearts[0], device]}


def test_the_true_factor_of_each_pair(along: dict[str, list[np.ndarray]]) -> None:
    effects = []
    for rank, (name, frames) in enumerate(along.items(), start=1):
        values = factors_along(frames)
        effects.append(
            EffectOf(name, rank, direction_effect(DEGREES, values, SPREAD), reveals(DEGREES, values["device"]))
        )
    kept = [direction("v3 +", 2), direction("v7 -", 6)]
    part = truth_part("cardiomegaly", "cardiomegaly", kept, effects)
    mains = {row["direction"]: row for row in part.rows if row["main"]}
    assert mains["v3 +"]["factor"] == "cardiothoracic_ratio" and mains["v3 +"]["change"] == pytest.approx(
        0.16, abs=0.03
    )
    assert mains["v3 +"]["correlation"] > 0.95 and mains["v3 +"]["leakage"] < 0.6
    assert mains["v7 -"]["factor"] == "device" and mains["v7 -"]["pacemaker"] and not mains["v3 +"]["pacemaker"]
    assert part.figures["own_factor_cardiomegaly"] == 0.5
    assert (part.figures["pacemaker_found_cardiomegaly"], part.figures["pacemaker_rank_cardiomegaly"]) == (1.0, 2.0)
    first = truth_part("cardiomegaly", "cardiomegaly", kept[:1], effects[:1])
    assert (first.figures["pacemaker_found_cardiomegaly"], first.figures["pacemaker_rank_cardiomegaly"]) == (0.0, 0.0)


class Drawn(Brighten):
    """Adds a picture per direction: one that makes the heart grow, one that is a pacemaker."""

    size = (64, 64)

    def __init__(self, pictures: dict[str, Tensor]) -> None:
        super().__init__()
        self.size, self.pictures = (64, 64), pictures
        self.classifier = Dark()

    def directions(self) -> tuple[NamedDirection, ...]:
        return tuple(direction(name, i) for i, name in enumerate(self.pictures))

    def _render(self, codes: Tensor, images: Tensor, direction: str | None, degrees: Tensor, target: int) -> Tensor:
        return (codes + degrees[:, None, None, None] / 10 * self.pictures[direction or ""]).clamp(0, 1)


class Dark(Brightness):
    """Calls every phantom healthy."""

    size = (64, 64)

    def logits(self, images: Tensor) -> Tensor:
        return torch.tensor([1.0, -1.0]).expand(len(images), 2)


def test_a_shipped_shortcut_card_gets_the_shortcuts_answer(
    along: dict[str, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {name: torch.from_numpy((frames[-1] - frames[0]).mean(axis=0)).float() for name, frames in along.items()}
    pictures["v7 -"] = torch.from_numpy(along["v7 -"][-1][0] - along["v7 -"][0][0]).float()
    engine = Drawn(pictures)
    card = shipped(source="phantom", finding="cardiomegaly", shortcut=True, key="cardiomegaly_shortcut")
    monkeypatch.setattr(type(card), "load", lambda self: (Dark(), torch.nn.Identity()))
    monkeypatch.setattr(table2, "shipped_generators", lambda: [card])
    monkeypatch.setattr(table2.EigenFind, "fit", lambda *_, **__: engine)
    found = table2.table2(quick=True)
    assert (found["figures"]["shortcut_found"], found["figures"]["shortcut_rank"]) == (1.0, 2.0)
    assert found["settings"]["shortcut"] == "a generator of the coupled phantom is shipped"


def test_readers_tick_what_is_there(along: dict[str, list[np.ndarray]]) -> None:
    arms = [direction("v3 +", 2), direction("v7 -", 6)]
    pairs = MovedPairs(
        measure_batch(along["v3 +"][0]),
        {name: measure_batch(frames[-1]) for name, frames in along.items()},
        {name: [True] * 8 for name in along},
    )
    part = readers_part("cardiomegaly", "cardiomegaly", arms, pairs)
    cells = {(row["finding"], row["direction"]): row for row in part.rows}
    ctr, device = "Increased cardiothoracic ratio", "Pacemaker"
    assert cells[ctr, "v3 +"]["tick"] and cells[ctr, "v3 +"]["truth_tick"] and not cells[device, "v3 +"]["tick"]
    assert (
        cells[device, "v7 -"]["tick"] and cells[device, "v7 -"]["truth_share"] > 0.8 and not cells[ctr, "v7 -"]["tick"]
    )
    assert part.figures["main_ticked_cardiomegaly"] == 0.5
    assert part.figures["tick_agreement_cardiomegaly"] > 0.85 and -1 <= part.figures["ac1_cardiomegaly"] <= 1
    assert len(part.rows) == 2 * 5 and cells[ctr, "v3 +"]["paper_ticks"] == 3
    again = readers_part("cardiomegaly", "cardiomegaly", arms, pairs)
    assert again.rows == part.rows, "the same seed gives the same readers"


def test_pictures_that_cannot_be_measured_have_no_truth() -> None:
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)).numpy()
    found = measure_batch(noise)
    assert not any(m.measurable for m in found)
    part = readers_part(
        "x", "cardiomegaly", [direction("v1 +", 0)], MovedPairs(found, {"v1 +": found}, {"v1 +": [True] * 3})
    )
    assert part.rows == [] and part.figures == {"unreadable_x": 1.0}


def test_every_listed_finding_of_a_phantom_pathology_has_a_rule_and_the_papers_ticks() -> None:
    for pathology in OWN:
        keys = [finding.key for finding in FINDING_LISTS[pathology]]
        assert set(keys) <= set(RULES) and list(PAPER_TICKS[pathology]) == keys


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("recessus", {"effusion_left": 0.08}),
        ("opaque_lower", {"effusion_right": 0.2}),
        ("fluid_overload", {"congestion": 0.9}),
        ("pneumonia", {"opacity": 1.0}),
        ("shift", {"mediastinal_shift": 0.2}),
        ("barrel", {"barrel": 1.0}),
    ],
)
def test_a_rule_sees_its_factor(key: str, changes: dict[str, float]) -> None:
    plain = dict.fromkeys(("opacity", "congestion", "barrel", "atelectasis", "mediastinal_shift", "lucency"), 0.0)
    before = [counterfactual(p, **plain) for p in healthy(4)]
    after = [counterfactual(p, **changes) for p in before]
    rule = RULES[key]
    assert all(rule.known(p.factors) < rule.level for p in before)
    assert all(rule.known(p.factors) >= rule.level for p in after)
    seen: Tensor = torch.tensor([rule.measured(m) for m in measure_batch(np.stack([render(p, 64) for p in after]))])
    assert (seen >= rule.level).float().mean() >= 0.75
