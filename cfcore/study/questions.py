"""What readers may be asked beside the checklist: one dataclass a kind, its JSON form, and what is wrong with it.

Every question has a key (in data), a text (what readers see) and one answer. A `ForcedChoice` follows
Fechner's two-alternative forced choice; a `VisualAnalogue` is the 100 mm line of Hayes and Patterson (1921).
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

Ask = Literal["case", "series"]
# What stands before the reader: a pair, one image, nothing any more (after the last case of an arm), or a pair
# whose generated side is guessed (for Bang's blinding index).
Occasion = Literal["pair", "single", "series", "guess"]
Shape = Literal["point", "box", "polygon"]
Side = Literal["original", "counterfactual"]

SIDES = ("A", "B", "both", "neither", "cannot")
PRESENCE = ("present", "absent", "cannot")
SAME = ("same", "different")
MOST_QUESTIONS = 40
MOST_OPTIONS = 9
MOST_MARKS = 20
MOST_CORNERS = 200
LONGEST_TEXT = 4000
LONGEST_QUESTION = 300
# Never sent to a reader's browser: each tells which side or which image is the right answer.
SECRET = frozenset({"right", "right_for_original", "right_for_counterfactual"})

_KEY = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Condition:
    """The question is shown only if `question` (a finding, rating or earlier question) was answered with one of
    `values`."""

    question: str
    values: tuple[str | int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True, kw_only=True)
class Question:
    """What all kinds share.

    ask: "case" (with every case) or "series" (once, after the last case of an arm; readers see "series 1").
    required: whether a case without an answer counts as open. A question that is not shown is never open.
    """

    key: str
    text: str
    ask: Ask = "case"
    required: bool = True
    only_if: Condition | None = None

    kind: ClassVar[str]
    # Before what it makes sense to ask this.
    occasions: ClassVar[tuple[Occasion, ...]] = ("pair", "single", "series")

    def values(self) -> tuple[str | int, ...]:
        """Every possible answer, in order; empty where they cannot be listed."""
        return ()

    def own_problems(self) -> list[str]:
        """What is wrong with the fields of this kind, each with its remedy; without the question's name."""
        return []


@dataclass(frozen=True, kw_only=True)
class Sides(Question):
    """One finding in a pair: A only, B only, both, neither, cannot assess."""

    kind = "sides"
    occasions = ("pair",)

    def values(self) -> tuple[str | int, ...]:
        return SIDES


@dataclass(frozen=True, kw_only=True)
class Presence(Question):
    """Present, absent, cannot assess: for a single image, or after a series."""

    kind = "presence"
    occasions = ("single", "series")

    def values(self) -> tuple[str | int, ...]:
        return PRESENCE


@dataclass(frozen=True, kw_only=True)
class Likert(Question):
    """An ordinal scale of 1 (`low`) to `points` (`high`)."""

    low: str = "not at all"
    high: str = "entirely"
    points: int = 5
    kind = "likert"

    def values(self) -> tuple[str | int, ...]:
        return tuple(range(1, self.points + 1))

    def own_problems(self) -> list[str]:
        problems = [] if 2 <= self.points <= 11 else [f"has {self.points} points: use 2 to 11."]
        return problems + _ends(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class VisualAnalogue(Question):
    """A line from `low` (0) to `high` (100), answered with a whole number."""

    low: str = "not at all"
    high: str = "entirely"
    kind = "vas"

    def own_problems(self) -> list[str]:
        return _ends(self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class ForcedChoice(Question):
    """A or B, no third answer. `right`: the side that a perfect reader would choose, or None where none is right."""

    right: Side | None = None
    kind = "forced_choice"
    occasions = ("pair",)

    def values(self) -> tuple[str | int, ...]:
        return ("A", "B")

    def own_problems(self) -> list[str]:
        if self.right in (None, *get_args(Side)):
            return []
        return [f"calls “{self.right}” the right side: use original, counterfactual or none."]


@dataclass(frozen=True, kw_only=True)
class SameDifferent(Question):
    """Whether A and B are the same in what the text asks about."""

    kind = "same"
    occasions = ("pair",)

    def values(self) -> tuple[str | int, ...]:
        return SAME


@dataclass(frozen=True, kw_only=True)
class Choice(Question):
    """One of 2 to 9 options. `right_for_original` and `right_for_counterfactual`: the option that a perfect
    reader gives to a single image of either sort ("" where none is right)."""

    options: tuple[str, ...] = ()
    right_for_original: str = ""
    right_for_counterfactual: str = ""
    kind = "choice"

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", tuple(self.options))

    def values(self) -> tuple[str | int, ...]:
        return self.options

    def own_problems(self) -> list[str]:
        problems = []
        if not 2 <= len(self.options) <= MOST_OPTIONS:
            problems.append(f"has {len(self.options)} options: give 2 to {MOST_OPTIONS}.")
        plain = [option.strip().casefold() for option in self.options]
        problems += [
            f"has the option “{o}” twice: reword one." for o in sorted({o for o in plain if plain.count(o) > 1})
        ]
        if "" in plain:
            problems.append("has an empty option: word it or take it out.")
        for right in (self.right_for_original, self.right_for_counterfactual):
            if right and right not in self.options:
                problems.append(f"calls “{right}” right, which is none of its options: choose one of them.")
        return problems


@dataclass(frozen=True, kw_only=True)
class Number(Question):
    """A number in `unit` from `low` to `high` with at most `decimals` digits after the point."""

    unit: str = ""
    low: float = 0.0
    high: float = 100.0
    decimals: int = 0
    kind = "number"

    def __post_init__(self) -> None:
        # 100 and 100.0 must give one digest.
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    def own_problems(self) -> list[str]:
        problems = [] if self.low < self.high else [f"runs from {self.low:g} to {self.high:g}: put the smaller first."]
        if not 0 <= self.decimals <= 6:
            problems.append(f"asks for {self.decimals} decimals: use 0 to 6.")
        return problems


@dataclass(frozen=True, kw_only=True)
class FreeText(Question):
    """Free text of at most `longest` characters."""

    longest: int = 2000
    kind = "text"

    def own_problems(self) -> list[str]:
        if 1 <= self.longest <= LONGEST_TEXT:
            return []
        return [f"allows {self.longest} characters: use 1 to {LONGEST_TEXT}."]


@dataclass(frozen=True, kw_only=True)
class Mark(Question):
    """Points, boxes or polygons on the images, at most `most`; an empty list says that there is nothing to mark."""

    shape: Shape = "point"
    most: int = 1
    kind = "mark"
    occasions = ("pair", "single")

    def own_problems(self) -> list[str]:
        problems = []
        if self.shape not in get_args(Shape):
            problems.append(f"asks for a “{self.shape}”: use point, box or polygon.")
        if not 1 <= self.most <= MOST_MARKS:
            problems.append(f"allows {self.most} marks: use 1 to {MOST_MARKS}.")
        return problems


@dataclass(frozen=True, kw_only=True)
class Confidence(Question):
    """How sure the reader is of each finding of the checklist, 1 (`low`) to `points` (`high`); never required."""

    low: str = "guess"
    high: str = "certain"
    points: int = 5
    required: bool = False
    kind = "confidence"
    occasions = ("pair", "single")

    def own_problems(self) -> list[str]:
        problems = [] if 2 <= self.points <= 9 else [f"has {self.points} points: use 2 to 9."]
        if self.required:
            problems.append("is required: confidence is optional, untick “required”.")
        if self.only_if is not None:
            problems.append("depends on an answer: it belongs to the whole checklist, remove the condition.")
        return problems + _ends(self.low, self.high)


KINDS: Mapping[str, type[Question]] = {
    kind.kind: kind
    for kind in (
        Sides, Presence, Likert, VisualAnalogue, ForcedChoice, SameDifferent, Choice, Number, FreeText, Mark,
        Confidence,
    )
}  # fmt: skip


# The readers' guess at the end of a study; the room words it in the reader's language.
GUESS = Choice(key="guess", text="Which of the two images was generated by a computer?", options=("A", "B", "unsure"))


def _ends(low: str, high: str) -> list[str]:
    return [] if low.strip() and high.strip() else ["needs a word at both ends of its scale."]


def to_data(question: Question) -> dict[str, Any]:
    """The question as JSON values: kind, key, text and whatever is not at its default."""
    data: dict[str, Any] = {"kind": question.kind, "key": question.key, "text": question.text}
    for field in dataclasses.fields(question):
        value = getattr(question, field.name)
        if field.name not in data and value != field.default:
            data[field.name] = value
    if question.only_if is not None:
        data["only_if"] = {"question": question.only_if.question, "values": list(question.only_if.values)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in data.items()}


def from_data(data: Mapping[str, Any]) -> Question:
    """The question of `to_data`. Raises ValueError naming the question and the unknown or missing field."""
    fields = dict(data)
    name, kind = fields.get("key", "without a key"), fields.pop("kind", None)
    if kind not in KINDS:
        raise ValueError(f"Question “{name}” is of kind “{kind}”: use {', '.join(KINDS)}.")
    if condition := fields.pop("only_if", None):
        try:
            fields["only_if"] = Condition(condition["question"], tuple(condition["values"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"The condition of question “{name}” is incomplete: give question and values.") from error
    try:
        return KINDS[kind](**fields)
    except TypeError as error:
        text = re.sub(r"^.*__init__\(\)\s*", "", str(error))
        raise ValueError(f"Question “{name}” of kind {kind} {text}.") from error


def questions_from(data: Iterable[Mapping[str, Any] | Question]) -> tuple[Question, ...]:
    """Several questions, each as data or as itself. Raises ValueError as `from_data` does."""
    return tuple(item if isinstance(item, Question) else from_data(item) for item in data)


def public(question: Question) -> dict[str, Any]:
    """What a reader's browser is told: every field but those that name a right answer."""
    told = {f.name: getattr(question, f.name) for f in dataclasses.fields(question) if f.name not in SECRET}
    told["only_if"] = None if question.only_if is None else dataclasses.asdict(question.only_if)
    return {"kind": question.kind, **told, "values": list(question.values())}


def asked_at(questions: Iterable[Question], occasion: Occasion) -> tuple[Question, ...]:
    """The questions that are asked on an occasion, in their order; to guess the side there is one, `GUESS`."""
    if occasion == "guess":
        return (GUESS,)
    asks = "series" if occasion == "series" else "case"
    return tuple(q for q in questions if q.ask == asks and occasion in q.occasions)


def validate_questions(
    questions: Sequence[Question], known: Mapping[str, Sequence[str | int]], arms: Iterable[str] = ()
) -> list[str]:
    """Everything that is wrong with a study's questions, a sentence each, naming the question and the remedy.

    known: keys of findings and ratings, which come before every question, with their possible answers.
    arms: names of arms, which no text that readers see may contain.
    """
    problems = []
    if len(questions) > MOST_QUESTIONS:
        problems.append(f"{len(questions)} questions are listed: ask at most {MOST_QUESTIONS}.")
    keys = [q.key for q in questions]
    for key in sorted({k for k in keys if keys.count(k) > 1}):
        problems.append(f"Two questions share the key “{key}”: rename one.")
    for key in sorted(set(keys) & set(known)):
        problems.append(f"Question “{key}” has the key of a finding or rating: rename it.")
    texts = [(q.text.strip().casefold(), q.ask) for q in questions]
    for text, _ in sorted({t for t in texts if t[0] and texts.count(t) > 1}):
        problems.append(f"Two questions ask “{text}”: reword one.")
    if GUESS.key in keys:
        problems.append("Question “guess” has the key of the guess at the end of a study: rename it.")
    earlier: dict[str, Sequence[str | int]] = dict(known)
    asks: dict[str, str] = dict.fromkeys(known, "case")
    for question in questions:
        problems += [f"Question “{question.key}” {problem}" for problem in _problems(question, earlier, asks, arms)]
        earlier[question.key] = question.values()
        asks[question.key] = question.ask
    return problems


def _problems(
    question: Question, earlier: Mapping[str, Sequence[str | int]], asks: Mapping[str, str], arms: Iterable[str]
) -> list[str]:
    problems = question.own_problems()
    if not _KEY.fullmatch(question.key):
        problems.append("has an unusable key: use lower-case letters, digits and underscores, such as “heart_size”.")
    if not question.text.strip():
        problems.append("has no text: word what readers are asked.")
    if len(question.text) > LONGEST_QUESTION:
        problems.append(f"is {len(question.text)} characters long: use at most {LONGEST_QUESTION}.")
    shown = " ".join(str(v) for v in (question.text, *question.values())).casefold()
    for arm in sorted({a.casefold().strip() for a in arms} - {""}):
        if re.search(rf"(?<!\w){re.escape(arm)}(?!\w)", shown):
            problems.append(f"names the arm “{arm}”, which breaks the blinding: leave it out.")
    if question.ask not in get_args(Ask):
        problems.append(f"is asked per “{question.ask}”: use case or series.")
    elif question.ask == "series" and "series" not in question.occasions:
        problems.append("is about the images on the screen, and after a series there are none: ask it per case.")
    if question.only_if is not None:
        problems += _condition_problems(question, question.only_if, earlier, asks)
    return problems


def _condition_problems(
    question: Question, condition: Condition, earlier: Mapping[str, Sequence[str | int]], asks: Mapping[str, str]
) -> list[str]:
    other = condition.question
    if other not in earlier:
        return [f"depends on “{other}”, which is not asked before it: move it down or choose another question."]
    if asks[other] != question.ask:
        return [f"is asked per {question.ask} but depends on “{other}”, asked per {asks[other]}: ask both alike."]
    if not earlier[other]:
        return [f"depends on “{other}”, whose answers cannot be listed: choose a question with fixed answers."]
    if not condition.values:
        return [f"depends on “{other}” but names no answer: choose at least one."]
    if wrong := [v for v in condition.values if v not in earlier[other]]:
        return [f"depends on “{other}” being “{wrong[0]}”, which is no answer of it: choose among its answers."]
    return []
