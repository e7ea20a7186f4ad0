"""How counts, times and directions are worded for people: on the pages, in messages and in the report alike."""

import re

_SIGN = re.compile(r"(?<=\S) -(?=$|\W)")


def counted(n: int, noun: str, plural: str = "") -> str:
    """ "1 file", "2 files", "12 400 images"; `plural` where an s at the end is not it ("study", "studies")."""
    return f"{spaced(n)} {noun_for(n, noun, plural)}"


def noun_for(n: int, noun: str, plural: str = "") -> str:
    """The noun alone, where the number stands elsewhere: "image" for 1, else "images"."""
    return noun if n == 1 else plural or f"{noun}s"


def with_article(title: str) -> str:
    """ "a StylEx", "an ExplainGAN": by the first letter, as it is read in a word."""
    return f"{'an' if title[0] in 'AEIOaeio' else 'a'} {title}"


def spaced(n: float) -> str:
    """A whole number with its thousands apart: "12 400"."""
    return f"{n:,.0f}".replace(",", " ")


def direction_name(name: str) -> str:
    """The name of a direction with a true minus sign: "v1 -" as "v1 −", also within a list "v1 -, v5 +"."""
    return _SIGN.sub(" −", name)


def duration(seconds: float | None) -> str:
    """ "< 1 s", "3.4 s", "45 s", "4 min 10 s", "2 h 5 min"; a dash for None and nan."""
    if seconds is None or seconds != seconds:
        return "–"
    if seconds < 1:
        return "< 1 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
