import time

import numpy as np
import pandas as pd
import pytest

from cfcore.study.agreement import gwet_ac
from cfcore.study.decode import decode_readings
from cfcore.study.findings import cases_table, findings_table, headline, majority, per_reader
from cfcore.study.intervals import newcombe_paired, wilson
from cfcore.study.protocol import FINDING_LISTS, Arm, Finding

ARMS = (Arm("v17+", "v17 +"), Arm("v2-", "v2 −"))
FINDINGS = (Finding("ctr", "Increased cardiothoracic ratio"), Finding("older", "Older patient", "secondary"))


def trial(reader, pair, arm="v17+", side="A", **answers):
    return {
        "reader": reader,
        "arm": arm,
        "patient": f"p{pair}",
        "pair": pair,
        "original_side": side,
        "answers": answers,
        "seconds": 30.0 + pair if answers else None,
    }


# Three readers, four patients in one arm; the sides change, what was seen does not follow A and B.
ROWS = [
    trial("anna", 1, ctr="B", older="neither"),
    trial("ben", 1, side="B", ctr="A", older="neither"),
    trial("cleo", 1, ctr="B", older="both"),
    trial("anna", 2, ctr="B", older="neither"),
    trial("ben", 2, ctr="neither", older="cannot"),
    trial("cleo", 2, side="B", ctr="A", older="both"),
    trial("anna", 3, ctr="both", older="A"),
    trial("ben", 3, ctr="neither"),
    trial("cleo", 3, ctr="B", older="A"),
    trial("anna", 4, ctr="B", older="neither"),
    trial("ben", 4, side="B", ctr="A", older="neither"),
    trial("cleo", 4),
]


def rng():
    return np.random.default_rng(0)


@pytest.fixture
def decoded():
    return decode_readings(ROWS, [f.key for f in FINDINGS])


@pytest.fixture
def table(decoded):
    return findings_table(decoded, FINDINGS, ARMS, rng()).set_index(["finding", "arm"])


def test_counts(table):
    row = table.loc[("older", "v17+")]
    assert (row.pairs, row.patients, row.readers) == (4, 4, 3)
    assert (row.readings, row.cannot, row.missing) == (9, 1, 2)
    assert row.kind == "secondary" and row.arm_name == "v17 +"
    assert list(table.index) == [(f.key, a.key) for f in FINDINGS for a in ARMS]


def test_shares_prevalences_and_majority(table):
    row = table.loc[("ctr", "v17+")]
    assert row.share == pytest.approx(8 / 11)  # appears: all of pair 1, two of 2, one of 3, two of 4
    assert row.prevalence_original == pytest.approx(1 / 11)
    assert row.prevalence_counterfactual == pytest.approx(9 / 11)
    assert row.difference == pytest.approx(8 / 11)
    assert bool(row.majority) is True
    assert row.share_low < row.share < row.share_high
    older = table.loc[("older", "v17+")]
    assert older.share == 0 and bool(older.majority) is False
    assert (older.share_low, older.share_high) == (0, pytest.approx(wilson(0, 4).high))
    assert older.difference == pytest.approx(-2 / 9)


def test_agreement_is_on_what_was_seen_not_on_sides(table):
    row = table.loc[("ctr", "v17+")]
    seen = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, None]], dtype=object)
    assert row.raw_agreement == pytest.approx((1 + 1 / 3 + 1 / 3 + 1) / 4)
    assert row.ac1 == pytest.approx(gwet_ac(seen, categories=(0, 1)).value)


def test_an_arm_without_pairs_is_a_row_of_reasons(table):
    row = table.loc[("ctr", "v2-")]
    assert row.pairs == 0 and pd.isna(row.share) and row.share_note == "no reading"
    assert row.majority is None and row.ac1_note == "no case has two readings"


def test_repeats_and_controls_never_enter(decoded):
    more = [trial("anna", 1, ctr="A", older="B") | {"purpose": p} for p in ("repeat", "control")]
    again = decode_readings(ROWS + more, [f.key for f in FINDINGS])
    pd.testing.assert_frame_equal(
        findings_table(again, FINDINGS, ARMS, rng()), findings_table(decoded, FINDINGS, ARMS, rng())
    )
    assert headline(again, rng()) == headline(decoded, rng())


def test_a_second_reading_of_a_pair_is_refused(decoded):
    twice = pd.concat([decoded, decoded.iloc[:2]])
    with pytest.raises(ValueError, match="anna has two readings of pair 1"):
        findings_table(twice, FINDINGS, ARMS, rng())


def test_the_outcome_may_be_removal(decoded):
    row = findings_table(decoded, FINDINGS, ARMS, rng(), outcome="disappears").iloc[2]
    assert row.finding == "older" and row.share == pytest.approx(2 / 9)


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([[True, True, False], [True, False, False], [True, True, True]], True),
        ([[True, True, False], [False, False, False]], False),  # half of the cases is no majority
        ([[True, False], [True, False]], False),  # half of the readers neither
        ([[True, None], [None, None]], True),  # what nobody assessed does not count
        ([[None, None]], None),
    ],
)
def test_majority(cases, expected):
    assert majority(pd.DataFrame(cases, dtype="boolean")) is expected


def test_per_reader(decoded):
    table = per_reader(decoded, FINDINGS, ARMS).set_index(["reader", "finding", "arm"])
    anna = table.loc[("anna", "ctr", "v17+")]
    assert anna.readings == 4 and anna.share == 0.75
    assert (anna.share_low, anna.share_high) == (wilson(3, 4).low, wilson(3, 4).high)
    assert anna.difference_low == newcombe_paired(1, 3, 0, 0).low
    ben = table.loc[("ben", "older", "v17+")]
    assert (ben.readings, ben.cannot, ben.missing) == (2, 1, 1)
    assert table.loc[("cleo", "ctr", "v2-")].share_note == "no reading"


def test_headline(decoded):
    line = headline(decoded, rng())
    assert (line.readings_done, line.readings_planned) == (11, 12)
    assert (line.readers, line.pairs, line.patients) == (3, 4, 4)
    assert line.median_seconds == 32 and line.cannot_share == pytest.approx(1 / 21)
    assert line.ac1.value is not None and line.ac1.low < line.ac1.value < line.ac1.high


def test_nothing_read_yet():
    empty = decode_readings([], ["ctr", "older"])
    assert headline(empty, rng()).ac1.value is None and headline(empty, rng()).median_seconds is None
    assert len(findings_table(empty, FINDINGS, ARMS, rng())) == 4
    planned = decode_readings([trial("anna", 1)], ["ctr", "older"])
    assert (headline(planned, rng()).readings_done, headline(planned, rng()).readings_planned) == (0, 1)


def test_cases(decoded):
    table = cases_table(decoded, FINDINGS).set_index("pair")
    assert list(table.ctr) == ["3/3", "2/3", "1/3", "2/2"] and list(table.readers) == [3, 3, 3, 2]


def test_same_seed_same_table_and_fast_enough():
    """3 readers x 30 cases x 8 findings with 2,000 resamples and eight statistics each."""
    r = rng()
    findings = FINDING_LISTS["pneumonia"]
    rows = [
        trial(reader, pair, ARMS[pair % 2].key, "AB"[int(r.integers(2))])
        | {"answers": {f.key: ["A", "B", "both", "neither"][int(r.integers(4))] for f in findings}}
        for reader in ("anna", "ben", "cleo")
        for pair in range(30)
    ]
    decoded = decode_readings(rows, [f.key for f in findings])
    start = time.process_time()
    one = findings_table(decoded, findings, ARMS, rng())
    assert time.process_time() - start < 2
    pd.testing.assert_frame_equal(one, findings_table(decoded, findings, ARMS, rng()))


def many(readers, effect=0.6):
    """Readers of 30 cases who differ in how easily they tick."""
    r, rows = np.random.default_rng(5), []
    for i in range(readers):
        ease = np.clip(effect + r.normal() * 0.2, 0.05, 0.95)
        rows += [
            trial(f"r{i}", pair, ctr="B" if r.random() < ease else "neither", older="neither") for pair in range(30)
        ]
    return findings_table(decode_readings(rows, ["ctr", "older"]), FINDINGS, ARMS[:1], rng()).set_index("finding")


def test_readers_like_these_need_five_readers():
    four, five = many(4).loc["ctr"], many(5).loc["ctr"]
    assert pd.isna(four.share_general_low) and "fewer than 5 readers" in four.share_general_note
    assert four.share_general == four.share
    for name in ("share", "prevalence_counterfactual", "difference"):
        wider = five[f"{name}_general_high"] - five[f"{name}_general_low"]
        assert wider > five[f"{name}_high"] - five[f"{name}_low"], "readers differ, and that counts"
    older = many(5).loc["older"]
    assert (older.share_general_low, older.share_general_high) == (0, pytest.approx(wilson(0, 5).high))
    assert older.difference_general == 0 and older.difference_general_low < 0 < older.difference_general_high


def test_readers_like_these_cover_where_readers_differ():
    r, hits, these = np.random.default_rng(6), 0, 0
    for _ in range(100):
        ease = r.beta(6, 4, size=8)
        patient = r.random((20, 1)) < 0.7
        seen = np.where(patient, r.random((20, 8)) < ease, r.random((20, 8)) < 0.3)
        truth = 0.7 * 0.6 + 0.3 * 0.3
        cases, readers = (x.ravel() for x in np.indices(seen.shape))
        false = pd.array(np.zeros(seen.size, dtype=bool), dtype="boolean")
        decoded = pd.DataFrame(
            {
                "reader": readers, "arm": "v17+", "patient": cases, "pair": cases, "finding": "ctr",
                "status": "assessed", "appears": pd.array(seen.ravel(), dtype="boolean"), "in_original": false,
                "in_counterfactual": pd.array(seen.ravel(), dtype="boolean"),
            }
        )  # fmt: skip
        row = findings_table(decoded, FINDINGS[:1], ARMS[:1], r, resamples=300).iloc[0]
        hits += row.share_general_low <= truth <= row.share_general_high
        these += row.share_low <= truth <= row.share_high
    assert hits >= 90 and hits >= these
