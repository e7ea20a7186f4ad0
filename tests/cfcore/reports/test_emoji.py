import pytest

from cfcore.reports.emoji import NOTE, named_emoji


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("Ein Schatten 🫁, sonst nichts", "Ein Schatten [lungs], sonst nichts"),
        ("👩‍⚕️", "[woman]⚕️"),
        ("👍🏽⭐", "[thumbs up sign][emoji modifier fitzpatrick type-4][white medium star]"),
        ("🇩🇪", "[regional indicator symbol letter d][regional indicator symbol letter e]"),
        ("\U0001faff", "[U+1FAFF]".lower()),
        ("✓ → − תסנין ظل 5 °C", "✓ → − תסנין ظل 5 °C"),
    ],
)
def test_emoji_are_named_and_nothing_else(said: str, printed: str) -> None:
    assert named_emoji(said) == printed


def test_a_report_says_that_emoji_are_named_only_where_there_are_any() -> None:
    assert named_emoji("<p>😀</p><footer>Made</footer>") == f"<p>[grinning face]</p><footer>{NOTE}Made</footer>"
    assert named_emoji("<footer>Made</footer>") == "<footer>Made</footer>"
