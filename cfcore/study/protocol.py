"""The study protocol: everything that is fixed before a reader sees the first pair, and its digest."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cfcore.rendering import DEFAULT_RENDERING, Rendering

Kind = Literal["main", "secondary"]
Reference = Literal["original", "reconstruction"]
Allocation = Literal["own patients", "same patients"]

_KEY = re.compile(r"[a-z0-9][a-z0-9_]*")
# What a reader must not learn from a title: the class the classifier was trained on, or where a pair comes
# from.
_PATHOLOGIES = (
    "atelectas", "cardiomegal", "effusion", "pneumoni", "pneumothora", "consolidat", "infiltrat", "oedema",
    "edema", "emphysem", "fibros", "nodule", "opacit", "tubercul", "covid", "tumor", "tumour", "cancer",
    "hernia", "fracture", "pacemaker", "healthy", "disease", "alzheimer", "dementia",
)  # fmt: skip
_ENGINES = (
    "eigen", "stylex", "attfind", "medxgan", "stylegan", "controlcg", "ilvr", "ddim", "diffusion", "mirror",
    "sefa", "gan", "detail transfer", "gradient", "classifier", "degree", "direction",
)  # fmt: skip
# Words of finding labels that any neutral title of a radiograph study may use.
_NEUTRAL = frozenset(
    ("chest", "thorax", "thoracic", "tissue", "patient", "increased", "reduced", "lower", "older", "cardiac")
)


@dataclass(frozen=True)
class Finding:
    """One line of the readers' checklist: `key` in data (a-z, 0-9, _), `label` is what readers see."""

    key: str
    label: str
    kind: Kind = "main"


@dataclass(frozen=True)
class Rating:
    """One question on an ordinal scale of 1 (`low`) to `points` (`high`)."""

    key: str
    question: str
    low: str
    high: str
    points: int = 5


@dataclass(frozen=True)
class Arm:
    """One direction or method under study, e.g. key "v17+", name "v17 +". Readers never see it."""

    key: str
    name: str


@dataclass(frozen=True)
class Protocol:
    """What is decided before the first reading.

    title: the researchers' name for the study. reader_title: the neutral one that readers see.
    degree: the fixed step d along every direction, used whether or not the class flips.
    rendering: how counterfactuals were drawn. reference: what stands on the original's side of a pair.
    n_per_arm: pairs in each arm. allocation: "own patients" gives every arm its own patients, "same patients"
    shows the same patients under every arm (the paper's design, METHODS 1).
    """

    title: str
    reader_title: str
    findings: tuple[Finding, ...]
    ratings: tuple[Rating, ...]
    arms: tuple[Arm, ...]
    degree: float = 10.0
    rendering: Rendering = DEFAULT_RENDERING
    reference: Reference = "original"
    seed: int = 0
    n_per_arm: int = 10
    allocation: Allocation = "own patients"
    notes: str = ""

    def __post_init__(self) -> None:
        # One canonical form: a list or a tuple, a degree of 10 or of 10.0, must give one digest.
        for name in ("findings", "ratings", "arms"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "degree", float(self.degree))


def _list(*rows: tuple[str, str, Kind]) -> tuple[Finding, ...]:
    return tuple(Finding(*row) for row in rows)


# The paper's lists (Table 2; METHODS 1); pneumonia is ours, for paediatric radiographs.
FINDING_LISTS: Mapping[str, tuple[Finding, ...]] = {
    "cardiomegaly": _list(
        ("ctr", "Increased cardiothoracic ratio", "main"),
        ("reduced_opacity", "Reduced lung tissue opacity", "secondary"),
        ("effusion", "Pleural effusion", "secondary"),
        ("pacemaker", "Pacemaker", "secondary"),
        ("older", "Older patient", "secondary"),
    ),
    "effusion": _list(
        ("recessus", "Obstruction of the pleural recessus", "main"),
        ("opaque_lower", "Opaque lower lungs", "main"),
        ("cardiac_diameter", "Increased cardiac diameter", "secondary"),
        ("fluid_overload", "Fluid overload", "secondary"),
        ("pneumonia", "Pneumonia", "secondary"),
    ),
    "atelectasis": _list(
        ("shift", "Mediastinal shift", "main"),
        ("barrel", "Wide barrel-like thorax", "main"),
        ("effusion", "Pleural effusion", "secondary"),
        ("infiltration", "Infiltration", "secondary"),
        ("older", "Older patient", "secondary"),
    ),
    "pneumonia": _list(
        ("consolidation", "Consolidation", "main"),
        ("bronchogram", "Air bronchogram", "main"),
        ("interstitial", "Interstitial pattern", "main"),
        ("perihilar", "Perihilar thickening", "secondary"),
        ("effusion", "Pleural effusion", "secondary"),
        ("hyperinflation", "Hyperinflation", "secondary"),
        ("device", "Line or device", "secondary"),
        ("exposure", "Changed exposure or rotation", "secondary"),
    ),
}

DEFAULT_RATINGS: tuple[Rating, ...] = (
    Rating("realism", "The difference looks like real disease", "not at all", "entirely"),
    Rating("identity", "A and B show the same patient", "certainly not", "certainly"),
)


def _duplicates(values: Sequence[str]) -> list[str]:
    return sorted({v for v in values if values.count(v) > 1})


def _title_problems(protocol: Protocol) -> list[str]:
    title = protocol.reader_title.casefold()
    if not title.strip():
        return ["The readers' title is empty: give a neutral one, such as “Chest radiographs, series 1”."]
    words = set(re.findall(r"[^\W_]+", title))
    named: list[tuple[str, str]] = []
    named += [("a pathology", p) for p in _PATHOLOGIES if p in title]
    # Short engine names only as whole words: "gan" is part of "organ".
    named += [("a method", e) for e in _ENGINES if (e in words if len(e) < 5 else e in title)]
    named += [("an eigenvector", v) for v in re.findall(r"\bv\s?\d+\b", title)]
    for arm in protocol.arms:
        for text in {arm.key.casefold().strip(), arm.name.casefold().strip()} - {""}:
            if re.search(rf"(?<!\w){re.escape(text)}(?!\w)", title):
                named.append(("an arm", text))
    for finding in protocol.findings:
        told = {w for w in re.findall(r"[^\W_]+", finding.label.casefold()) if len(w) > 4} - _NEUTRAL
        if finding.label.casefold() in title or told & words:
            named.append(("a finding", finding.label))
    return [
        f"The readers' title “{protocol.reader_title}” names {what} (“{text}”), which breaks the blinding: "
        "leave it out."
        for what, text in dict.fromkeys(named)
    ]


def _key_problems(protocol: Protocol) -> list[str]:
    problems = []
    groups: tuple[tuple[str, Sequence[Finding] | Sequence[Rating] | Sequence[Arm]], ...] = (
        ("finding", protocol.findings),
        ("rating", protocol.ratings),
        ("arm", protocol.arms),
    )
    for what, items in groups:
        keys = [item.key for item in items]
        problems += [f"Two {what}s share the key “{k}”: rename one." for k in _duplicates(keys)]
        if what == "arm":
            problems += ["An arm has no key: name it, e.g. “v17+”." for k in keys if not k.strip()]
            continue
        problems += [
            f"The {what} key “{k}” must be lower-case letters, digits and underscores: “pleural_effusion”."
            for k in keys
            if not _KEY.fullmatch(k)
        ]
    labels = [finding.label.strip().casefold() for finding in protocol.findings]
    problems += [f"Two findings share the label “{v}”: reword one." for v in _duplicates(labels) if v]
    problems += ["A finding has no label: say what readers look for." for v in labels if not v]
    names = [arm.name.strip().casefold() for arm in protocol.arms]
    problems += [f"Two arms share the name “{v}”: rename one." for v in _duplicates(names)]
    return problems


def _rating_problems(rating: Rating) -> list[str]:
    problems = []
    if not 2 <= rating.points <= 11:
        problems.append(f"Rating “{rating.key}” has {rating.points} points: use 2 to 11.")
    if not rating.question.strip():
        problems.append(f"Rating “{rating.key}” has no question.")
    if not (rating.low.strip() and rating.high.strip()):
        problems.append(f"Rating “{rating.key}” needs a word at both ends of its scale.")
    return problems


def validate(protocol: Protocol) -> list[str]:
    """Everything that keeps the protocol from being locked, a sentence each with its remedy."""
    problems = [] if protocol.title.strip() else ["The study has no title."]
    problems += _title_problems(protocol)
    if not protocol.findings:
        problems.append("No finding is listed: list main and secondary findings before anything is shown.")
    elif not any(f.kind == "main" for f in protocol.findings):
        problems.append("No finding is a main one: mark at least one as main.")
    if not protocol.arms:
        problems.append("The study has no arm: choose at least one eigenvector or method.")
    problems += _key_problems(protocol)
    for rating in protocol.ratings:
        problems += _rating_problems(rating)
    for name, allowed in (
        ("rendering", get_args(Rendering)),
        ("reference", get_args(Reference)),
        ("allocation", get_args(Allocation)),
    ):
        if (value := getattr(protocol, name)) not in allowed:
            problems.append(f"The {name} “{value}” is unknown: use {' or '.join(allowed)}.")
    problems += [
        f"Finding “{f.key}” is of kind “{f.kind}”: use main or secondary."
        for f in protocol.findings
        if f.kind not in get_args(Kind)
    ]
    if protocol.rendering != "plain" and protocol.reference == "reconstruction":
        problems.append(
            f"With {protocol.rendering} the counterfactual carries the true original's detail: a reconstruction "
            "beside it would tell the sides apart by sharpness. Use the original as reference, or plain "
            "rendering."
        )
    if not (math.isfinite(protocol.degree) and protocol.degree > 0):
        problems.append(f"The degree is {protocol.degree}: it must be a positive number (the paper used 10).")
    if protocol.n_per_arm < 1:
        problems.append(f"{protocol.n_per_arm} pairs per arm: at least 1 is needed.")
    if protocol.seed < 0:
        problems.append(f"The seed is {protocol.seed}: use a whole number of 0 or more.")
    return problems


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(protocol: Protocol) -> str:
    """The protocol as JSON with sorted keys and no spaces: equal protocols give equal text.

    Raises ValueError for a degree that is not finite (JSON has no such number).
    """
    return _canonical(dataclasses.asdict(protocol))


def digest(protocol: Protocol, extra: Mapping[str, Any] | None = None) -> str:
    """SHA-256 (64 hex digits) of the protocol and of `extra`, JSON values such as hashes of images."""
    text = _canonical({"protocol": dataclasses.asdict(protocol), "extra": dict(extra or {})})
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(text: str) -> Protocol:
    """The protocol of `canonical_json`. Raises ValueError naming the missing, unknown or malformed field."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError(f"expected an object, found {type(data).__name__}")
        lists = (("findings", Finding), ("ratings", Rating), ("arms", Arm))
        items = {name: tuple(kind(**item) for item in data.get(name, ())) for name, kind in lists}
        return Protocol(**{**data, **items})
    except (TypeError, ValueError) as error:
        raise ValueError(f"This is not a study protocol: {error}. Export it again from Studies.") from error
