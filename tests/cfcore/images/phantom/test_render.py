"""The rendering is frozen, deterministic, and the same patient at every size."""

import numpy as np
import pytest

from cfcore.images.phantom import RANGES, VERSION, Factors, Patient, render
from cfcore.images.phantom.texture import resample

FROZEN = [0.0231, 0.56924, 0.95774, 0.6335, 0.86393, 0.85614]


def test_frozen() -> None:
    """Pixels of version 1; a change of rendering needs a new VERSION (and new stored figures)."""
    assert VERSION == "1"
    image = render(Patient(11, Factors(effusion_left=0.1, pacemaker=True, opacity=0.6, congestion=0.4)), 64)
    found = [float(image[y, x]) for y, x in ((8, 8), (16, 20), (30, 32), (40, 44), (50, 20), (60, 50))]
    assert found == pytest.approx(FROZEN, abs=2e-4)


@pytest.mark.parametrize("size", [64, 100, 224, 512])
def test_range_and_determinism(size: int) -> None:
    patient = Patient(3, Factors(cardiothoracic_ratio=0.6, atelectasis=0.7))
    image = render(patient, size)
    assert image.shape == (size, size) and image.dtype == np.float32
    assert 0.0 <= image.min() < 0.1 and 0.8 < image.max() <= 1.0
    assert np.array_equal(image, render(patient, size))


@pytest.mark.parametrize("seed", range(4))
def test_same_patient_at_every_size(seed: int) -> None:
    large = render(Patient(seed, Factors(pacemaker=True, congestion=0.5)), 512)
    for size in (64, 128, 256):
        small = render(Patient(seed, Factors(pacemaker=True, congestion=0.5)), size)
        assert np.abs(resample(large, size) - small).mean() < 0.006


@pytest.mark.parametrize("name", sorted(RANGES))
@pytest.mark.parametrize("end", [0, 1])
def test_extremes_stay_radiographs(name: str, end: int) -> None:
    image = render(Patient(5, Factors(**{name: RANGES[name][end]})), 64)
    assert np.isfinite(image).all() and image.std() > 0.15


@pytest.mark.parametrize("size", [63, 1025, 64.0, 0])
def test_size_out_of_range_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="64 to 1024"):
        render(Patient(0), size)
