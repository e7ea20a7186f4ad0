import numpy as np
import pytest

from cfcore.study.agreement import cohen_kappa, icc
from cfcore.study.decode import decode_ratings
from cfcore.study.protocol import Arm, Rating
from cfcore.study.ratings import ratings_table

RATING = Rating("realism", "Looks real?", "no", "yes")
ARM = Arm("v1", "v1 +")
# H: Shrout and Fleiss 1979
H = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]).T


def rows(values):
    return [
        {"reader": f"r{j}", "arm": "v1", "patient": i, "pair": i, "ratings": {"realism": None if v is None else int(v)}}
        for i, line in enumerate(values)
        for j, v in enumerate(line)
    ]


def table(values, rating=RATING):
    decoded = decode_ratings(rows(values), [rating.key])
    return ratings_table(decoded, [rating], [ARM], np.random.default_rng(0)).iloc[0]


def test_published_icc_comes_through_the_table():
    row = table(H, Rating("realism", "Looks real?", "no", "yes", 10))
    assert row.icc == pytest.approx(0.2898, abs=5e-5) and row.icc_mean == pytest.approx(0.6201, abs=5e-5)
    assert row["mean"] == pytest.approx(H.mean()) and row["median"] == np.median(H)
    assert sum(row[f"share_{k}"] for k in range(1, 11)) == pytest.approx(1)
    assert 0 < row.kendall_w <= 1 and row.kendall_w_low < row.kendall_w
    assert row.weighted_kappa_note == "weighted kappa is for two readers"
    assert row.bias is None and "two readers" in row.bias_note
    published = {"icc_1_1": 0.1657, "icc_3_1": 0.7148, "icc_1_k": 0.4428, "icc_3_k": 0.9093}
    assert {name: row[name] for name in published} == pytest.approx(published, abs=5e-5)


def test_two_readers_get_weighted_kappa():
    two = np.clip(H[:, :2], 1, 5)
    row = table(two)
    assert row.weighted_kappa == pytest.approx(cohen_kappa(two, weights="quadratic", categories=range(1, 6)).value)
    assert row.icc == pytest.approx(icc(two).value)
    assert row.bias == pytest.approx((two[:, 0] - two[:, 1]).mean())
    assert row.lower_limit_low < row.lower_limit < row.bias < row.upper_limit < row.upper_limit_high


def test_gaps_and_empty_arms():
    row = table([[1, 2, None], [3, None, 4], [5, 5, 5]])
    assert (row.readings, row.missing) == (7, 2) and row["mean"] == pytest.approx(25 / 7)
    assert "2 complete cases" in row.icc_note
    empty = ratings_table(decode_ratings([]), [RATING], [ARM], np.random.default_rng(0)).iloc[0]
    assert empty.readings == 0 and empty.mean_note == "no reading"


def test_everybody_gives_the_same_mark():
    row = table(np.full((5, 3), 4))
    assert row.ac2 == 1 and row.icc_note == "all ratings are the same"
    assert row.alpha is None and "chance agreement is 1" in row.alpha_note
    assert row["mean"] == 4
