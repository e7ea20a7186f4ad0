import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfcore.study.analysis_plan import Hypothesis, suggested_plan
from cfcore.study.design.choices import Control, Design, Gate, Repeats, Training
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
    lock_problems,
    validate,
)
from cfcore.study.questions import Likert
from cfcore.study.viewing import Viewing


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
        "Grad-CAM, round 2",
        "Gradcam images",
        "LIG pairs",
        "Heat maps of lungs",
        "Wachter",
        "  ",
    ],
)
def test_titles_that_tell_are_refused(title):
    problems = validate(protocol(reader_title=title, findings=FINDING_LISTS["atelectasis"]))
    assert problems and all("title" in p for p in problems)


@pytest.mark.parametrize(
    "title",
    ["Chest radiographs", "Lung images, organ survey", "Thorax, second round", "Session 3", "Right side, bright"],
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
        {"questions": (Likert(key="clear", text="How clear is the picture?"),)},
        {"controls": (Control("identical", 3),)},
        {"repeats": Repeats(2)},
        {"training": Training(2)},
        {"guess_share": 0.1},
        {"single_share": 0.1},
        {"gate": Gate(same_class=True)},
        {"design": Design(readers=3)},
        {"analysis": suggested_plan([("ctr", "Ratio")], [("v17+", "v17 +")])},
        {"viewing": Viewing(linked_zoom=False)},
    ]
    digests = [digest(base), digest(base, {"weights": "abc"})] + [digest(protocol(**c)) for c in changes]
    assert len(set(digests)) == len(digests)
    assert {f.name for f in dataclasses.fields(Protocol)} == {k for c in changes for k in c}
    assert digest(protocol(degree=10), {"b": 1, "a": 2}) == digest(protocol(degree=10.0), {"a": 2, "b": 1})


def test_protocols_of_before_keep_their_digest():
    # Computed by the release that knew none of the later fields.
    assert digest(protocol()) == "494aca01aaca786cd26312a97a9e88497140116a4b500b6157964c2bacd215a6"
    extra = {"pairs": [["v17+", "p1", "ab"]]}
    assert digest(protocol(), extra) == "73bb9a8f61c63a8ee27bcf2a88a34e9de9bd9fc7ce52f5beb8e9cb1967d8281f"


def test_an_arm_may_hold_its_own_run_degree_and_rendering():
    arm = Arm("v2-@5", "v2 −, degree 5", run=7, direction="v2 −", degree=5, rendering="plain", target="Effusion")
    one = protocol(arms=(*protocol().arms, arm), reference="reconstruction", rendering="plain")
    assert from_json(canonical_json(one)) == one and validate(one) == []
    assert (one.degree_of(arm), one.rendering_of(arm), one.reference_of(arm)) == (5.0, "plain", "reconstruction")
    assert (one.degree_of(one.arms[0]), one.reference_of(one.arms[0])) == (10.0, "reconstruction")
    detailed = dataclasses.replace(arm, rendering="detail transfer")
    assert one.reference_of(detailed) == "original"
    assert any("degree" in p for p in validate(protocol(arms=(dataclasses.replace(arm, degree=-1.0),))))
    assert any("rendering" in p for p in validate(protocol(arms=(dataclasses.replace(arm, rendering="oil"),))))
    twice = (Arm("a", "a", direction="v1 +"), Arm("b", "b", direction="v1 +"))
    assert any("very same" in p for p in validate(protocol(arms=twice, allocation="same patients")))


def test_a_lock_needs_a_primary_analysis():
    assert validate(protocol()) == [] and any("primary analysis" in p for p in lock_problems(protocol()))
    plan = suggested_plan([("ctr", "Ratio"), ("older", "Older")], [("v17+", "v17 +"), ("v2-", "v2 −")], ["ctr"])
    assert lock_problems(protocol(analysis=plan)) == []
    assert [(m.finding, m.arms) for m in plan.family] == [("ctr", ("v17+",)), ("ctr", ("v2-",))]
    assert suggested_plan([], [("v17+", "v17 +")]) is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"question": " "}, "question"),
        ({"finding": "nose"}, "nose"),
        ({"estimand": "vibes"}, "estimand"),
        ({"test": "GEE"}, "interval"),
        ({"contrast": ()}, "contrast"),
        ({"contrast": ("v17+", "v17+")}, "contrast"),
        ({"contrast": ("v3+",)}, "v3+"),
        ({"family": ()}, "family"),
        ({"family": ({"finding": "older", "arms": ["v2-"]},)}, "primary hypothesis"),
        ({"alpha": 0.0}, "alpha"),
        ({"looks": (0.5,)}, "looks"),
        ({"looks": (0.6, 0.5, 1.0)}, "looks"),
        ({"estimand": "rating", "finding": "realism"}, "two arms"),
    ],
)
def test_a_plan_that_says_too_little_bars_the_lock(changes, word):
    plan = suggested_plan([("ctr", "Ratio")], [("v17+", "v17 +")])
    if "family" in changes:
        changes = {"family": tuple(Hypothesis(**member) for member in changes["family"])}
    wrong = protocol(analysis=dataclasses.replace(plan, **changes))
    assert any(word in p for p in lock_problems(wrong))
    assert from_json(canonical_json(wrong)) == wrong


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"title": "x", "colour": 1}', '{"findings": [3]}'])
def test_what_is_no_protocol_is_refused(text):
    with pytest.raises(ValueError, match="not a study protocol"):
        from_json(text)


def test_canonical_json_is_sorted_and_tight():
    text = canonical_json(protocol())
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert ": " not in text.replace("Cardiomegaly, eigenvectors", "")
