"""One question of a study in a dialog: its kind, its words, its fields, and what it depends on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.parts.who import actor, workspace
from services.studies import StudyRefused, StudyView
from services.study_questions import (
    KIND_NAMES,
    KINDS,
    MOST_OPTIONS,
    Question,
    add_question,
    conditions_of,
    from_data,
    replace_question,
    to_data,
)

NOTHING = "always"
SIDE_WORDS = {None: "neither is right or wrong", "original": "the original", "counterfactual": "the counterfactual"}


@st.dialog("A question", width="large")
def question_dialog(view: StudyView, question: Question | None) -> None:
    """Add a question, or change `question`."""
    data = to_data(question) if question else {}
    kinds = list(KIND_NAMES)
    kind = st.selectbox(
        "Kind",
        kinds,
        index=kinds.index(data["kind"]) if data else 2,
        format_func=lambda name: KIND_NAMES[name],
        disabled=question is not None,
    )
    text = st.text_input("Question, as readers see it", data.get("text", ""), max_chars=300)
    fields = _fields(kind, data)
    general = _general(view, kind, question, data)
    if not st.button("Save", type="primary"):
        return
    sent = {"kind": kind, "key": question.key if question else "", "text": text.strip()} | fields | general
    try:
        new = from_data(sent)
        if question:
            problems = replace_question(workspace(), view.id, question.key, new, actor=actor())
        else:
            problems = add_question(workspace(), view.id, new, actor=actor())
    except (StudyRefused, ValueError) as error:
        st.error(str(error))
        return
    st.session_state[f"question-problems-{view.id}"] = problems
    st.rerun()


def _fields(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """What this kind alone has."""
    if kind in ("likert", "vas", "confidence"):
        return _scale(kind, data)
    if kind == "forced_choice":
        words = list(SIDE_WORDS)
        right = st.selectbox(
            "Right is", words, index=words.index(data.get("right")), format_func=lambda side: SIDE_WORDS[side],
            help="Readers are never told. With a right side, the results say how often it was chosen.",
        )  # fmt: skip
        return {"right": right} if right else {}
    if kind == "choice":
        return _options(data)
    if kind == "number":
        return _number(data)
    if kind == "text":
        return {"longest": int(st.number_input("Most characters", 1, 4000, data.get("longest", 2000)))}
    if kind == "mark":
        left, beside = st.columns(2)
        shapes = ("point", "box", "polygon")
        shape = left.selectbox("Shape", shapes, index=shapes.index(data.get("shape", "point")))
        return {"shape": shape, "most": int(beside.number_input("At most", 1, 20, data.get("most", 1)))}
    return {}


def _scale(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    default = KINDS[kind](key="x", text="x")
    low, high, points = st.columns(3)
    found: dict[str, Any] = {
        "low": low.text_input("Lowest means", data.get("low", getattr(default, "low", ""))),
        "high": high.text_input("Highest means", data.get("high", getattr(default, "high", ""))),
    }
    if kind != "vas":
        most = 9 if kind == "confidence" else 11
        found["points"] = int(points.number_input("Points", 2, most, data.get("points", 5)))
    return found


def _options(data: dict[str, Any]) -> dict[str, Any]:
    typed = st.text_area(f"Options, one a line (2 to {MOST_OPTIONS})", "\n".join(data.get("options", ())), height=140)
    options = tuple(line.strip() for line in typed.splitlines() if line.strip())
    found: dict[str, Any] = {"options": options}
    for column, sort in zip(st.columns(2), ("original", "counterfactual"), strict=True):
        field = f"right_for_{sort}"
        kept = data.get(field, "")
        found[field] = column.selectbox(
            f"Right for {'an' if sort == 'original' else 'a'} {sort} that stands alone",
            ("", *options),
            # A reworded option is no longer the right one: it is chosen anew.
            index=1 + options.index(kept) if kept in options else 0,
            format_func=lambda option: option or "none is right or wrong",
            help="For scoring single images, such as real or generated. Readers are never told. A pair holds both.",
        )
    return found


def _number(data: dict[str, Any]) -> dict[str, Any]:
    unit, low, high, decimals = st.columns(4)
    return {
        "unit": unit.text_input("Unit", data.get("unit", "")),
        "low": low.number_input("Lowest", value=float(data.get("low", 0.0))),
        "high": high.number_input("Highest", value=float(data.get("high", 100.0))),
        "decimals": int(decimals.number_input("Decimals", 0, 6, data.get("decimals", 0))),
    }


def _general(view: StudyView, kind: str, question: Question | None, data: dict[str, Any]) -> dict[str, Any]:
    """When it is asked, whether it must be answered, what it depends on."""
    found: dict[str, Any] = {}
    if kind == "confidence":
        return found
    if "series" in KINDS[kind].occasions:
        words = {"case": "with every case", "series": "once per arm, after its cases"}
        # Presence of something in a pair as a whole would not say where: it is asked after a series.
        asks = ["series"] if "pair" not in KINDS[kind].occasions else list(words)
        start = asks.index(data["ask"]) if data.get("ask") in asks else 0
        found["ask"] = st.segmented_control(
            "Asked", asks, default=asks[start], format_func=lambda ask: words[ask], required=True,
            help="After a series readers see “series”, never an arm's name. It needs the Latin square order.",
        )  # fmt: skip
    found["required"] = st.checkbox("Must be answered", data.get("required", kind != "text"))
    known = conditions_of(view, before=question.key if question else None)
    condition = data.get("only_if") or {}
    names = [NOTHING, *known]
    on = st.selectbox(
        "Asked only if",
        names,
        index=names.index(condition["question"]) if condition.get("question") in known else 0,
        format_func=lambda key: key if key == NOTHING else known[key][0],
    )
    if on != NOTHING:
        answers = list(known[on][1])
        kept = [value for value in condition.get("values", ()) if value in answers]
        values = st.multiselect("is answered with", answers, kept)
        found["only_if"] = {"question": on, "values": values}
    return found
