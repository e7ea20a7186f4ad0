import dataclasses
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.analysis_plan import suggested_plan
from cfcore.study.design.balance import balance, exposures
from cfcore.study.design.choices import Control, Design, Repeats, Training
from cfcore.study.design.planning import PlanPair, plan_reader, plan_study
from cfcore.study.design.repeats import place_repeats
from cfcore.study.protocol import Arm, Finding, Protocol, validate
from cfcore.study.questions import FreeText
from cfcore.study.schedule import Candidate, assign_pairs, make_schedule
from cfcore.study.simulated import SimulatedReader, simulate_study


def protocol(n_arms=3, n=6, **changes):
    base = Protocol(
        title="T",
        reader_title="Chest radiographs, series 1",
        findings=(Finding("ctr", "Ratio"),),
        ratings=(),
        arms=tuple(Arm(f"v{i}+", f"v{i} +") for i in range(1, n_arms + 1)),
        n_per_arm=n,
        analysis=suggested_plan([("ctr", "Ratio")], [("v1+", "v1 +")]),
    )
    return dataclasses.replace(base, **changes)


def pairs_of(study):
    """The pairs that the study would make: counted, controls, training."""
    pool = [Candidate(i, f"p{i}") for i in range(200)]
    keys = [arm.key for arm in study.arms]
    plan = assign_pairs(pool, keys, study.n_per_arm, study.allocation, np.random.default_rng(0))
    pairs = [PlanPair(i, a.arm, a.patient, block=a.block) for i, a in enumerate(plan)]
    for control in study.controls:
        pairs += [
            PlanPair(len(pairs) + j, control.kind, f"{control.kind}{j}", control.kind,
                     other=f"other{j}" if control.kind == "patients" else None)
            for j in range(control.n)
        ]  # fmt: skip
    if study.training:
        pairs += [PlanPair(len(pairs) + j, "training", f"t{j}", "training") for j in range(study.training.n)]
    return pairs


def test_a_plain_design_keeps_the_schedule_of_the_first_release():
    study = protocol(seed=5, design=Design(readers=2))
    pairs = pairs_of(study)
    ids = [p.id for p in pairs]
    arms, patients = {p.id: p.arm for p in pairs}, {p.id: p.patient for p in pairs}
    for slot, trials in plan_study(pairs, study).items():
        assert trials == make_schedule(ids, f"R{slot}", 5, arms, patients)


FULL = {
    "controls": (Control("identical", 3), Control("filter", 2), Control("patients", 2), Control("reconstruction", 1)),
    "repeats": Repeats(4, 8),
    "training": Training(3),
    "guess_share": 0.1,
}


@settings(max_examples=40, deadline=None)
@given(
    order=st.sampled_from(["random", "permuted blocks", "Latin square"]),
    allocation=st.sampled_from(["own patients", "same patients", "rotated patients"]),
    n=st.integers(4, 9),
    seed=st.integers(0, 2**31),
)
def test_whatever_the_design_its_rules_hold(order, allocation, n, seed):
    study = protocol(n=n, seed=seed, allocation=allocation, design=Design(readers=4, order=order), **FULL)
    assert validate(study) == []
    pairs = pairs_of(study)
    known = {p.id: p for p in pairs}
    plans = plan_study(pairs, study)
    assert plans == plan_study(pairs[::-1], study)
    for trials in plans.values():
        by = Counter(t.purpose for t in trials)
        assert by == {"training": 3, "counted": 3 * n, "control": 8, "repeat": 4, "guess": -(-3 * n // 10)}
        assert [t.position for t in trials] == list(range(len(trials)))
        assert {t.purpose for t in trials[:3]} == {"training"}
        assert {t.purpose for t in trials[-by["guess"] :]} == {"guess"}
        first = {t.pair_id: t.position for t in trials if t.purpose == "counted"}
        assert len(first) == by["counted"]
        assert all(t.position - first[t.pair_id] >= 8 for t in trials if t.purpose == "repeat")
        for arm in {p.arm for p in pairs}:
            sides = [
                t.original_side for t in trials if known[t.pair_id].arm == arm and t.purpose in ("counted", "control")
            ]
            assert abs(2 * sides.count("A") - len(sides)) <= 1
        met = max(exposures(trials, {p.id: (p.patient,) for p in pairs}).values())
        assert met == (3 if allocation == "same patients" else 1)
    table = balance(plans, pairs, [*(a.key for a in study.arms), "identical"])
    assert table.exposures == (3 if allocation == "same patients" else 1)
    assert all(row.widest <= 1 for row in table.arms) and sum(table.arms[-1].sides) == 4 * 3
    assert table.cases_per_reader == (3 * n, 3 * n)


def test_rotated_patients_meet_every_arm_over_the_groups_and_each_reader_once():
    study = protocol(allocation="rotated patients", design=Design(readers=6))
    pairs = pairs_of(study)
    assert len(pairs) == 3 * 3 * 6
    seen = Counter()
    for trials in plan_study(pairs, study).values():
        seen.update(t.pair_id for t in trials)
    assert set(seen.values()) == {2} and len(seen) == len(pairs)


def test_incomplete_blocks_give_each_case_its_readers_and_refuse_one_more():
    study = protocol(
        n=10, design=Design(readers=5, cases="blocks", readers_per_case=2), controls=(Control("identical", 2),)
    )
    pairs = pairs_of(study)
    table = balance(plan_study(pairs, study), pairs, ["v1+"])
    assert table.readers_per_case == (2, 2) and table.cases_per_reader[1] - table.cases_per_reader[0] <= 1
    assert table.common_cases[0] >= 1
    with pytest.raises(ValueError, match="replacement"):
        plan_reader(pairs, study, 6)


def test_permuted_blocks_hold_every_arm_once_in_each_run():
    study = protocol(n=8, design=Design(readers=3, order="permuted blocks"), repeats=Repeats(2, 5, washout_days=14))
    pairs = pairs_of(study)
    known = {p.id: p for p in pairs}
    for trials in plan_study(pairs, study).values():
        counted = [known[t.pair_id].arm for t in trials if t.purpose == "counted"]
        assert all(len(set(counted[i : i + 3])) == 3 for i in range(0, 24, 3))
        assert [t.purpose for t in trials[-2:]] == ["repeat", "repeat"]


def test_arms_follow_each_other_by_williams_and_a_series_ends_with_its_questions():
    question = FreeText(key="why", text="What changed?", ask="series")
    study = protocol(n=5, design=Design(readers=6, order="Latin square"), questions=(question,), **FULL)
    assert validate(study) == []
    pairs = pairs_of(study)
    known = {p.id: p for p in pairs}
    follows = Counter()
    for trials in plan_study(pairs, study).values():
        asked = [known[t.pair_id].arm for t in trials if t.purpose == "series"]
        order = list(dict.fromkeys(known[t.pair_id].arm for t in trials if t.purpose == "counted"))
        assert asked == order and len(order) == 3
        for arm in order:
            end = next(t.position for t in trials if t.purpose == "series" and known[t.pair_id].arm == arm)
            own = [t.position for t in trials if t.purpose == "counted" and known[t.pair_id].arm == arm]
            assert max(own) < end
        follows.update(pairwise(order))
    assert set(follows.values()) == {2} and len(follows) == 6


def test_repeats_without_room_are_refused_with_the_number_that_fits():
    with pytest.raises(ValueError, match="Only 1 of 3"):
        place_repeats(list(range(5)), {"a": list(range(5))}, 3, 5, np.random.default_rng(0))


def test_sides_of_second_readings_are_drawn_anew():
    study = protocol(n=20, repeats=Repeats(20, 10), design=Design(readers=6))
    same = []
    for trials in plan_study(pairs_of(study), study).values():
        side = {t.pair_id: t.original_side for t in trials if t.purpose == "counted"}
        same += [side[t.pair_id] == t.original_side for t in trials if t.purpose == "repeat"]
    assert 0.3 < np.mean(same) < 0.7


def test_simulated_readers_read_every_purpose():
    study = protocol(design=Design(readers=2), **FULL)
    pairs = pairs_of(study)
    plans = {f"R{slot}": trials for slot, trials in plan_study(pairs, study).items()}
    truth = {(p.id, "ctr"): (False, p.kind == "counterfactual") for p in pairs}
    readers = [SimulatedReader(key) for key in plans]
    rows = simulate_study(readers, plans, truth, ["ctr"], np.random.default_rng(0))
    assert Counter(row["purpose"] for row in rows)["repeat"] == 8


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"controls": (Control("identical", 0),)}, "without cases"),
        ({"controls": (Control("identical"), Control("identical"))}, "twice"),
        ({"controls": (Control("magic"),)}, "magic"),
        ({"repeats": Repeats(30, 10)}, "do not fit"),
        ({"repeats": Repeats(0)}, "at least 1"),
        ({"training": Training(0)}, "training"),
        ({"training": Training(2, 1.5)}, "pass mark"),
        ({"guess_share": 1.5}, "guess"),
        ({"design": Design(cases="blocks", readers=3)}, "readers per case"),
        ({"design": Design(order="sorted")}, "order"),
        ({"design": Design(readers_per_case=2, readers=3)}, "belong to incomplete blocks"),
        ({"allocation": "rotated patients", "design": Design(readers=2)}, "3 planned readers"),
        ({"questions": (FreeText(key="why", text="Why?", ask="series"),)}, "Latin square"),
    ],
)
def test_designs_that_cannot_work_are_named(changes, word):
    assert any(word in problem for problem in validate(protocol(**changes)))
