"""A study's questions and the templates they come from and go to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sqlalchemy as sa

from cfcore.study.question_templates import SHIPPED, Template, template_data, template_from, with_template
from cfcore.study.questions import (
    KINDS,
    MOST_OPTIONS,
    SIDES,
    Condition,
    Question,
    from_data,
    to_data,
)
from db.events import record
from db.models import QuestionTemplate
from services.studies import Finding, Rating, StudyRefused, StudyView, findings_from, study_view, update_draft
from services.workspace import Workspace

__all__ = [
    "KINDS", "KIND_NAMES", "MOST_OPTIONS", "Condition", "Question", "TemplateView", "add_question", "conditions_of",
    "delete_template", "from_data", "list_templates", "move_question", "remove_question", "replace_question",
    "save_template", "to_data", "use_template",
]  # fmt: skip

# What researchers choose from, in the words of the field.
KIND_NAMES = {
    "sides": "Finding in a pair (A, B, both, neither, cannot assess)",
    "presence": "Presence (present, absent, cannot assess)",
    "likert": "Likert scale",
    "vas": "Visual analogue scale",
    "forced_choice": "Two-alternative forced choice (A or B)",
    "same": "Same or different",
    "choice": "One of several options",
    "number": "Number",
    "text": "Free text",
    "mark": "Point, box or polygon on the image",
    "confidence": "Confidence in each finding of the checklist",
}
MOST_NAME = 80


@dataclass(frozen=True)
class TemplateView:
    """A template as the page shows it. `id` is None for one that ships with the program."""

    id: int | None
    template: Template
    author: str


def list_templates(workspace: Workspace) -> list[TemplateView]:
    """Shipped templates, then saved ones by name."""
    with workspace.session() as session:
        saved = session.scalars(sa.select(QuestionTemplate).order_by(QuestionTemplate.name)).all()
        own = [TemplateView(t.id, template_from(t.name, t.content, f"saved by {t.author}"), t.author) for t in saved]
    return [*(TemplateView(None, template, "cfreader") for template in SHIPPED), *own]


def save_template(workspace: Workspace, study_id: int, name: str, *, actor: str) -> int:
    """Keep a study's findings, ratings and questions under a name; a saved template of that name is replaced.

    Returns its id. Raises StudyRefused for an empty or long name, one of a shipped template, or a study that asks
    nothing.
    """
    name = name.strip()
    if not 1 <= len(name) <= MOST_NAME:
        raise StudyRefused(f"A template's name has 1 to {MOST_NAME} characters: name it after what it asks.")
    if name.casefold() in {template.name.casefold() for template in SHIPPED}:
        raise StudyRefused(f"“{name}” is the name of a shipped template: choose another.")
    protocol = study_view(workspace, study_id).protocol
    template = Template(name, "", protocol.findings, protocol.ratings, protocol.questions)
    if not (template.findings or template.ratings or template.questions):
        raise StudyRefused("This study asks nothing yet: list findings or questions first.")
    with workspace.session() as session:
        kept = session.scalar(sa.select(QuestionTemplate).where(QuestionTemplate.name == name))
        if kept is None:
            kept = QuestionTemplate(name=name, content={}, author=actor)
            session.add(kept)
        kept.content, kept.author = template_data(template), actor
        session.flush()
        record(session, actor, "template saved", f"template {kept.id}", study=study_id)
        return kept.id


def delete_template(workspace: Workspace, template_id: int, *, actor: str) -> None:
    """Remove a saved template; studies that used it keep their questions. Raises StudyRefused where there is none."""
    with workspace.session() as session:
        kept = session.get(QuestionTemplate, template_id)
        if kept is None:
            raise StudyRefused("This template has been deleted already.")
        session.delete(kept)
        record(session, actor, "template deleted", f"template {template_id}")


def use_template(workspace: Workspace, study_id: int, template: Template, *, actor: str) -> tuple[str, ...]:
    """Bring a template into a draft: its findings replace the list, ratings and questions are added.

    Returns what still keeps the draft from being locked. Raises StudyRefused for a study that is locked.
    """
    protocol = study_view(workspace, study_id).protocol
    findings, ratings, questions = with_template(template, protocol.findings, protocol.ratings, protocol.questions)
    return update_draft(workspace, study_id, actor=actor, findings=findings, ratings=ratings, questions=questions)


def add_question(workspace: Workspace, study_id: int, question: Question, *, actor: str) -> tuple[str, ...]:
    """Put a question behind the others; without a key it gets one from its text. As `update_draft`."""
    view = study_view(workspace, study_id)
    return _update(workspace, view, (*view.protocol.questions, _keyed(view, question)), actor)


def replace_question(
    workspace: Workspace, study_id: int, key: str, question: Question, *, actor: str
) -> tuple[str, ...]:
    """Put a question in the place of the one with `key`, under its key. As `update_draft`."""
    view = study_view(workspace, study_id)
    _place(view, key)
    new = tuple(replace(question, key=key) if q.key == key else q for q in view.protocol.questions)
    return _update(workspace, view, new, actor)


def remove_question(workspace: Workspace, study_id: int, key: str, *, actor: str) -> tuple[str, ...]:
    """Take a question out. Raises StudyRefused where another depends on it."""
    view = study_view(workspace, study_id)
    _place(view, key)
    for other in view.protocol.questions:
        if other.only_if is not None and other.only_if.question == key:
            raise StudyRefused(f"“{other.text}” depends on this question: remove its condition or itself first.")
    return _update(workspace, view, tuple(q for q in view.protocol.questions if q.key != key), actor)


def move_question(workspace: Workspace, study_id: int, key: str, step: int, *, actor: str) -> tuple[str, ...]:
    """Move a question up (-1) or down (1). Raises StudyRefused where it would stand before what it depends on."""
    view = study_view(workspace, study_id)
    asked = list(view.protocol.questions)
    at = _place(view, key)
    to = min(max(at + step, 0), len(asked) - 1)
    asked.insert(to, asked.pop(at))
    order = {question.key: i for i, question in enumerate(asked)}
    for question in asked:
        on = question.only_if
        if on is not None and order.get(on.question, -1) > order[question.key]:
            raise StudyRefused(f"“{question.text}” depends on the other question: it must stay behind it.")
    return _update(workspace, view, tuple(asked), actor)


def conditions_of(view: StudyView, before: str | None = None) -> dict[str, tuple[str, tuple[str | int, ...]]]:
    """What a question may depend on: key -> (text, possible answers). before: only what stands before this key."""
    protocol = view.protocol
    found: dict[str, tuple[str, tuple[str | int, ...]]] = {f.key: (f.label, SIDES) for f in protocol.findings}
    found |= {r.key: (r.question, tuple(range(1, r.points + 1))) for r in protocol.ratings}
    for question in protocol.questions:
        if question.key == before:
            break
        if question.values():
            found[question.key] = (question.text, question.values())
    return found


def _keyed(view: StudyView, question: Question) -> Question:
    if question.key:
        return question
    items: tuple[Finding | Rating | Question, ...] = (
        *view.protocol.findings,
        *view.protocol.ratings,
        *view.protocol.questions,
    )
    taken = {item.key for item in items} | {"guess"}
    plain = findings_from([("", question.text or "question", "main")])[0].key[:50].strip("_")
    key = next(k for n in range(1, 1000) if (k := plain if n == 1 else f"{plain}_{n}") not in taken)
    return replace(question, key=key)


def _place(view: StudyView, key: str) -> int:
    keys = [question.key for question in view.protocol.questions]
    if key not in keys:
        raise StudyRefused("This question has been removed already: reload the page.")
    return keys.index(key)


def _update(workspace: Workspace, view: StudyView, questions: tuple[Question, ...], actor: str) -> tuple[str, ...]:
    return update_draft(workspace, view.id, actor=actor, questions=questions)
