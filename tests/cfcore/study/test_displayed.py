"""Arms of different native size are displayed at one size, by an exact factor."""

from fractions import Fraction

import pytest

from cfcore.study.displayed import Sizes, displayed_size, factor, in_words, is_mixed

WHOLE = Sizes((512, 512), (512, 512))
SMALL = Sizes((64, 64), (512, 512))


@pytest.mark.parametrize(
    ("sizes", "mixed"),
    [
        ([WHOLE, SMALL], True),
        ([WHOLE, Sizes((600, 400), (600, 400))], False),  # patients differ, arms do not
        ([SMALL, Sizes((64, 64), (600, 400))], False),  # one network for all
        ([SMALL, Sizes((128, 128), (512, 512))], True),
        ([], False),
    ],
)
def test_a_study_is_mixed_where_arms_are_drawn_at_different_sizes(sizes: list[Sizes], mixed: bool) -> None:
    assert is_mixed(sizes) is mixed


def test_pictures_are_shown_at_the_size_of_their_source_in_a_mixed_study_alone() -> None:
    assert displayed_size(SMALL, mixed=True) == (512, 512) == displayed_size(WHOLE, mixed=True)
    assert displayed_size(SMALL, mixed=False) == (64, 64)
    assert factor(SMALL) == 8 and factor(WHOLE) == 1
    # Another shape stays within the frame, by an exact fraction.
    assert factor(Sizes((64, 64), (600, 400))) == Fraction(400, 64)


def test_what_is_told_names_sizes_and_factors() -> None:
    said = in_words({"v1 +": [SMALL, SMALL], "v2 +": [WHOLE]})
    assert "v1 + 64 × 64; v2 + 512 × 512 pixels" in said and "(v1 + × 8)" in said
    assert "× 6.25 to 8" in in_words({"a": [SMALL, Sizes((64, 64), (600, 400))], "b": [WHOLE]})
    assert in_words({"v1 +": [SMALL], "v2 +": []}) == ""
