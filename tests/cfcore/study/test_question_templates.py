import json

import pytest

from cfcore.study.design.choices import Design
from cfcore.study.protocol import DEFAULT_RATINGS, FINDING_LISTS, Arm, Finding, Protocol, validate
from cfcore.study.question_templates import SHIPPED, Template, template_data, template_from, with_template
from cfcore.study.questions import Condition, FreeText, SameDifferent


@pytest.mark.parametrize("template", SHIPPED, ids=lambda t: t.name)
def test_every_shipped_template_makes_a_valid_protocol_and_survives_storage(template):
    start = (FINDING_LISTS["effusion"], DEFAULT_RATINGS, ())
    findings, ratings, questions = with_template(template, *start)
    protocol = Protocol(
        "t", "Radiographs", findings, ratings, (Arm("v1+", "v1 +"),), questions=questions, design=Design()
    )
    assert validate(protocol) == []
    stored = json.loads(json.dumps(template_data(template)))
    assert template_from(template.name, stored, template.about) == template


def test_the_templates_that_the_study_names_are_there():
    names = {template.name for template in SHIPPED}
    assert {
        "cardiomegaly",
        "effusion",
        "atelectasis",
        "Alzheimer",
        "identity and realism",
        "visual Turing test",
    } <= names


def test_using_a_template_twice_adds_nothing_the_second_time():
    turing = next(t for t in SHIPPED if t.name == "visual Turing test")
    once = with_template(turing, FINDING_LISTS["effusion"], (), ())
    assert with_template(turing, *once) == once and len(once[2]) == 3


def test_a_taken_key_gets_a_free_one_and_the_condition_follows():
    template = Template(
        "t", questions=(
            SameDifferent(key="shift", text="Same?"),
            FreeText(key="why", text="Why?", only_if=Condition("shift", ("different",))),
        ),
    )  # fmt: skip
    _, _, questions = with_template(template, (Finding("shift", "Mediastinal shift"),), (), ())
    assert [q.key for q in questions] == ["shift_2", "why"] and questions[1].only_if.question == "shift_2"


def test_a_template_that_cannot_be_read_is_named():
    with pytest.raises(ValueError, match="“mine”"):
        template_from("mine", {"findings": [{"key": "a", "colour": "red"}]})
