from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.classifiers.spec import EXAMPLE, ClassifierSpec, SpecError, read_spec

LEAST = "class_names: [Healthy, Ill]\ninput: {size: 64}\n"


def test_the_example_is_a_good_description() -> None:
    spec = read_spec(EXAMPLE)
    assert spec.class_names == ("Healthy", "Pneumonia")
    assert (spec.architecture, spec.size, spec.output_counts) == ("program", (224, 224), (1, 2))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty", "class_names"]),
        ("a: [", ["not YAML", "line"]),
        ("class_names: [A, B]\n", ["input", "size"]),
        ("input: {size: 64}\n", ["class_names is missing"]),
        ("class_names: [No, Yes]\ninput: {size: 64}\n", ["class_names", "quotes"]),
        ("class_names: [A]\ninput: {size: 64}\n", ["1 name", "at least 2"]),
        ("class_names: [A, A]\ninput: {size: 64}\n", ["twice"]),
        (LEAST + "sise: 3\n", ["unknown key sise", "class_names"]),
        ("class_names: [A, B]\ninput: {size: 64, chanels: 1}\n", ["input.chanels", "input.channels"]),
        ("class_names: [A, B]\ninput: {}\n", ["input.size is missing"]),
        ("class_names: [A, B]\ninput: {size: 8}\n", ["8", "16 to"]),
        ("class_names: [A, B]\ninput: {size: 99999}\n", ["99999", "pixels"]),
        ("class_names: [A, B]\ninput: {size: big}\n", ["'big'", "whole number"]),
        ("class_names: [A, B]\ninput: {size: 64, channels: 2}\n", ["channels is 2", "3"]),
        ("class_names: [A, B]\ninput: {size: 64, range: [1, 1]}\n", ["differ"]),
        ("class_names: [A, B]\ninput: {size: 64, range: [.nan, 1]}\n", ["input.range", "finite"]),
        ("class_names: [A, B]\ninput: {size: 64, mean: [0, 0, 0]}\n", ["input.mean", "1"]),
        ("class_names: [A, B]\ninput: {size: 64, std: 0}\n", ["input.std", "above 0"]),
        (LEAST + "output: softmax\n", ["softmax", "probabilities"]),
        (LEAST + "label: Ill\n", ["without labels"]),
        (LEAST + "labels: [A, B]\nlabel: C\n", ["'C'", "A, B"]),
        ("class_names: [A, B, C]\ninput: {size: 64}\nlabels: [X, Y]\nlabel: X\n", ["3 names", "two"]),
        (LEAST + "threshold: 1.5\n", ["1.5", "between 0 and 1"]),
        (LEAST + "architecture: 5\n", ["5", "densenet121"]),
    ],
)
def test_a_wrong_description_is_refused_with_what_was_expected(text: str, words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        read_spec(text)
    for word in words:
        assert word in str(caught.value)


def test_yaml_builds_no_python_objects() -> None:
    with pytest.raises(SpecError, match="not YAML"):
        read_spec("!!python/object/apply:os.system ['true']")


@settings(deadline=None)
@given(
    low=st.floats(-2000, 0),
    width=st.floats(0.5, 4000),
    channels=st.sampled_from([1, 3]),
    mean=st.floats(-1, 1),
    std=st.floats(0.1, 10),
)
def test_black_and_white_arrive_as_described(low: float, width: float, channels: int, mean: float, std: float) -> None:
    spec = read_spec(
        f"class_names: [A, B]\ninput: {{size: 16, channels: {channels}, range: [{low!r}, {low + width!r}],"
        f" mean: {mean!r}, std: {std!r}}}\n"
    )
    assert ClassifierSpec.from_dict(spec.as_dict()) == spec
    images = torch.stack([torch.zeros(1, 16, 16), torch.ones(1, 16, 16)])
    prepared = spec.prepare(images)
    assert prepared.shape == (2, channels, 16, 16)
    for i, value in enumerate((low, low + width)):
        torch.testing.assert_close(
            prepared[i], torch.full((channels, 16, 16), (value - mean) / std), rtol=1e-4, atol=1e-2
        )


def test_a_number_without_a_point_is_a_number_too() -> None:
    assert read_spec("class_names: [A, B]\ninput: {size: 16, std: 1e-3}\n").std == (1e-3,)


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    spec = read_spec("class_names: [A, B]\ninput: {size: 16, channels: 3, mean: [0, 0.5, 1], std: [1, 2, 4]}\n")
    assert spec.prepare(torch.ones(1, 1, 16, 16))[0, :, 0, 0].tolist() == [1.0, 0.25, 0.0]


def test_an_image_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"64, 64.*\(2, 1, 32, 32\)"):
        read_spec(LEAST).prepare(torch.zeros(2, 1, 32, 32))


def test_one_output_is_the_yes_of_two_classes() -> None:
    logit = torch.tensor([[-2.0], [0.7]])
    found = read_spec(LEAST).class_logits(logit)
    torch.testing.assert_close(found.softmax(1)[:, 1:], logit.sigmoid())


def test_probabilities_come_back_as_themselves() -> None:
    two = read_spec(LEAST + "output: probabilities\n")
    p = torch.tensor([[0.2], [0.9], [0.0], [1.0]])
    torch.testing.assert_close(two.class_logits(p).softmax(1)[:, 1:], p, atol=2e-6, rtol=0)
    three = read_spec("class_names: [A, B, C]\ninput: {size: 64}\noutput: probabilities\n")
    rows = torch.tensor([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(three.class_logits(rows).softmax(1), rows, atol=4e-6, rtol=0)


def test_of_several_labels_one_is_read_against_the_rest() -> None:
    spec = read_spec("input: {size: 64}\nlabels: [A, B, C]\nlabel: B\n")
    assert spec.class_names == ("No B", "B")
    assert spec.output_counts == (3,)
    outputs = torch.tensor([[5.0, -1.0, 9.0]])
    torch.testing.assert_close(spec.class_logits(outputs), torch.tensor([[0.0, -1.0]]))


@settings(deadline=None)
@given(threshold=st.floats(0.01, 0.99), logit=st.floats(-8, 8))
def test_a_threshold_moves_the_decision_there(threshold: float, logit: float) -> None:
    spec = read_spec(LEAST + f"threshold: {threshold!r}\n")
    probability = torch.tensor(logit, dtype=torch.float64).sigmoid().item()
    if abs(probability - threshold) > 1e-4:
        (row,) = spec.class_logits(torch.tensor([[logit]]))
        assert bool(row[1] > row[0]) == (probability > threshold)
