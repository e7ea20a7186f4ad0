"""Codes with and without refinement: closer to the image, one code an image, one picture whichever way it is drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier
from cfcore.engines import codes
from cfcore.engines.attfind import AttFind, AttFindConfig
from cfcore.engines.attfind.redraw import Redraw
from cfcore.engines.base import Engine
from cfcore.engines.codes import Coder, draw, draw_styles, move, split, styles_of
from cfcore.engines.eigenfind import EigenFind, EigenFindConfig
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.refine import decode_rows

STEPS = 6


def fitted(name: str, steps: int, classifier: Classifier, stylex: StylEx, images: Tensor) -> Engine:
    if name == "eigenfind":
        return EigenFind.fit(
            classifier, images, 1, EigenFindConfig(scan=6, k=4, degree=8.0, refine=steps), generator=stylex
        )
    return AttFind.fit(classifier, images, 1, AttFindConfig(k=4, refine=steps), generator=stylex)


def test_without_steps_the_code_is_the_encoders(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    coder = Coder(classifier, stylex, 0, 0.1)
    found = coder.encode(images)
    assert found.shape == (10, coder.length) == (10, 33)
    assert torch.equal(found[:, :-1], stylex.encode(images))


def test_steps_bring_the_picture_closer_and_keep_the_sources_class(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    bright = torch.cat([images[:3], images[3:5] + 0.4]).clamp(0, 1)
    coder = Coder(classifier, stylex, STEPS, 0.1)
    found = coder.encode(bright)
    w, label = split(found)
    assert found.shape == (5, coder.length) and coder.length == 6 * 32 + 1
    assert label.tolist() == [0, 0, 0, 1, 1]
    before = (stylex.decode(stylex.encode(bright), label) - bright).abs().mean(dim=(1, 2, 3))
    after = (draw(stylex, w, label) - bright).abs().mean(dim=(1, 2, 3))
    assert (after < before).all()


def test_a_code_does_not_depend_on_its_neighbours_nor_on_the_call(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    together = Coder(classifier, stylex, STEPS, 0.1).encode(images[:4])
    coder = Coder(classifier, stylex, STEPS, 0.1)
    alone = torch.cat([coder.encode(images[i : i + 1]) for i in (2, 0, 3, 1)])
    assert torch.equal(together, alone[[1, 3, 0, 2]])


def test_the_steps_are_made_once_an_image(
    stylex: StylEx, classifier: Classifier, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    real = codes.refine

    def counting(*args: object) -> Tensor:
        made.append(1)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(codes, "refine", counting)
    coder = Coder(classifier, stylex, 1, 0.1)
    first = coder.encode(images[:5])
    assert len(made) == 5 and torch.equal(coder.encode(images[2:5]), first[2:5]) and len(made) == 5


def test_a_row_a_layer_draws_the_same_however_it_is_drawn(
    stylex: StylEx, classifier: Classifier, images: Tensor
) -> None:
    w, label = split(Coder(classifier, stylex, STEPS, 0.1).encode(images[:3]))
    expected = decode_rows(stylex, w.unflatten(1, (6, 32)), label)
    assert torch.allclose(draw(stylex, w, label), expected, atol=1e-6)
    assert torch.allclose(draw_styles(stylex, styles_of(stylex, w, label), w, label), expected, atol=1e-6)
    assert torch.allclose(Redraw(stylex, w, label).drawn, expected, atol=1e-5)
    shift = torch.randn(3, 32, generator=torch.Generator().manual_seed(1))
    moved = decode_rows(stylex, w.unflatten(1, (6, 32)) + shift[:, None], label)
    assert torch.allclose(draw(stylex, move(stylex, w, shift), label), moved, atol=1e-6)


@pytest.mark.parametrize("name", ["eigenfind", "attfind"])
def test_engines_explain_with_refined_codes(
    name: str, stylex: StylEx, classifier: Classifier, images: Tensor, tmp_path: object
) -> None:
    """Closer reconstructions, the same bytes twice and after a round trip, moves that agree with explanations."""
    images = images[:4]
    plain, refined = (fitted(name, steps, classifier, stylex, images) for steps in (0, STEPS))
    one, two = (engine.explain(images, 1, rendering="plain") for engine in (plain, refined))
    far, near = ((found.reconstruction - images).abs().mean() for found in (one, two))
    assert near < far
    assert torch.equal(two.counterfactual, refined.explain(images, 1, rendering="plain").counterfactual)
    refined.save(tmp_path)  # type: ignore[arg-type]
    again = type(refined).load(tmp_path, classifier, generator=stylex)  # type: ignore[arg-type]
    assert torch.equal(two.counterfactual, again.explain(images, 1, rendering="plain").counterfactual)
    direction = refined.directions()[0].name
    still = refined.move(images, 1, direction=direction, degree=0.0, rendering="plain")
    assert torch.allclose(still.counterfactual, two.reconstruction, atol=1e-5)
    moved = refined.move(images, 1, direction=direction, degree=1.0, rendering="plain")
    curve = refined.probabilities_along(images, 1, torch.tensor([0.0, 1.0]), direction=direction, rendering="plain")
    assert torch.allclose(curve[:, 1], moved.p_counterfactual, atol=1e-4)


def test_pre_ranking_sees_the_refined_code(stylex: StylEx, classifier: Classifier, images: Tensor) -> None:
    config = AttFindConfig(k=4, refine=STEPS, verified=0.5)
    short = AttFind.fit(classifier, images[:3], 1, config, generator=stylex)
    full = fitted("attfind", STEPS, classifier, stylex, images[:3])
    exact = {d.name: d.mean_change for d in full.directions()}
    assert short.directions()[0].mean_change == pytest.approx(exact[short.directions()[0].name], abs=1e-4)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="refine must be from 0"):
        EigenFindConfig(refine=-1)
    with pytest.raises(ValueError, match="refine_rate must be above 0"):
        AttFindConfig(refine=5, refine_rate=0)
