"""The measures by which counterfactual methods are compared, an image each, and a method's row of them (METHODS 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from cfcore.classifiers.base import Classifier, resize
from cfcore.study.estimate import Estimate, undefined
from cfcore.study.intervals import wilson

from .diversity import between_draws, between_images
from .frechet import features_of, fid
from .means import t_mean
from .validity import BATCH, gaussian_blur

# One class for all images, or (n,) one each.
Target = int | Tensor

CHANGED = 0.01  # of the grey range: a pixel that moved by more counts as changed
SIGMAS = (0.5, 1.0, 1.5, 2.0, 3.0)  # of the sweep, in pixels of an image of 28 px
SIDE, REACH = 28, 2.0  # sigma 1 at 28 px with a kernel of 5 x 5: two sigma to each side


@torch.no_grad()
def is_valid(classifier: Classifier, pictures: Tensor, target: Target) -> Tensor:
    """(n,) bool: C calls (n, channels, *spatial) pictures, brought to its size, the target."""
    return _logits(classifier, resize(pictures, classifier.size)).argmax(dim=1) == target


@torch.no_grad()
def is_valid_denoised(classifier: Classifier, pictures: Tensor, target: Target, sigma: float = 1.0) -> Tensor:
    """(n,) bool: C still calls the pictures the target after a Gaussian.

    Args:
        pictures: (n, channels, h, w), brought to C's size before they are blurred.
        sigma: in pixels of an image of 28 px; at C's size it is larger by min(size) / 28. The kernel reaches two sigma
            to each side: 5 x 5 at sigma 1 and 28 px.
    """
    small = resize(pictures, classifier.size)
    return _logits(classifier, gaussian_blur(small, sigma * min(classifier.size) / SIDE, REACH)).argmax(dim=1) == target


def denoised_sweep(
    classifier: Classifier, pictures: Tensor, target: Target, found: Tensor, sigmas: Sequence[float] = SIGMAS
) -> dict[float, Estimate]:
    """Sigma (as in `is_valid_denoised`) -> share of all n images with a counterfactual that is valid after it."""
    return {sigma: share(is_valid_denoised(classifier, pictures, target, sigma) & found) for sigma in sigmas}


def l1_distance(images: Tensor, pictures: Tensor) -> Tensor:
    """(n,) mean |difference| over pixels and channels, in [0, 1]. Raises ValueError for different shapes."""
    return _difference(images, pictures).flatten(1).mean(dim=1)


def share_changed(images: Tensor, pictures: Tensor, threshold: float = CHANGED) -> Tensor:
    """(n,) share of pixels that moved by more than `threshold` of the grey range in some channel."""
    return (_difference(images, pictures).amax(dim=1) > threshold).flatten(1).double().mean(dim=1)


def feature_distance(classifier: Classifier, images: Tensor, pictures: Tensor) -> Tensor:
    """(n,) |F(x) - F(x')|_2 in C's features. Raises TypeError where C tells none."""
    return (features_of(classifier, images) - features_of(classifier, pictures)).norm(dim=1)


def feature_reconstruction(classifier: Classifier, wanted: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) |z - F(x')|_2 and (n,) its mean |difference| over the d features; `wanted`: (n, d), the z that the picture
    was drawn for. Raises TypeError where C tells no features, ValueError where `wanted` has another shape."""
    found = features_of(classifier, pictures)
    if found.shape != wanted.shape:
        raise ValueError(f"wanted features are {tuple(wanted.shape)}, those of the pictures {tuple(found.shape)}")
    gap = found - wanted
    return gap.norm(dim=1), gap.abs().mean(dim=1)


@torch.no_grad()
def confidence_error(classifier: Classifier, pictures: Tensor, target: Target, intended: Tensor) -> Tensor:
    """(n,) |intended - obtained| probability of the target; `intended`: (n,) in [0, 1]."""
    shares = _logits(classifier, resize(pictures, classifier.size)).softmax(dim=1)
    rows = torch.as_tensor(target, device=shares.device).expand(len(shares))
    return (shares.gather(1, rows[:, None])[:, 0] - intended).abs()


def share(hits: Tensor) -> Estimate:
    """Share of (n,) bool with its Wilson interval."""
    return wilson(int(hits.sum()), len(hits))


@dataclass(frozen=True)
class Comparison:
    """A method's row. n: all images, whether the method returned a picture or not.

    Of all n images, with Wilson intervals: `validity` and `denoised_validity` (an image without a counterfactual is not
    valid), `failed` (the search returned nothing). Over those with a counterfactual, with t intervals: `l1`, `changed`,
    `feature_distance`, `lpips`, `feature_reconstruction` (2-norm), `feature_error` (mean over features),
    `confidence_error`, `diversity` (between draws of an image), `spread` (between images). Without interval: `fid`,
    `seconds` (an image).
    For real images of the target classes: `denoised_real` (the ceiling of denoised validity), `spread_real`.
    An Estimate with value None says why it is not there.
    """

    method: str
    n: int
    validity: Estimate
    denoised_validity: Estimate
    denoised_real: Estimate
    failed: Estimate
    l1: Estimate
    changed: Estimate
    feature_distance: Estimate
    lpips: Estimate
    fid: Estimate
    diversity: Estimate
    spread: Estimate
    spread_real: Estimate
    feature_reconstruction: Estimate
    feature_error: Estimate
    confidence_error: Estimate
    seconds: Estimate

    def estimates(self) -> dict[str, Estimate]:
        """Every measure by name, in the order of the table."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Estimate)}

    def flat(self) -> dict[str, float]:
        """name, name_low, name_high -> number, for stored results; what is not there is left out."""
        out: dict[str, float] = {}
        for name, one in self.estimates().items():
            for ending, value in (("", one.value), ("_low", one.low), ("_high", one.high)):
                if value is not None:
                    out[name + ending] = value
        return out


def measure(
    method: str,
    classifier: Classifier,
    images: Tensor,
    counterfactuals: Tensor,
    found: Tensor,
    target: Target,
    *,
    real: Tensor | None = None,
    real_classes: Target | None = None,
    intended: Tensor | None = None,
    wanted: Tensor | None = None,
    draws: Tensor | None = None,
    seconds: float | None = None,
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Comparison:
    """One row of a comparison.

    Args:
        images, counterfactuals: (n, channels, h, w) in [0, 1], of the same resolution. found: (n,) bool, whether the
            method returned a counterfactual; where not, the picture is left out.
        target: the class moved to, or (n,) one an image.
        real: (m, channels, h, w) real images of the target classes, `real_classes` theirs: for FID and ceilings. For
            comparable FIDs give every method the same ones.
        intended: (n,) wanted probabilities. wanted: (n, d) wanted features. draws: (n, r, channels, h, w) several
            counterfactuals of each image. seconds: wall time of all n. lpips: as `load_lpips` gives it.

    Raises:
        ValueError: shapes that do not go together.
        TypeError: the classifier tells no features.
    """
    n, found = len(images), found.bool()
    if not len(counterfactuals) == len(found) == n:
        raise ValueError(f"{n} images, {len(counterfactuals)} counterfactuals, {len(found)} marks: give one each")
    if real is not None and real_classes is None:
        raise ValueError("real images need their classes: give real_classes")
    before, after = images[found], counterfactuals[found]
    targets = torch.as_tensor(target).expand(n)[found]

    def mean(values: Callable[[], Tensor]) -> Estimate:
        return t_mean(values().double().cpu().numpy()) if len(after) else undefined("no counterfactual")

    def of_all(judge: Callable[[Classifier, Tensor, Target], Tensor]) -> Estimate:
        return wilson(int(judge(classifier, after, targets).sum()) if len(after) else 0, n)

    none = undefined("not asked")
    gaps = None
    if wanted is not None and len(after):
        gaps = feature_reconstruction(classifier, wanted[found], after)
    return Comparison(
        method=method,
        n=n,
        validity=of_all(is_valid),
        denoised_validity=of_all(is_valid_denoised),
        denoised_real=none
        if real is None or real_classes is None
        else share(is_valid_denoised(classifier, real, real_classes)),
        failed=share(~found),
        l1=mean(lambda: l1_distance(before, after)),
        changed=mean(lambda: share_changed(before, after)),
        feature_distance=mean(lambda: feature_distance(classifier, before, after)),
        lpips=none if lpips is None else mean(lambda: lpips(before, after)),
        fid=none if real is None else _fid(classifier, after, real),
        diversity=none if draws is None else mean(lambda: between_draws(draws[found])),
        spread=between_images(after),
        spread_real=none if real is None else between_images(real),
        feature_reconstruction=none if gaps is None else t_mean(gaps[0].cpu().numpy()),
        feature_error=none if gaps is None else t_mean(gaps[1].cpu().numpy()),
        confidence_error=none
        if intended is None
        else mean(lambda: confidence_error(classifier, after, targets, intended[found])),
        seconds=none if seconds is None or n == 0 else Estimate(seconds / n, n=n),
    )


def _fid(classifier: Classifier, after: Tensor, real: Tensor) -> Estimate:
    if min(len(after), len(real)) < 2:
        return undefined("fewer than two images on a side", len(after))
    return Estimate(fid(classifier, after, real), n=len(after), note="falls as n grows: no interval")


def _difference(images: Tensor, pictures: Tensor) -> Tensor:
    if images.shape != pictures.shape:
        raise ValueError(f"images are {tuple(images.shape)}, pictures {tuple(pictures.shape)}: compare like with like")
    return (images - pictures).abs()


def _logits(classifier: Classifier, small: Tensor) -> Tensor:
    return torch.cat([classifier.logits(chunk) for chunk in small.split(BATCH)])
