"""Emoji by their names, for paper: fonts that draw them are seldom at hand, and a box says nothing."""

import re
import unicodedata

# Pictographs beyond the basic plane, and on it what Unicode Technical Standard 51 draws as emoji unless told otherwise
# (Emoji_Presentation in emoji-data.txt).
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1"
    "\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c"
    "\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55][\ufe0f\u200d]*"
)
NOTE = "Emoji are named in [square brackets] on paper; the HTML report shows them. "


def named_emoji(html: str) -> str:
    """The text with every emoji as its Unicode name in square brackets, e.g. "[lungs]"; the parts of a joined one each
    by itself. The footer of a report in which there were any says so."""
    named = _EMOJI.sub(lambda found: f"[{_name(found[0][0])}]", html)
    return html if named == html else named.replace("<footer>", f"<footer>{NOTE}", 1)


def _name(letter: str) -> str:
    return unicodedata.name(letter, f"U+{ord(letter):X}").lower()
