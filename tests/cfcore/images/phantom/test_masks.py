"""Masks agree with the factors and with the pixels."""

import numpy as np
import pytest

from cfcore.images.phantom import CLASSES, Factors, Patient, masks, render


def _width(mask: np.ndarray) -> int:
    columns = np.flatnonzero(mask.any(0))
    return int(columns[-1] - columns[0] + 1)


def test_all_classes_are_there() -> None:
    found = masks(Patient(2), 128)
    assert tuple(found) == CLASSES and len(CLASSES) == 14
    for name, mask in found.items():
        assert mask.shape == (128, 128) and mask.dtype == bool, name
        assert mask.sum() > 20, name


@pytest.mark.parametrize("seed", [1, 2, 5, 9])
@pytest.mark.parametrize("ratio", [0.40, 0.50, 0.62])
def test_heart_over_thorax_is_the_ratio(seed: int, ratio: float) -> None:
    found = masks(Patient(seed, Factors(cardiothoracic_ratio=ratio)), 512)
    thorax = _width(found["left lung"] | found["right lung"])
    assert _width(found["heart"]) / thorax == pytest.approx(ratio, abs=0.02)


def test_sides_are_the_patients() -> None:
    found = masks(Patient(3), 128)
    x = np.arange(128)[None, :]
    for name in ("lung", "clavicle", "scapula", "hilus pulmonis"):
        left, right = (np.broadcast_to(x, (128, 128))[found[f"{s} {name}"]].mean() for s in ("left", "right"))
        assert left > right + 20, name


def test_lungs_are_darker_than_heart_and_abdomen() -> None:
    patient = Patient(6)
    image, found = render(patient, 256), masks(patient, 256)
    lungs = image[found["left lung"] | found["right lung"]].mean()
    assert lungs + 0.15 < image[found["heart"]].mean()
    assert lungs + 0.2 < image[found["facies diaphragmatica"]].mean()


def test_fluid_takes_its_level_from_the_lung() -> None:
    dry, wet = (masks(Patient(7, Factors(effusion_left=e)), 256) for e in (0.0, 0.2))
    assert wet["left lung"].sum() < 0.9 * dry["left lung"].sum()
    assert np.array_equal(wet["right lung"], dry["right lung"])
    bottom = [np.flatnonzero(m["left lung"].any(1))[-1] for m in (dry, wet)]
    assert (bottom[0] - bottom[1]) / 256 == pytest.approx(0.2, abs=0.03)


def test_size_is_checked() -> None:
    with pytest.raises(ValueError, match="64 to 1024"):
        masks(Patient(0), 32)
