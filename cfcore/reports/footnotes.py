"""Why a number or its interval is missing, or what it rests on: a letter in the table, a line below it."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from cfcore.reports.numbers import number

NO_INTERVAL = "no interval can be given"


class Footnotes:
    """Collects reasons and remarks under a table and gives each a letter."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    def mark(self, note: Any) -> Markup:
        """The letter of `note` as a superscript; nothing for an empty one."""
        text = str(note) if isinstance(note, str) else ""
        if not text:
            return Markup("")
        # How many of the resamples differs from cell to cell; one remark for all keeps the list short.
        if text.startswith("defined in"):
            text = "not defined in some resamples; the interval rests on the others"
        n = len(self.letters)
        letter = self.letters.setdefault(text, chr(97 + n % 26) * (n // 26 + 1))
        return Markup("<sup>{}</sup>").format(letter)

    def of(self, row: Mapping[Any, Any], name: str) -> Markup:
        """The letter of the estimate in the columns `name`, name_low, name_high and name_note: its own note, else
        the reason for a number without an interval."""
        note = row.get(f"{name}_note")
        if isinstance(note, str) and note:
            return self.mark(note)
        if number(row.get(name)) is None:
            return self.mark("no reading")
        bare = number(row.get(f"{name}_low")) is None or number(row.get(f"{name}_high")) is None
        return self.mark(NO_INTERVAL if bare else "")

    def items(self) -> list[tuple[str, str]]:
        """(letter, text) in the order in which they were met."""
        return [(letter, text) for text, letter in self.letters.items()]
