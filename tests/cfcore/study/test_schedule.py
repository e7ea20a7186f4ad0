from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.schedule import Candidate, assign_pairs, make_schedule, reader_rng, select_images


def candidates(n_patients, images_each=3):
    return [Candidate(f"i{p}-{k}", f"p{p}") for p in range(n_patients) for k in range(images_each)]


@given(st.integers(1, 20), st.integers(0, 2**32))
def test_selection_takes_one_image_a_patient_whatever_the_order(n, seed):
    pool = candidates(20)
    drawn = select_images(pool, n, np.random.default_rng(seed))
    assert len({c.patient for c in drawn}) == n and set(drawn) <= set(pool)
    assert drawn == select_images(pool[::-1], n, np.random.default_rng(seed))


def test_selection_is_uniform_over_patients_not_images():
    pool = [Candidate("solo", "a")] + [Candidate(f"b{k}", "b") for k in range(9)]
    rng = np.random.default_rng(0)
    share = np.mean([select_images(pool, 1, rng)[0].patient == "a" for _ in range(2000)])
    assert 0.46 < share < 0.54


def test_too_few_patients_are_named():
    with pytest.raises(ValueError, match=r"7 patients are needed, 6 meet the rule"):
        select_images(candidates(6), 7, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 1"):
        select_images(candidates(6), 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="allocation"):
        assign_pairs(candidates(6), ["a"], 1, "some", np.random.default_rng(0))  # type: ignore[arg-type]


def test_own_patients_belong_to_one_arm():
    pairs = assign_pairs(candidates(40), ["v17+", "v2-", "v18+"], 10, "own patients", np.random.default_rng(3))
    assert Counter(p.arm for p in pairs) == {"v17+": 10, "v2-": 10, "v18+": 10}
    assert len({p.patient for p in pairs}) == 30


def test_same_patients_are_the_same_images_under_every_arm():
    pairs = assign_pairs(candidates(12), ["a", "b"], 10, "same patients", np.random.default_rng(3))
    images = {arm: [p.image_id for p in pairs if p.arm == arm] for arm in ("a", "b")}
    assert images["a"] == images["b"] and len(set(images["a"])) == 10


@given(
    st.lists(st.integers(0, 15), min_size=1, max_size=5),
    st.integers(0, 2**32),
    st.text(min_size=1, max_size=8),
)
def test_schedules_are_complete_balanced_and_reproducible(sizes, seed, reader):
    arms = {f"{a}:{k}": f"arm{a}" for a, size in enumerate(sizes) for k in range(size)}
    trials = make_schedule(list(arms), reader, seed, arms)
    assert [t.position for t in trials] == list(range(len(arms)))
    assert {t.pair_id for t in trials} == set(arms)
    for group in [set(arms), *({p for p in arms if arms[p] == a} for a in set(arms.values()))]:
        sides = Counter(t.original_side for t in trials if t.pair_id in group)
        assert abs(sides["A"] - sides["B"]) <= 1
    assert trials == make_schedule(list(arms)[::-1], reader, seed, arms)


def test_readers_differ_in_order_and_sides_but_not_by_order_of_invitation():
    pairs = list(range(30))
    one, two = (make_schedule(pairs, reader, 5) for reader in ("anna", "ben"))
    assert [t.pair_id for t in one] != [t.pair_id for t in two]
    assert {t.pair_id: t.original_side for t in one} != {t.pair_id: t.original_side for t in two}
    assert make_schedule(pairs, "anna", 6) != one == make_schedule(pairs, "anna", 5)
    generators = np.random.default_rng(5), np.random.default_rng(5)
    assert make_schedule(pairs, "anna", generators[0]) == make_schedule(pairs, "anna", generators[1])


def test_sides_and_positions_are_uniform_over_readers():
    pairs = list(range(11))
    schedules = [make_schedule(pairs, f"r{i}", 1) for i in range(2000)]
    first = Counter(s[0].pair_id for s in schedules)
    assert min(first.values()) > 130 and max(first.values()) < 240  # 182 expected, sd 13
    in_a = sum(t.original_side == "A" for s in schedules for t in s if t.pair_id == 4)
    assert 900 < in_a < 1100


@given(st.integers(2, 8), st.integers(1, 4), st.integers(0, 1000))
def test_pairs_of_one_patient_are_kept_apart(n_patients, n_arms, seed):
    patients = {(p * n_arms + a): p for p in range(n_patients) for a in range(n_arms)}
    order = [patients[t.pair_id] for t in make_schedule(list(patients), "r", seed, patients=patients)]
    assert all(a != b for a, b in pairwise(order))
    assert all(set(order[i : i + n_patients]) == set(range(n_patients)) for i in range(0, len(order), n_patients))


def test_a_pair_listed_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        make_schedule(["a", "a"], "r", 0)


def test_reader_streams_are_distinct():
    assert reader_rng("a", 1).random() != reader_rng("b", 1).random() != reader_rng("a", 2).random()
