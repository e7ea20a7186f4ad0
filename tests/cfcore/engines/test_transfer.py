"""Warped detail transfer: identity, masks, planted motions, ghosts, sizes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cfcore.engines.transfer import additive, keep_mask, motion, upsample, warped
from cfcore.engines.transfer.deformation import jacobian, resample_field
from cfcore.engines.transfer.keep import fill, surround
from cfcore.images.phantom import Patient, counterfactual, masks, render, sample_patient

SIZE = 256


def tensor(images: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(images))[:, None]


@pytest.fixture(scope="module")
def patients() -> list[tuple[Patient, Patient]]:
    """Two phantoms and themselves with a larger heart."""
    before = [sample_patient(seed, "cardiomegaly", False) for seed in (9000, 9003)]
    return [(p, counterfactual(p, cardiothoracic_ratio=p.factors.cardiothoracic_ratio + 0.12)) for p in before]


@pytest.fixture(scope="module")
def oracle(patients: list[tuple[Patient, Patient]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Source and truth at 256 px, and G(w), G(w + d v) of a perfect generator at 64 px."""
    first, second = zip(*patients, strict=True)
    pictures = [tensor([render(p, size) for p in group]) for size in (SIZE, 64) for group in (first, second)]
    return pictures[0], pictures[1], pictures[2], pictures[3]


def heart(patient: Patient) -> Tensor:
    return torch.from_numpy(masks(patient, SIZE)["heart"])


def grown(mask: Tensor, by: int) -> Tensor:
    return torch.nn.functional.max_pool2d(mask[None, None].float(), 2 * by + 1, 1, by)[0, 0] > 0


def outline(mask: Tensor) -> Tensor:
    return grown(mask, 1) & grown(~mask, 1)


@pytest.mark.parametrize("size", [64, 200])
def test_no_change_gives_the_source_byte_for_byte(size: int) -> None:
    g = torch.Generator().manual_seed(0)
    source, picture = torch.rand(2, 1, size, size, generator=g), torch.rand(2, 1, 64, 64, generator=g)
    assert torch.equal(warped(source, picture, picture.clone()), source)


def test_far_from_the_change_the_source_comes_back_byte_for_byte(
    oracle: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    source, _, before, _ = oracle
    after = before.clone()
    after[:, :, 30:38, 30:38] += 0.2
    shown = warped(source, before, after.clamp(0, 1))
    assert torch.equal(shown[:, :, :80], source[:, :, :80]) and not torch.equal(shown, source)


def test_closer_to_the_true_counterfactual_than_additive(oracle: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    source, truth, before, after = oracle
    where = (truth - source).abs() > 0.02
    first, second = additive(source, before, after), warped(source, before, after)
    for i in range(len(source)):
        errors = [(shown[i] - truth[i]).abs()[where[i]].mean().item() for shown in (first, second)]
        assert errors[1] < 0.95 * errors[0]


def test_less_of_the_old_border_is_left(
    oracle: tuple[Tensor, Tensor, Tensor, Tensor], patients: list[tuple[Patient, Patient]]
) -> None:
    source, truth, before, after = oracle
    first, second = additive(source, before, after), warped(source, before, after)
    for i, (p, q) in enumerate(patients):
        band = grown(outline(heart(p)), 1) & ~grown(outline(heart(q)), 6) & heart(q)
        energy = []
        for shown in (truth[i, 0], first[i, 0], second[i, 0]):
            dy, dx = torch.gradient(shown)
            energy.append((dx.square() + dy.square())[band].mean().item())
        assert energy[2] < energy[1]
        assert energy[2] - energy[0] < 0.7 * (energy[1] - energy[0])


def test_no_folds_at_any_resolution(oracle: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    _, _, before, after = oracle
    g = torch.Generator().manual_seed(1)
    noise = torch.rand(len(before), 1, 64, 64, generator=g)
    for first, second in ((before, after), (after, before), (before, noise)):
        displacement = motion(first, second).displacement
        for size in (64, 256):
            assert jacobian(resample_field(displacement, (size, size))).min() > 0


@pytest.mark.parametrize("shift", [-3.0, 2.0])
def test_a_shifted_disc_is_found_and_moved(shift: float) -> None:
    def disc(x: float, size: int, radius: float = 12.0) -> Tensor:
        place = (torch.arange(size) + 0.5) * 64 / size
        distance = ((place[None, :] - x).square() + (place[:, None] - 32.0).square()).sqrt()
        soft = 64 / size
        return 0.3 + 0.4 * ((radius - distance) / soft + 0.5).clamp(0, 1)[None, None]

    def small(x: float) -> Tensor:
        return torch.nn.functional.avg_pool2d(disc(x, 256), 4)

    before, after = small(32.0), small(32.0 + shift)
    u = motion(before, after).displacement
    u = resample_field(u, (64, 64))[0, 0]
    # At the two flanks of the new disc the old border is read from `shift` px back.
    for x in (32 + shift - 12, 32 + shift + 12):
        assert u[30:34, round(x) - 1 : round(x) + 1].mean().item() == pytest.approx(-shift, abs=0.6)
    source, truth = disc(32.0, 256), disc(32.0 + shift, 256)
    error = [
        (shown - truth).abs().mean().item()
        for shown in (additive(source, before, after), warped(source, before, after))
    ]
    assert error[1] < 0.8 * error[0]


def test_a_scaled_disc_moves_outwards_on_all_sides() -> None:
    place = torch.arange(64) + 0.5
    distance = ((place[None, :] - 32).square() + (place[:, None] - 32).square()).sqrt()
    before, after = (0.3 + 0.4 * ((r - distance) + 0.5).clamp(0, 1)[None, None] for r in (12.0, 15.0))
    u = resample_field(motion(before, after).displacement, (64, 64))[0]
    outward = torch.stack([(place - 32)[None, :].expand(64, 64), (place - 32)[:, None].expand(64, 64)]) / distance
    ring = (distance - 15).abs() < 0.7
    radial = -(u * outward).sum(dim=0)[ring]
    assert radial.mean().item() == pytest.approx(3.0, abs=0.7) and radial.min() > 1.0


def test_a_region_that_only_brightens_is_added_not_warped() -> None:
    place = torch.arange(64) + 0.5
    blob = torch.exp(-((place[None, :] - 30) ** 2 + (place[:, None] - 34) ** 2) / 128)[None, None]
    before = 0.4 + 0.0 * blob
    assert motion(before, before + 0.2 * blob).band.max() < 0.05


def test_a_given_mask_stays_exactly_and_its_bright_strokes_are_not_smeared(
    oracle: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    source, _, before, after = (t.clone() for t in oracle)
    keep = torch.zeros(len(source), 1, SIZE, SIZE, dtype=torch.bool)
    keep[:, :, 100:180, 150:153] = True
    clean = warped(source, before, after, torch.zeros_like(keep))
    source[keep] = 1.0
    shown = warped(source, before, after, keep)
    assert torch.equal(shown[keep], source[keep])
    outside = ~grown(keep[0, 0], 4).expand_as(keep)
    apart = (shown - clean).abs()[outside]
    assert apart.max() < 0.2 and apart.mean() < 0.002


def test_keep_mask_finds_the_pacemaker_and_little_else() -> None:
    found = 0
    for seed in (9178, 9215):
        patient = sample_patient(seed, "cardiomegaly", bool(seed % 2))
        assert patient.factors.pacemaker
        image, without = (render(p, 512) for p in (patient, counterfactual(patient, pacemaker=False)))
        truth = torch.from_numpy(np.abs(image - without) > 0.08)
        mask = keep_mask(tensor([image]))[0, 0]
        found += (mask & truth).sum().item() / truth.sum().item() > 0.75
        assert (mask & ~grown(truth, 3)).float().mean() < 0.002
    assert found == 2


def test_keep_mask_finds_a_letter_and_no_bone() -> None:
    image = render(sample_patient(9001, "cardiomegaly", False), 512)
    before = keep_mask(tensor([image]))
    image[40:70, 40:44] = image[66:70, 40:56] = 0.95
    after = keep_mask(tensor([image]))
    assert before.float().mean() < 0.002
    assert after[0, 0, 40:70, 40:44].all() and after[0, 0, 66:70, 40:56].all()
    assert not (after & ~before)[0, 0, 80:].any()
    assert not keep_mask(torch.rand(2, 1, 64, 64)).any()


def test_the_black_around_the_picture_stays_black(oracle: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    source, _, before, after = (t.clone() for t in oracle)
    source[:, :, :20] = 0.0
    shown = warped(source, before, (after + 0.1).clamp(0, 1))
    assert torch.equal(shown[:, :, :17], source[:, :, :17])
    assert surround(source)[:, :, :17].all() and not surround(source)[:, :, 100:150, 110:140].any()


def test_fill_paints_from_around_only() -> None:
    image = torch.full((1, 1, 96, 96), 0.4)
    keep = torch.zeros(1, 1, 96, 96, dtype=torch.bool)
    keep[:, :, 40:50, 10:80] = True
    image[keep] = 1.0
    painted, collar = fill(image, keep)
    assert torch.allclose(painted, torch.full_like(image, 0.4), atol=1e-5) and bool((collar | ~keep).all())


def test_a_batch_gives_what_single_images_give(oracle: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    source, _, before, after = oracle
    together = warped(source, before, after)
    for i in range(len(source)):
        alone = warped(source[i : i + 1], before[i : i + 1], after[i : i + 1])
        assert (alone - together[i : i + 1]).abs().mean() < 1e-3
    assert torch.equal(together, warped(source, before, after))


@pytest.mark.parametrize(("size", "channels"), [(64, 1), (512, 1), (96, 3)])
def test_sizes_and_channels(size: int, channels: int, oracle: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    _, _, before, after = (t[:1].expand(1, channels, *t.shape[2:]) for t in oracle)
    source = upsample(before, (size, size)).clamp(0, 1)
    shown = warped(source, before, after)
    assert shown.shape == source.shape and shown.min() >= 0 and shown.max() <= 1
    assert (shown - upsample(after, (size, size))).abs().mean() < 0.01


def test_what_cannot_be_warped_is_refused_in_words() -> None:
    volume, small = torch.rand(1, 1, 32, 32, 32), torch.rand(1, 1, 16, 16, 16)
    with pytest.raises(ValueError, match=r"2D images.*choose the rendering"):
        warped(volume, small, small)
    with pytest.raises(ValueError, match="too small"):
        warped(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="keep mask"):
        warped(torch.rand(1, 1, 64, 64), torch.rand(1, 1, 32, 32), torch.rand(1, 1, 32, 32), torch.ones(1, 1, 8, 8))
    with pytest.raises(ValueError, match="must be alike"):
        warped(torch.rand(1, 1, 64, 64), torch.rand(2, 1, 32, 32), torch.rand(1, 1, 32, 32))
