"""What a study asks beside findings and ratings: the list, in its order, with a preview of each; templates."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cfcore.study.questions import (
    Choice,
    Confidence,
    ForcedChoice,
    FreeText,
    Likert,
    Mark,
    Number,
    Question,
    VisualAnalogue,
)
from pages.parts import layout
from pages.parts.question_form import question_dialog
from pages.parts.who import actor, workspace
from services.studies import StudyRefused, StudyView
from services.study_questions import (
    KIND_NAMES,
    TemplateView,
    conditions_of,
    delete_template,
    list_templates,
    move_question,
    remove_question,
    save_template,
    use_template,
)

_PILL = (
    "display:inline-block;border:1px solid #c9d0da;border-radius:6px;padding:0.05rem 0.6rem;margin:0.15rem 0.3rem 0 0;"
    "font-size:0.85rem;color:#465062"
)


def question_list(view: StudyView) -> None:
    """All questions; in a draft with buttons to add, change, move and remove them."""
    st.subheader("Other questions", anchor=False)
    questions = view.protocol.questions
    draft = view.state == "draft"
    if not questions:
        st.caption("None. Readers are asked the findings and ratings above, and may comment on each case.")
    for place, question in enumerate(questions):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            layout.html(_described(view, question))
            if draft:
                _buttons(view, question, place, len(questions))
    if problems := st.session_state.pop(f"question-problems-{view.id}", ()):
        about = [problem for problem in problems if "uestion" in problem]
        if about:
            items = "".join(f"<li>{layout.escape(problem)}</li>" for problem in about)
            layout.html(f"<b>Before the lock</b><ul class=problems>{items}</ul>")
    if draft and st.button("Add a question", icon=":material/add:"):
        question_dialog(view, None)
    if view.pairs:
        st.link_button("Try them in the reading room", f"/read?rehearse={view.id}", icon=":material/visibility:")


def _buttons(view: StudyView, question: Question, place: int, count: int) -> None:
    with st.container(horizontal=True, horizontal_alignment="right", width="content"):
        if st.button("", icon=":material/arrow_upward:", help="Move up", key=f"up-{question.key}", disabled=place == 0):
            _do(lambda: move_question(workspace(), view.id, question.key, -1, actor=actor()))
        last = place == count - 1
        if st.button("", icon=":material/arrow_downward:", help="Move down", key=f"down-{question.key}", disabled=last):
            _do(lambda: move_question(workspace(), view.id, question.key, 1, actor=actor()))
        if st.button("", icon=":material/edit:", help="Change", key=f"edit-{question.key}"):
            question_dialog(view, question)
        if st.button("", icon=":material/delete:", help="Remove", key=f"remove-{question.key}"):
            _do(lambda: remove_question(workspace(), view.id, question.key, actor=actor()))


def _do(act: Callable[[], object]) -> None:
    try:
        act()
    except StudyRefused as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.rerun()


def _described(view: StudyView, question: Question) -> str:
    """The question as readers see it, and below it when it is asked."""
    facts = [KIND_NAMES[question.kind]]
    if question.ask == "series":
        facts.append("once per arm, after its cases")
    if not question.required:
        facts.append("may be left open")
    if question.only_if is not None:
        on = conditions_of(view).get(question.only_if.question)
        values = ", ".join(str(value) for value in question.only_if.values)
        facts.append(f"only if “{on[0] if on else question.only_if.question}” is {values}")
    pills = "".join(f'<span style="{_PILL}">{layout.escape(text)}</span>' for text in preview(question))
    return (
        f"<b>{layout.escape(question.text)}</b><div>{pills}</div>"
        f'<div class="muted" style="font-size:0.85rem">{layout.escape(" · ".join(facts))}</div>'
    )


def preview(question: Question) -> list[str]:
    """What stands on the buttons or around the field that readers answer with."""
    if isinstance(question, Likert | Confidence):
        numbers = [str(n) for n in range(1, question.points + 1)]
        return [f"{question.low} 1", *numbers[1:-1], f"{numbers[-1]} {question.high}"]
    if isinstance(question, VisualAnalogue):
        return [f"{question.low} ├──────────────┤ {question.high}"]
    if isinstance(question, ForcedChoice | Choice):
        return [str(value) for value in question.values()]
    if isinstance(question, Number):
        return [f"____ {question.unit}".strip(), f"{question.low:g} to {question.high:g}"]
    if isinstance(question, FreeText):
        return [f"text, up to {question.longest} characters"]
    if isinstance(question, Mark):
        return [f"{question.shape} on the image, at most {question.most}", "nothing to mark"]
    return ["cannot assess" if value == "cannot" else str(value) for value in question.values()]


def templates(view: StudyView) -> None:
    """Use a template in this draft, keep this study's questions as one, delete a saved one."""
    known = {_named(template): template for template in list_templates(workspace())}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Template", known, key=f"template-{view.id}", width=440)
        chosen: TemplateView = known[name]
        if st.button("Use", help="Its findings replace the list below; its ratings and questions are added"):
            problems = use_template(workspace(), view.id, chosen.template, actor=actor())
            st.session_state[f"question-problems-{view.id}"] = problems
            st.rerun()
        if chosen.id is not None and st.button("Delete", help="Studies that used it keep their questions"):
            _do(lambda: delete_template(workspace(), chosen.id or 0, actor=actor()))
        if st.button("Save as a template", icon=":material/bookmark_add:", type="tertiary"):
            keep_dialog(view)


def _named(view: TemplateView) -> str:
    return f"{view.template.name}: {view.template.about}" if view.template.about else view.template.name


@st.dialog("Save these questions as a template")
def keep_dialog(view: StudyView) -> None:
    st.write("Findings, ratings and other questions of this study, as they are saved now.")
    name = st.text_input("Name", max_chars=80)
    if st.button("Save", type="primary"):
        try:
            save_template(workspace(), view.id, name, actor=actor())
        except StudyRefused as error:
            st.error(str(error))
            return
        st.rerun()
