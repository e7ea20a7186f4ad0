"""The study protocol: everything that is fixed before a reader sees the first pair, and its digest."""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cfcore.rendering import DEFAULT_RENDERING, Rendering, keeps_source
from cfcore.study.analysis_plan import AnalysisPlan, plan_from, plan_problems
from cfcore.study.design.choices import (
    DEFAULT_DESIGN,
    OPEN_GATE,
    Control,
    Design,
    Gate,
    Repeats,
    Training,
    choices_from,
    design_problems,
)
from cfcore.study.neutral_title import title_problems
from cfcore.study.questions import PRESENCE, SIDES, Question, questions_from, to_data, validate_questions
from cfcore.study.viewing import DEFAULT_VIEWING, Viewing, viewing_from, viewing_problems

Kind = Literal["main", "secondary"]
Reference = Literal["original", "reconstruction"]
Allocation = Literal["own patients", "same patients", "rotated patients"]

_KEY = re.compile(r"[a-z0-9][a-z0-9_]*")


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
    """One direction, method, degree or target class under study, e.g. key "v17+", name "v17 +". Readers never see it.

    What is None is the study's: run (id), degree, rendering, target class; direction None is the run's direction
    called `name`, if it has one.
    """

    key: str
    name: str
    run: int | None = None
    direction: str | None = None
    degree: float | None = None
    rendering: Rendering | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if self.degree is not None:
            object.__setattr__(self, "degree", float(self.degree))


@dataclass(frozen=True)
class Protocol:
    """What is decided before the first reading.

    title: the researchers' name for the study. reader_title: the neutral one that readers see.
    degree: the fixed step d along every direction, used whether or not the class flips.
    rendering: how counterfactuals were drawn. reference: what stands on the original's side of a pair.
    n_per_arm: pairs in each arm. allocation: "own patients" gives every arm its own patients, "same patients"
    shows the same patients under every arm (the paper's design, METHODS 1), "rotated patients" moves groups of
    patients through the arms by a Latin square over groups of readers, so that a reader meets a patient once.
    controls, repeats, training, guess_share (of the pairs, at the end), single_share (of the
    pairs, of which one image is read alone before the first pair), gate, design: see `cfcore.study.design`.
    analysis: what is fixed of the evaluation. questions: what else is asked, after
    findings and ratings (`cfcore.study.questions`). viewing: how a case is put before the readers.
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
    questions: tuple[Question, ...] = ()
    controls: tuple[Control, ...] = ()
    repeats: Repeats | None = None
    training: Training | None = None
    guess_share: float = 0.0
    single_share: float = 0.0
    gate: Gate = OPEN_GATE
    design: Design = DEFAULT_DESIGN
    analysis: AnalysisPlan | None = None
    viewing: Viewing = DEFAULT_VIEWING

    def __post_init__(self) -> None:
        # One canonical form: a list or a tuple, a degree of 10 or of 10.0, must give one digest.
        for name in ("findings", "ratings", "arms", "questions", "controls"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "degree", float(self.degree))
        object.__setattr__(self, "guess_share", float(self.guess_share))
        object.__setattr__(self, "single_share", float(self.single_share))

    def degree_of(self, arm: Arm) -> float:
        """The fixed step along the arm's direction."""
        return self.degree if arm.degree is None else arm.degree

    def rendering_of(self, arm: Arm) -> Rendering:
        """How the arm's counterfactuals are drawn."""
        return arm.rendering or self.rendering

    def reference_of(self, arm: Arm) -> Reference:
        """What stands on the original's side: always the original beside a rendering that keeps its detail."""
        return "original" if keeps_source(self.rendering_of(arm)) else self.reference


def _list(*rows: tuple[str, str, Kind]) -> tuple[Finding, ...]:
    return tuple(Finding(*row) for row in rows)


# The paper's lists (Table 2; METHODS 1); pneumonia is ours, for paediatric radiographs; lesion is ours, for slices
# of the brain.
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
    "lesion": _list(
        ("hyperintense", "Hyperintense focal lesion", "main"),
        ("hypointense", "Hypointense focal lesion", "main"),
        ("mass_effect", "Mass effect or midline shift", "main"),
        ("ventricles", "Changed ventricles", "secondary"),
        ("sulci", "Changed sulci", "secondary"),
        ("grey_white", "Blurred grey-white border", "secondary"),
        ("other_slice", "Another slice or head position", "secondary"),
    ),
}

DEFAULT_RATINGS: tuple[Rating, ...] = (
    Rating("realism", "The difference looks like real disease", "not at all", "entirely"),
    Rating("identity", "A and B show the same patient", "certainly not", "certainly"),
)


def _duplicates(values: Sequence[str]) -> list[str]:
    return sorted({v for v in values if values.count(v) > 1})


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


def _arm_problems(protocol: Protocol) -> list[str]:
    problems = []
    for arm in protocol.arms:
        if arm.degree is not None and not (math.isfinite(arm.degree) and arm.degree > 0):
            problems.append(f"The degree of arm “{arm.name}” is {arm.degree}: it must be a positive number.")
        if arm.rendering is not None and arm.rendering not in get_args(Rendering):
            problems.append(
                f"The rendering “{arm.rendering}” of arm “{arm.name}” is unknown: use {', '.join(get_args(Rendering))}."
            )
    kinds = [
        (a.run, a.direction or a.name, protocol.degree_of(a), protocol.rendering_of(a), a.target) for a in protocol.arms
    ]
    for kind in dict.fromkeys(kinds):
        same = [arm.name for arm, other in zip(protocol.arms, kinds, strict=True) if other == kind]
        if len(same) > 1 and protocol.allocation != "own patients":
            problems.append(
                f"The arms {' and '.join(f'“{name}”' for name in same)} show the very same pictures: keep one."
            )
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
    """What is wrong with the protocol, a sentence each with its remedy; the plan of analysis apart."""
    problems = [] if protocol.title.strip() else ["The study has no title."]
    problems += title_problems(
        protocol.reader_title,
        [finding.label for finding in protocol.findings],
        [text for arm in protocol.arms for text in (arm.key, arm.name)],
    )
    if not protocol.findings:
        problems.append("No finding is listed: list main and secondary findings before anything is shown.")
    elif not any(f.kind == "main" for f in protocol.findings):
        problems.append("No finding is a main one: mark at least one as main.")
    if not protocol.arms:
        problems.append("The study has no arm: choose at least one eigenvector or method.")
    problems += _arm_problems(protocol)
    problems += _key_problems(protocol)
    for rating in protocol.ratings:
        problems += _rating_problems(rating)
    # A finding is answered by sides in a pair and by presence in a single image.
    known: dict[str, tuple[str | int, ...]] = {f.key: (*SIDES, *PRESENCE[:2]) for f in protocol.findings}
    known |= {r.key: tuple(range(1, r.points + 1)) for r in protocol.ratings}
    problems += validate_questions(protocol.questions, known, [t for a in protocol.arms for t in (a.key, a.name)])
    problems += design_problems(protocol)
    problems += viewing_problems(protocol.viewing)
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


def lock_problems(protocol: Protocol) -> list[str]:
    """`validate`, and what is missing of the primary analysis, which is fixed before the first reading."""
    keys = ([item.key for item in items] for items in (protocol.findings, protocol.ratings, protocol.arms))
    return validate(protocol) + plan_problems(protocol.analysis, *keys)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


# What every protocol holds, and every later field only where it differs from its default: older digests hold.
_FIRST = frozenset(
    (
        *("title", "reader_title", "findings", "ratings", "arms", "degree", "rendering", "reference", "seed"),
        *("n_per_arm", "allocation", "notes"),
    )
)


def _plain(protocol: Protocol) -> dict[str, Any]:
    """The protocol as JSON values, fields that came later only where they are used."""
    data = dataclasses.asdict(protocol)
    for field in dataclasses.fields(protocol):
        if field.name not in _FIRST and getattr(protocol, field.name) == field.default:
            del data[field.name]
    if protocol.questions:
        data["questions"] = [to_data(question) for question in protocol.questions]
    data["arms"] = [{name: value for name, value in arm.items() if value is not None} for arm in data["arms"]]
    return data


def canonical_json(protocol: Protocol) -> str:
    """The protocol as JSON with sorted keys and no spaces: equal protocols give equal text.

    Raises ValueError for a degree that is not finite (JSON has no such number).
    """
    return _canonical(_plain(protocol))


def digest(protocol: Protocol, extra: Mapping[str, Any] | None = None) -> str:
    """SHA-256 (64 hex digits) of the protocol and of `extra`, JSON values such as hashes of images."""
    text = _canonical({"protocol": _plain(protocol), "extra": dict(extra or {})})
    return hashlib.sha256(text.encode()).hexdigest()


def from_json(text: str) -> Protocol:
    """The protocol of `canonical_json`. Raises ValueError naming the missing, unknown or malformed field."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError(f"expected an object, found {type(data).__name__}")
        lists = (("findings", Finding), ("ratings", Rating), ("arms", Arm))
        items = {name: tuple(kind(**item) for item in data.get(name, ())) for name, kind in lists}
        later = choices_from(data) | {"analysis": plan_from(data.get("analysis"))}
        later["viewing"] = viewing_from(data.get("viewing"))
        return Protocol(**{**data, **items, **later, "questions": questions_from(data.get("questions", ()))})
    except (TypeError, ValueError) as error:
        raise ValueError(f"This is not a study protocol: {error}. Export it again from Studies.") from error
