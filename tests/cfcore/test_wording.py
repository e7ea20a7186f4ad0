import pytest

from cfcore.wording import counted, direction_name, duration, noun_for, spaced, with_article


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (counted(1, "file"), "1 file"),
        (counted(0, "file"), "0 files"),
        (counted(12400, "image"), "12 400 images"),
        (counted(1, "study", "studies"), "1 study"),
        (counted(3, "study", "studies"), "3 studies"),
        (noun_for(1, "reader"), "reader"),
        (spaced(999), "999"),
        (with_article("ExplainGAN"), "an ExplainGAN"),
        (with_article("medXGAN"), "a medXGAN"),
    ],
)
def test_counts_agree_with_their_noun(words: str, expected: str) -> None:
    assert words == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("v1 -", "v1 −"),
        ("v1 +", "v1 +"),
        ("v17 -, v5 +, v2 -", "v17 −, v5 +, v2 −"),
        ("Grad-CAM", "Grad-CAM"),
        ("coordinate 12 -", "coordinate 12 −"),
        ("10 -5", "10 -5"),
        ("", ""),
    ],
)
def test_a_direction_has_a_true_minus(name: str, shown: str) -> None:
    assert direction_name(name) == direction_name(shown) == shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (0.0, "< 1 s"),
        (0.4, "< 1 s"),
        (3.44, "3.4 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (250, "4 min 10 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_a_duration_is_never_nought(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
