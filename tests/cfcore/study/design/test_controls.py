import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cfcore.study.design.choices import Gate
from cfcore.study.design.controls import flattened, mean_difference, plain_filter
from cfcore.study.design.crossing import crossed
from cfcore.study.design.flow_svg import flow_svg
from cfcore.study.design.gate import REASONS, flow_boxes, flow_text, judge, structural_similarity


def picture(seed=0):
    rows, columns = np.mgrid[0:40, 0:32] / 40
    noise = np.random.default_rng(seed).standard_normal((40, 32))
    return np.clip(0.5 + 0.3 * np.sin(5 * rows) * np.cos(4 * columns) + 0.05 * noise, 0, 1).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(strength=st.floats(0.005, 0.12), prefer=st.sampled_from(["blur", "contrast"]), seed=st.integers(0, 9))
def test_a_filter_is_as_strong_as_asked(strength, prefer, seed):
    image = picture(seed)
    found, name, parameter = plain_filter(image, strength, prefer)
    assert mean_difference(image, found) == pytest.approx(strength, rel=0.03)
    assert found.shape == image.shape and found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    assert parameter > 0 and name in ("blur", "contrast")


def test_the_other_filter_steps_in_and_what_cannot_be_reached_comes_as_near_as_it_can():
    image = picture()
    most = mean_difference(image, flattened(image, 1.0))
    found, _, _ = plain_filter(image, 5 * most)
    assert mean_difference(image, found) >= 0.97 * most
    with pytest.raises(ValueError, match="must differ"):
        plain_filter(image, 0.0)
    with pytest.raises(ValueError, match="no filter “sepia”"):
        plain_filter(image, 0.1, "sepia")


@pytest.mark.parametrize(
    ("gate", "found", "reason"),
    [
        (Gate(), {"same_class": False, "ssim": 0.0, "flipped": False}, None),
        (Gate(same_class=True), {"same_class": False, "ssim": 1.0, "flipped": True}, REASONS[0]),
        (Gate(ssim_floor=0.8), {"same_class": True, "ssim": 0.79, "flipped": True}, REASONS[1]),
        (Gate(ssim_floor=0.8), {"same_class": True, "ssim": float("nan"), "flipped": True}, REASONS[1]),
        (Gate(ssim_floor=0.8), {"same_class": True, "ssim": 0.8, "flipped": True}, None),
        (Gate(flipped="yes"), {"same_class": True, "ssim": 1.0, "flipped": False}, REASONS[2]),
        (Gate(flipped="no"), {"same_class": True, "ssim": 1.0, "flipped": True}, REASONS[3]),
        (Gate(same_class=True, flipped="yes"), {"same_class": False, "ssim": 1.0, "flipped": False}, REASONS[0]),
    ],
)
def test_the_first_reason_that_applies_keeps_a_picture_back(gate, found, reason):
    assert judge(gate, **found) == reason


def test_structural_similarity_is_one_for_the_same_and_less_for_another():
    assert structural_similarity(picture(), picture()) == pytest.approx(1.0)
    assert structural_similarity(picture(), 1 - picture()) < 0.2
    small = picture()[:4, :5]
    assert structural_similarity(small, small) == pytest.approx(1.0)


FLOW = {
    "split": "test", "predicted": "Healthy", "patients": 100, "examined": 60, "other_class": 20, "spare": 3,
    "apart": 4, "moved": 33, "excluded": {REASONS[1]: 2, REASONS[0]: 1},
    "arms": {"v1+": 15, "v2-": 15}, "controls": {"identical": 4},
    "training": 2,
}  # fmt: skip


def test_the_flow_adds_up_and_its_picture_tells_every_number():
    boxes = flow_boxes(FLOW, {"v1+": "v1 <+>", "v2-": "v2 −", "identical": "Identical images"})
    path = [box.n for box in boxes if not box.aside]
    away = [box.n for box in boxes if box.aside]
    assert path == [100, 60, 33, 15, 15, 4, 2] and away == [40, 20, 3, 4, 1, 2]
    assert 100 - 40 == 60 and 60 - 20 - 3 - 4 == 33 and 33 - 3 == 30
    svg = flow_svg(boxes)
    assert svg.count("<rect") == len(boxes) and all(f"n = {n}<" in svg for n in (*path, *away))
    assert "&lt;+&gt;" in svg and "<+>" not in svg and "excluded: 1 the reconstruction" in flow_text(boxes)
    assert flow_boxes({}, {}) == [] and flow_svg([]) == ""


def test_a_crossing_holds_every_combination_once():
    arms = crossed([("v1 +", "v1 +"), (None, "ilvr")], [5, None], [None, "plain"], run=7, target="Effusion")
    assert len(arms) == 8 and len({arm.key for arm in arms}) == 8 and len({arm.name for arm in arms}) == 8
    assert {(arm.direction, arm.degree, arm.rendering) for arm in arms} == {
        (d, g, r) for d in ("v1 +", None) for g in (5.0, None) for r in (None, "plain")
    }
    assert all((arm.run, arm.target) == (7, "Effusion") for arm in arms)
    with pytest.raises(ValueError, match="twice"):
        crossed([("v1 +", "v1 +")], [5, 5.0])
