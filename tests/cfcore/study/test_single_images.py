import numpy as np
import pytest

from cfcore.study.design.planning import PlanPair, plan_reader
from cfcore.study.protocol import DEFAULT_RATINGS, FINDING_LISTS, Arm, Finding, Protocol, canonical_json, validate
from cfcore.study.single_images import single_table

ARMS = (Arm("v1+", "v1 +"), Arm("v2-", "v2 −"))
FINDINGS = (Finding("line", "Line"),)


def protocol(**changes):
    return Protocol("t", "Radiographs", FINDING_LISTS["effusion"], DEFAULT_RATINGS, ARMS, n_per_arm=6, **changes)


def pairs():
    return [PlanPair(i, ARMS[i % 2].key, f"P{i}") for i in range(12)]


def row(patient, side, answer, reader="R1", purpose="single", arm="v1+"):
    given = {} if answer is None else {"line": answer}
    return {"reader": reader, "arm": arm, "patient": patient, "original_side": side, "purpose": purpose, "given": given}


def test_single_images_come_before_the_first_pair_half_of_them_originals():
    trials = plan_reader(pairs(), protocol(single_share=0.5), 1)
    alone = [trial for trial in trials if trial.purpose == "single"]
    assert [trial.purpose for trial in trials[:6]] == ["single"] * 6 and len(alone) == 6
    assert sum(trial.original_side == "A" for trial in alone) == 3
    arms = [ARMS[int(trial.pair_id) % 2].key for trial in alone]
    assert arms.count("v1+") == arms.count("v2-") == 3
    assert len([trial for trial in trials if trial.purpose == "counted"]) == 12


def test_without_single_images_schedule_and_digest_stay_as_they_were():
    assert "single_share" not in canonical_json(protocol())
    assert plan_reader(pairs(), protocol(guess_share=0.5), 1) == plan_reader(
        pairs(), protocol(guess_share=0.5, single_share=0.0), 1
    )
    assert any("single images is 1.5" in problem for problem in validate(protocol(single_share=1.5)))


def test_shares_are_of_the_image_that_was_shown():
    rows = [row(f"P{i}", "A", "present" if i < 2 else "absent") for i in range(8)]
    rows += [row(f"P{i}", "B", "present" if i < 14 else "absent") for i in range(8, 16)]
    rows += [row("P16", "A", "cannot"), row("P17", "B", None), row("P0", "A", "A", purpose="reading")]
    table = single_table(rows, FINDINGS, ARMS, np.random.default_rng(0), resamples=500)
    found = table.iloc[0]
    assert (found["originals"], found["counterfactuals"], found["cannot"], found["missing"]) == (8, 8, 1, 1)
    assert found["prevalence_original"] == 0.25 and found["prevalence_counterfactual"] == 0.75
    assert found["difference"] == 0.5 and -0.1 < found["difference_low"] < 0.5 < found["difference_high"]
    # The second arm showed nothing alone: no number, and a reason.
    assert table.iloc[1]["difference"] is None or np.isnan(table.iloc[1]["difference"])
    assert "never shown alone" in table.iloc[1]["difference_note"]


def test_no_single_image_no_table():
    assert single_table([row("P1", "A", "A", purpose="reading")], FINDINGS, ARMS, np.random.default_rng(0)).empty


@pytest.mark.parametrize("side", ["A", "B"])
def test_everybody_alike_has_an_interval_all_the_same(side):
    rows = [row(f"P{i}", side, "present") for i in range(5)]
    found = single_table(rows, FINDINGS, ARMS[:1], np.random.default_rng(0), resamples=200).iloc[0]
    name = "prevalence_original" if side == "A" else "prevalence_counterfactual"
    assert found[name] == 1 and found[f"{name}_low"] < 1
