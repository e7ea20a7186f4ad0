"""Colours of tables and figures: one accent, arm colours that colour-blind readers tell apart, readable text."""

Colour = tuple[int, int, int]

ACCENT: Colour = (0, 119, 182)
INK, WHITE = "#04060a", "#ffffff"
# Dark enough for 4.5:1 on white; the markers differ, too, so that nothing rests on colour alone.
ARM_COLOURS = ("#0077b6", "#b8500b", "#1f7a4d", "#7a3fd0", "#a8325e", "#5b6577")
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
# Below this AC1 a share is shown fainter: readers disagree too much for it to stand alone.
DISAGREE = 0.4
_FAINT = 0.45


def shade(share: float, faint: bool = False) -> Colour:
    """White at 0, the accent at 1; about half as strong where `faint`. share in [0, 1]."""
    weight = min(max(share, 0.0), 1.0) * (_FAINT if faint else 1.0)
    red, green, blue = (round(255 + weight * (c - 255)) for c in ACCENT)
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance in [0, 1] (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, two: Colour) -> float:
    """Contrast ratio, 1 to 21 (WCAG 2.2); AA asks for 4.5."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def from_hex(text: str) -> Colour:
    """ "#0077b6" as (0, 119, 182)."""
    red, green, blue = (int(text[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def ink(background: Colour) -> str:
    """Near-black or white, whichever reads better on `background`; always at least 4.5:1."""
    return max((INK, WHITE), key=lambda text: contrast(from_hex(text), background))


def css(colour: Colour) -> str:
    """ "#rrggbb"."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
