"""The detail layer: what it adds, what it leaves alone, on disk and in every way of drawing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cfcore.engines.attfind.redraw import Redraw
from cfcore.engines.codes import draw, draw_styles, styles_of
from cfcore.generators.stylex import StylEx, StylExConfig
from cfcore.generators.stylex.detail import Detail, fit_detail
from cfcore.generators.stylex.model import add_detail, load_earlier, load_plain, load_stylex, save_stylex
from cfcore.generators.stylex.prepared import prepared
from cfcore.generators.stylex.refine import Refinement, as_rows, decode_rows, refine
from cfcore.training.weights import freeze, model_sha256, read_card

SIZE, WIDTH, COMPONENTS = 16, 24, 6


def generator() -> StylEx:
    torch.manual_seed(0)
    narrow = {4: 8, 8: 8, 16: 8}
    model = StylEx(
        StylExConfig(size=SIZE, width=WIDTH, condition=4, channels=narrow, critic_channels=narrow, encoder_passes=2)
    )
    torch.nn.init.normal_(model.encoder.correction.weight)
    freeze(model)
    return model


def pictures(n: int, seed: int = 0) -> Tensor:
    """Smooth pictures of eight factors, so that few components hold most of them."""
    random = torch.Generator().manual_seed(seed)
    across = torch.linspace(0, torch.pi, SIZE)
    waves = torch.stack([torch.cos(i * across)[:, None] * torch.cos(j * across) for i in (1, 2, 3) for j in (1, 2, 3)])
    mixed = torch.einsum("nk,khw->nhw", torch.randn(n, len(waves), generator=random), waves)
    return ((0.5 + 0.05 * mixed).clamp(0, 1) * 255).round().byte()[:, None]


@pytest.fixture(scope="module")
def fitted() -> tuple[StylEx, Detail]:
    model = generator()
    return model, fit_detail(model, pictures(200), COMPONENTS, torch.Generator().manual_seed(0))


@pytest.fixture
def model(fitted: tuple[StylEx, Detail], tmp_path: Path) -> StylEx:
    """The generator with its layer, as it comes from disk."""
    save_stylex(tmp_path, fitted[0], {"name": "small", "code_scale": 2.0}, detail=fitted[1])
    return load_stylex(tmp_path)


def test_reconstructions_of_other_images_come_closer(fitted: tuple[StylEx, Detail], model: StylEx) -> None:
    images = pictures(50, seed=1).float() / 255
    label = torch.arange(50) % 2
    plain = fitted[0]
    without = (plain.decode(plain.encode(images), label) - images).square().mean()
    with_it = (model.decode(model.encode(images), label) - images).square().mean()
    assert with_it < 0.5 * without


def test_it_is_the_best_linear_addition_of_its_size(model: StylEx) -> None:
    images = pictures(200).float() / 255
    detail = model.synthesis.detail
    assert detail is not None
    missed = (images - model.plain(model.encode_plain(images))).flatten(1)
    left = missed - detail(detail.coordinates(model.encode(images))).flatten(1)
    values = torch.linalg.svdvals(missed - missed.mean(dim=0))
    assert left.square().sum().item() == pytest.approx(values[COMPONENTS:].square().sum().item(), rel=1e-3)


def test_styles_do_not_see_its_directions_and_eigenvectors_leave_it_alone(model: StylEx) -> None:
    detail = model.synthesis.detail
    assert detail is not None
    w = model.encode(pictures(4).float() / 255)
    label = torch.tensor([0, 1, 0, 1])
    moved = w + torch.randn(4, COMPONENTS) @ detail.axes
    assert torch.allclose(model.styles(moved, label), model.styles(w, label), atol=1e-5)
    assert not torch.allclose(model.decode(moved, label), model.decode(w, label), atol=1e-3)
    vectors = torch.linalg.svd(model.style_weights(), full_matrices=False).Vh[: WIDTH - COMPONENTS]
    assert (vectors @ detail.axes.T).abs().max() < 1e-5
    assert torch.allclose(detail.coordinates(w + 3 * vectors[:4]), detail.coordinates(w), atol=1e-4)


def test_a_code_is_the_image_s_alone_and_the_same_bytes_twice(model: StylEx) -> None:
    images = pictures(6).float() / 255
    assert torch.equal(model.encode(images), model.encode(images))
    assert torch.allclose(model.encode(images)[:2], model.encode(images[:2]), atol=1e-5)


def test_stretched_codes_draw_the_same_pictures(model: StylEx) -> None:
    images, label, z = pictures(6).float() / 255, torch.arange(6) % 2, torch.randn(6, WIDTH)
    before = model.decode(model.encode(images), label), model.decode(model.sample(z, label), label)
    model.scale_codes(3.0)
    after = model.decode(model.encode(images), label), model.decode(model.sample(z, label), label)
    for old, new in zip(before, after, strict=True):
        assert torch.allclose(old, new, atol=1e-4)


def test_every_way_of_drawing_draws_it(model: StylEx) -> None:
    images, label = pictures(5).float() / 255, torch.arange(5) % 2
    w = model.encode(images)
    drawn = model.decode(w, label)
    rows = as_rows(model, w)
    styles = styles_of(model, rows.flatten(1), label)
    ways = {
        "prepared": prepared(model).decode(w, label),
        "styles": model.decode_styles(model.styles(w, label), w, label),
        "rows": decode_rows(model, rows, label),
        "refined code": draw(model, rows.flatten(1), label),
        "refined code's styles": draw_styles(model, styles, rows.flatten(1), label),
        "drawn once": Redraw(model, w, label).drawn,
    }
    for way, found in ways.items():
        assert torch.allclose(found, drawn, atol=1e-5), way
    redraw = Redraw(model, w, label)
    pick = torch.tensor([1, 3])
    moved = model.styles(w, label)[pick]
    moved[:, 2] = 0.7
    found = redraw.draw(pick, 0, torch.tensor([2, 2]), torch.tensor([0.7, 0.7]))
    assert torch.allclose(found, model.decode_styles(moved, w[pick], label[pick]), atol=1e-5)


def test_refinement_moves_the_detail_too(model: StylEx) -> None:
    images, label = pictures(3, seed=2).float() / 255, torch.tensor([0, 1, 0])
    for space in ("w", "w+"):
        code = refine(model, images, label, Refinement(steps=30, rate=0.05, space=space))  # type: ignore[arg-type]
        drawn = decode_rows(model, code, label) if space == "w+" else model.decode(code, label)
        first = (model.decode(model.encode(images), label) - images).abs().mean()
        assert (drawn - images).abs().mean() < first


def test_random_codes_have_the_spread_of_the_images_codes(fitted: tuple[StylEx, Detail], model: StylEx) -> None:
    codes = model.encode(pictures(200).float() / 255)
    label = torch.arange(4000) % 2
    drawn = model.sample(torch.randn(4000, WIDTH, generator=torch.Generator().manual_seed(1)), label)
    assert torch.allclose(drawn.mean(dim=0), codes.mean(dim=0), atol=0.15)
    assert drawn.var(dim=0).sum().item() == pytest.approx(codes.var(dim=0).sum().item(), rel=0.2)
    trained = generator()
    layer = fit_detail(trained, pictures(200), COMPONENTS, None)
    before = trained.mapping(torch.ones(3, WIDTH), label[:3])
    trained.attach(layer)
    assert torch.equal(trained.mapping(torch.ones(3, WIDTH), label[:3]), before)
    assert layer.coordinates(trained.sample(torch.ones(3, WIDTH), label[:3])).abs().max() < 1e-5


def test_the_weights_beside_it_stay_those_of_the_plain_generator(fitted: tuple[StylEx, Detail], tmp_path: Path) -> None:
    plain, detail = fitted
    first = save_stylex(tmp_path, plain, {"name": "small"})
    before = (tmp_path / "weights.safetensors").read_bytes()
    second = add_detail(tmp_path, detail)
    assert (tmp_path / "weights.safetensors").read_bytes() == before
    assert first != second == read_card(tmp_path)["sha256"] == model_sha256(tmp_path)
    assert load_plain(tmp_path).synthesis.detail is None
    again = generator()
    load_earlier(tmp_path, again)
    images = pictures(4).float() / 255
    assert torch.allclose(again.encode(images), plain.encode(images), atol=0.05)
    with pytest.raises(ValueError, match="save the plain generator"):
        save_stylex(tmp_path, load_stylex(tmp_path), {"name": "small"})


def test_a_shared_generator_keeps_it_for_each_classifier(tmp_path: Path) -> None:
    narrow = {4: 8, 8: 8, 16: 8}
    model = StylEx(
        StylExConfig(size=SIZE, width=WIDTH, condition=4, classes=4, channels=narrow, critic_channels=narrow)
    )
    freeze(model)
    detail = fit_detail(model, pictures(100), COMPONENTS, torch.Generator().manual_seed(0))
    save_stylex(tmp_path, model, {"name": "second of two", "class_rows": [2, 3]}, detail=detail)
    own = load_stylex(tmp_path)
    model.attach(detail)
    images, label = pictures(4).float() / 255, torch.tensor([0, 1, 0, 1])
    assert torch.allclose(own.encode(images), model.encode(images), atol=0.05)
    w = model.encode(images)
    assert torch.allclose(own.decode(w, label), model.decode(w, label + 2), atol=0.02)


@pytest.mark.parametrize(
    ("n", "components", "message"),
    [(9, 2, "at least 10 training images, got 9"), (40, 0, "at least 1 component, not 0")],
)
def test_what_cannot_be_fitted_is_refused(n: int, components: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_detail(generator(), pictures(n), components, None)


def test_few_images_give_few_components_and_one_layer_is_enough(fitted: tuple[StylEx, Detail]) -> None:
    model = generator()
    detail = fit_detail(model, pictures(25), COMPONENTS, None)
    assert len(detail.axes) == 2
    assert len(fit_detail(model, pictures(200), 100, None).axes) == WIDTH // 2
    with pytest.raises(ValueError, match="takes 1 to 12 components, not 13"):
        Detail(SIZE, WIDTH, 13)
    model.attach(detail)
    with pytest.raises(ValueError, match="has a detail layer already"):
        model.attach(detail)
    with pytest.raises(ValueError, match="has a detail layer already"):
        fit_detail(model, pictures(25), 2, None)
