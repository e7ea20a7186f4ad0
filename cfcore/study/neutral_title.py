"""What readers are told of a study gives nothing away: neither what is looked for nor where a pair comes from."""

import re
from collections.abc import Sequence

from cfcore.engines.catalogue import METHODS

# What a reader must not learn from a title: the class the classifier was trained on, or where a pair comes
# from.
_PATHOLOGIES = (
    "atelectas", "cardiomegal", "effusion", "pneumoni", "pneumothora", "consolidat", "infiltrat", "oedema",
    "edema", "emphysem", "fibros", "nodule", "opacit", "tubercul", "covid", "tumor", "tumour", "cancer",
    "hernia", "fracture", "pacemaker", "healthy", "disease", "alzheimer", "dementia",
    "lesion",
)  # fmt: skip
_ENGINES = (
    "eigen", "stylex", "attfind", "medxgan", "stylegan", "controlcg", "ilvr", "ddim", "diffusion", "mirror",
    "sefa", "gan", "detail transfer", "gradient", "classifier", "degree", "direction", "heat map", "heatmap",
    "grad cam", "saliency",
)  # fmt: skip
# What the catalogue's methods are called, as whole words: "ig" is part of "right".
_METHODS = tuple(dict.fromkeys(word.casefold() for method in METHODS.values() for word in (method.name, method.short)))
# Words of finding labels that any neutral title of a radiograph study may use.
_NEUTRAL = frozenset(
    ("chest", "thorax", "thoracic", "tissue", "patient", "increased", "reduced", "lower", "older", "cardiac")
)


def title_problems(reader_title: str, findings: Sequence[str], arms: Sequence[str]) -> list[str]:
    """Sentences that say what a readers' title gives away, and the remedy; none where it is neutral.

    Args:
        findings: labels of the checklist. arms: their keys and names.
    """
    title = reader_title.casefold()
    if not title.strip():
        return ["The readers' title is empty: give a neutral one, such as “Chest radiographs, series 1”."]
    words = set(re.findall(r"[^\W_]+", title))
    named: list[tuple[str, str]] = []
    named += [("a pathology", p) for p in _PATHOLOGIES if p in title]
    # Short engine names only as whole words: "gan" is part of "organ".
    named += [("a method", e) for e in _ENGINES if (e in words if len(e) < 5 else e in title)]
    named += [("an eigenvector", v) for v in re.findall(r"\bv\s?\d+\b", title)]
    named += [("a method", e) for e in _METHODS if _stands_in(e, title)]
    named += [("an arm", e) for e in sorted({arm.casefold().strip() for arm in arms} - {""}) if _stands_in(e, title)]
    for label in findings:
        told = {w for w in re.findall(r"[^\W_]+", label.casefold()) if len(w) > 4} - _NEUTRAL
        if label.casefold() in title or told & words:
            named.append(("a finding", label))
    return [
        f"The readers' title “{reader_title}” names {what} (“{text}”), which breaks the blinding: leave it out."
        for what, text in dict.fromkeys(named)
    ]


def _stands_in(words: str, title: str) -> bool:
    """Whether the title has these words as whole words; both case-folded."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", title) is not None
