"""Questions to start from: the paper's finding lists, brain MRI in Alzheimer's disease, realism and identity, the
visual Turing test."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from cfcore.study.protocol import FINDING_LISTS, Finding, Rating
from cfcore.study.questions import (
    Choice,
    Condition,
    Confidence,
    ForcedChoice,
    FreeText,
    Mark,
    Question,
    SameDifferent,
    VisualAnalogue,
    questions_from,
    to_data,
)


@dataclass(frozen=True)
class Template:
    """Questions under a name. `about`: one line for whoever chooses."""

    name: str
    about: str = ""
    findings: tuple[Finding, ...] = ()
    ratings: tuple[Rating, ...] = ()
    questions: tuple[Question, ...] = ()


# What ControlCG's authors look for in brain MRI (METHODS 3), in a radiologist's words.
_ALZHEIMER = (
    Finding("hippocampus", "Narrow hippocampus"),
    Finding("temporal_horns", "Wide temporal horns"),
    Finding("ventricles", "Wide lateral ventricles"),
    Finding("sylvian", "Wide Sylvian fissure"),
    Finding("sulci", "Wide sulci elsewhere", "secondary"),
    Finding("contrast", "Changed contrast of grey and white matter", "secondary"),
    Finding("artefact", "Unnatural texture or outline", "secondary"),
)
_REALISM = (
    Rating("realism", "The difference looks like real disease", "not at all", "entirely"),
    Rating("identity", "A and B show the same patient", "certainly not", "certainly"),
)
_IDENTITY = (
    SameDifferent(key="same_patient", text="Do A and B show the same patient?"),
    FreeText(
        key="identity_why",
        text="What speaks against one patient?",
        longest=500,
        required=False,
        only_if=Condition("same_patient", ("different",)),
    ),
    VisualAnalogue(
        key="naturalness", text="How natural is the less natural of the two images?", low="artificial", high="natural"
    ),
    Mark(key="unnatural_place", text="Where does an image look unnatural?", shape="box", most=5, required=False),
)
_TURING = (
    ForcedChoice(key="real_one", text="Which one is a real image?", right="original"),
    Choice(key="how_sure", text="How sure are you?", options=("guessed", "rather sure", "sure")),
    FreeText(
        key="what_tells",
        text="What gives it away?",
        longest=500,
        required=False,
        only_if=Condition("how_sure", ("rather sure", "sure")),
    ),
)

SHIPPED: tuple[Template, ...] = (
    Template("cardiomegaly", "The paper's list (Table 2)", FINDING_LISTS["cardiomegaly"]),
    Template("effusion", "The paper's list (Table 2)", FINDING_LISTS["effusion"]),
    Template("atelectasis", "The paper's list (Table 2)", FINDING_LISTS["atelectasis"]),
    Template("pneumonia", "Our list, for radiographs of children", FINDING_LISTS["pneumonia"]),
    Template("lesion", "Our list, for slices of the brain", FINDING_LISTS["lesion"]),
    Template("Alzheimer", "Brain MRI: what changes between healthy and Alzheimer's disease", _ALZHEIMER),
    Template("identity and realism", "Same patient? Natural? Two ratings and four questions", (), _REALISM, _IDENTITY),
    Template("visual Turing test", "Which of the two is real, how sure, and why", (), (), _TURING),
    Template(
        "confidence",
        "How sure of each finding, from 1 to 5",
        questions=(Confidence(key="confidence", text="How sure are you of this finding?"),),
    ),
)


def template_data(template: Template) -> dict[str, Any]:
    """What is stored of a template: findings, ratings and questions as JSON values."""
    return {
        "findings": [asdict(finding) for finding in template.findings],
        "ratings": [asdict(rating) for rating in template.ratings],
        "questions": [to_data(question) for question in template.questions],
    }


def template_from(name: str, data: Mapping[str, Any], about: str = "") -> Template:
    """The template of `template_data`. Raises ValueError naming what is malformed."""
    try:
        return Template(
            name,
            about,
            tuple(Finding(**item) for item in data.get("findings", ())),
            tuple(Rating(**item) for item in data.get("ratings", ())),
            questions_from(data.get("questions", ())),
        )
    except TypeError as error:
        raise ValueError(f"The template “{name}” cannot be read: {error}.") from error


def with_template(
    template: Template,
    findings: tuple[Finding, ...],
    ratings: tuple[Rating, ...],
    questions: tuple[Question, ...],
) -> tuple[tuple[Finding, ...], tuple[Rating, ...], tuple[Question, ...]]:
    """Findings, ratings and questions of a study with those of the template.

    A template's findings replace the study's; its ratings and questions are added unless they are there already.
    An added question whose key is taken gets a free one, and conditions follow it.
    """
    new_findings = template.findings or findings
    known = {rating.key for rating in ratings}
    new_ratings = (*ratings, *(rating for rating in template.ratings if rating.key not in known))
    items: tuple[Finding | Rating | Question, ...] = (*new_findings, *new_ratings, *questions)
    taken = {item.key for item in items}
    renamed: dict[str, str] = {}
    added: list[Question] = []
    for question in template.questions:
        if any(same_question(question, other) for other in questions):
            continue
        key = next(k for n in range(1, 1000) if (k := question.key if n == 1 else f"{question.key}_{n}") not in taken)
        taken.add(key)
        renamed[question.key] = key
        condition = question.only_if
        if condition is not None:
            condition = replace(condition, question=renamed.get(condition.question, condition.question))
        added.append(replace(question, key=key, only_if=condition))
    return new_findings, new_ratings, (*questions, *added)


def same_question(one: Question, other: Question) -> bool:
    """Whether two questions ask the same in the same way, whatever their keys."""
    return one.kind == other.kind and one.text.casefold() == other.text.casefold() and one.ask == other.ask
