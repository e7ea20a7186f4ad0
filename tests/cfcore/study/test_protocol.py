import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.protocol import (
    DEFAULT_RATINGS,
    FINDING_LISTS,
    Arm,
    Finding,
    Protocol,
    Rating,
    canonical_json,
    digest,
    from_json,
    validate,
)


def protocol(**changes):
    base = Protocol(
        title="Cardiomegaly, eigenvectors v17, v2, v18",
        reader_title="Chest radiographs, series 1",
        findings=FINDING_LISTS["cardiomegaly"],
        ratings=DEFAULT_RATINGS,
        arms=(Arm("v17+", "v17 +"), Arm("v2-", "v2 −")),
    )
    return dataclasses.replace(base, **changes)


@pytest.mark.parametrize("name", FINDING_LISTS)
def test_templates_make_valid_protocols(name):
    assert validate(protocol(findings=FINDING_LISTS[name])) == []
    assert FINDING_LISTS[name][0].kind == "main"


@pytest.mark.parametrize(
    "title",
    [
        "Cardiomegaly reading",
        "Eigenvector study",
        "StylEx pairs",
        "Series v 17",
        "Pairs of v2-",
        "Pacemaker?",
        "Radiographs, opacity",
        "Mediastinal views",
        "A GAN study",
        "  ",
    ],
)
def test_titles_that_tell_are_refused(title):
    problems = validate(protocol(reader_title=title, findings=FINDING_LISTS["atelectasis"]))
    assert problems and all("title" in p for p in problems)


@pytest.mark.parametrize(
    "title", ["Chest radiographs", "Lung images, organ survey", "Thorax, second round", "Session 3"]
)
def test_neutral_titles_pass(title):
    for findings in FINDING_LISTS.values():
        assert validate(protocol(reader_title=title, findings=findings)) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"title": ""}, "title"),
        ({"findings": ()}, "finding"),
        ({"findings": (Finding("a", "A finding", "secondary"),)}, "main"),
        ({"findings": (Finding("a", "One"), Finding("a", "Two"))}, "key"),
        ({"findings": (Finding("a", "One"), Finding("b", "one "))}, "label"),
        ({"findings": (Finding("a", ""),)}, "label"),
        ({"findings": (Finding("A b", "One"),)}, "lower-case"),
        ({"findings": (Finding("a", "One"), Finding("b", "Two", "third"))}, "kind"),
        ({"arms": ()}, "arm"),
        ({"arms": (Arm("a", "x"), Arm("a", "y"))}, "key"),
        ({"arms": (Arm("", "x"),)}, "key"),
        ({"arms": (Arm("a", "x"), Arm("b", "X"))}, "name"),
        ({"ratings": (Rating("r", "Really?", "no", "yes", 1),)}, "points"),
        ({"ratings": (Rating("r", "", "no", "yes"),)}, "question"),
        ({"ratings": (Rating("r", "Really?", "", "yes"),)}, "scale"),
        ({"rendering": "fancy"}, "rendering"),
        ({"allocation": "any"}, "allocation"),
        ({"reference": "reconstruction"}, "sharpness"),
        ({"degree": float("nan")}, "degree"),
        ({"degree": -1}, "degree"),
        ({"n_per_arm": 0}, "pairs per arm"),
        ({"seed": -1}, "seed"),
    ],
)
def test_each_fault_is_named(changes, word):
    problems = validate(protocol(**changes))
    assert problems and any(word in p for p in problems)


def test_plain_rendering_may_use_either_reference():
    for reference in ("original", "reconstruction"):
        assert validate(protocol(rendering="plain", reference=reference)) == []


texts = st.text(max_size=20)
protocols = st.builds(
    Protocol,
    title=texts,
    reader_title=texts,
    findings=st.lists(st.builds(Finding, texts, texts, st.sampled_from(["main", "secondary"])), max_size=4),
    ratings=st.lists(st.builds(Rating, texts, texts, texts, texts, st.integers(2, 11)), max_size=3),
    arms=st.lists(st.builds(Arm, texts, texts), max_size=3),
    degree=st.floats(0.1, 100),
    seed=st.integers(0, 2**31),
    notes=texts,
)


@given(protocols)
def test_json_round_trip_keeps_the_digest(p):
    again = from_json(canonical_json(p))
    assert again == p
    assert digest(again, {"images": ["a"]}) == digest(p, {"images": ["a"]})
    assert isinstance(validate(p), list)


def test_digest_sees_every_field_and_the_extra():
    base = protocol()
    changes = [
        {"title": "Another"},
        {"reader_title": "Another"},
        {"findings": base.findings[:-1]},
        {"findings": base.findings[::-1]},
        {"ratings": ()},
        {"arms": base.arms[:1]},
        {"degree": 9.5},
        {"rendering": "plain"},
        {"reference": "reconstruction"},
        {"seed": 1},
        {"n_per_arm": 9},
        {"allocation": "same patients"},
        {"notes": "x"},
    ]
    digests = [digest(base), digest(base, {"weights": "abc"})] + [digest(protocol(**c)) for c in changes]
    assert len(set(digests)) == len(digests)
    assert {f.name for f in dataclasses.fields(Protocol)} == {k for c in changes for k in c}
    assert digest(protocol(degree=10), {"b": 1, "a": 2}) == digest(protocol(degree=10.0), {"a": 2, "b": 1})


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"title": "x", "colour": 1}', '{"findings": [3]}'])
def test_what_is_no_protocol_is_refused(text):
    with pytest.raises(ValueError, match="not a study protocol"):
        from_json(text)


def test_canonical_json_is_sorted_and_tight():
    text = canonical_json(protocol())
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert ": " not in text.replace("Cardiomegaly, eigenvectors", "")
