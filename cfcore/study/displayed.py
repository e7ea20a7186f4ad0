"""At which size pictures of different native sizes are displayed, so that a study's arms look alike in size."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Sizes:
    """Native size of a pair's pictures, and of the image that they were made from."""

    picture: Size
    source: Size

    @property
    def own(self) -> bool:
        """Whether the pictures have the source's size, as both transfers draw them."""
        return self.picture == self.source


def is_mixed(sizes: Iterable[Sizes]) -> bool:
    """Whether pictures of a study differ in size for another reason than their sources: some drawn at the source's
    size and some at a network's, or at networks of different sizes."""
    drawn = {None if one.own else one.picture for one in sizes}
    return len(drawn) > 1


def displayed_size(one: Sizes, mixed: bool) -> Size:
    """The size that counts as 1:1 in the reading room: the source's in a mixed study, else the pictures' own."""
    return one.source if mixed else one.picture


def factor(one: Sizes) -> Fraction:
    """By how much the viewer enlarges the pictures of a mixed study, alike in both directions; exact.

    The larger factor would run over the source's frame where a network's picture has another shape.
    """
    return min(Fraction(s, p) for s, p in zip(one.source, one.picture, strict=True))


def in_words(of_arm: Mapping[str, Sequence[Sizes]]) -> str:
    """What the lock page and the report say of arms whose pictures differ in size; "" where they do not.

    of_arm: name of the arm -> its pairs.
    """
    if not is_mixed(one for sizes in of_arm.values() for one in sizes):
        return ""
    told = "; ".join(f"{name} {_range([one.picture for one in sizes])}" for name, sizes in of_arm.items() if sizes)
    enlarged = [f"{name} {_factors(sizes)}" for name, sizes in of_arm.items() if any(factor(one) != 1 for one in sizes)]
    return (
        f"Arms differ in native size: {told} pixels. The reading room displays every pair at the size of the image "
        f"that it was made from, and enlarges in the viewer alone ({'; '.join(enlarged)}); stored pixels are "
        "unchanged. A smaller picture holds less detail, so readers may tell such arms apart, not the sides."
    )


def _range(sizes: Sequence[Size]) -> str:
    least, most = min(sizes), max(sizes)
    shown = f"{least[0]} × {least[1]}"
    return shown if least == most else f"{shown} to {most[0]} × {most[1]}"


def _factors(sizes: Sequence[Sizes]) -> str:
    found = sorted({factor(one) for one in sizes})
    ends = [f"{float(one):.4g}" for one in (found[0], found[-1])]
    return f"× {ends[0]}" if len(found) == 1 else f"× {ends[0]} to {ends[1]}"
