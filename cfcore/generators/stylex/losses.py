"""StylEx's losses (seed 000 and METHODS 1). Images are in [0, 1]; D sees them as they are and scales them itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from cfcore.classifiers.base import Classifier


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating GAN loss of G: mean softplus(-D(fake))."""
    return functional.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Mean softplus(-D(real)) + mean softplus(D(fake))."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def r1_penalty(discriminator: nn.Module, images: Tensor, *label: Tensor) -> Tensor:
    """Mean |grad_x D|^2 on real images in [-1, 1] (Mescheder et al. 2018), without the factor gamma / 2.

    The images come in [0, 1]; the derivative with respect to 2 x - 1 is half of the one taken here. `label`: for a
    discriminator that takes one.
    """
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(images, *label).sum(), images, create_graph=True)
    return (gradient / 2).square().sum(dim=(1, 2, 3)).mean()


def r1_gamma(size: int, batch: int) -> float:
    """10 at 256 px, below that 0.0002 H W / batch (10 is too strong at 64 px)."""
    return 10.0 if size >= 256 else 0.0002 * size * size / batch


def path_lengths(images: Tensor, w: Tensor, noise: Tensor) -> Tensor:
    """(n,) |J_w^T y| with y = noise / sqrt(H W), noise ~ N(0, I) of the images' shape (Karras et al. 2020, Eq. 4)."""
    y = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * y).sum(), w, create_graph=True)
    return gradient.square().sum(dim=1).sqrt()


def edge_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean |d_x a - d_x b| + mean |d_y a - d_y b| of neighbouring pixels of (n, 1, h, w) images: L1 alone is content
    with blurred borders, which cover few pixels."""
    difference = a - b
    across, down = difference.diff(dim=3), difference.diff(dim=2)
    return across.abs().mean() + down.abs().mean()


def small_bright(images: Tensor, side: int = 5, limit: float = 0.15) -> Tensor:
    """How far (n, 1, h, w) images rise above `limit` over their morphological opening by `side` px: leads, boxes, wires
    and text, and no larger bright part (white top-hat; masks of devices do not exist for real radiographs)."""
    pad = side // 2
    eroded = -functional.max_pool2d(-images, side, 1, pad)
    return functional.relu(images - functional.max_pool2d(eroded, side, 1, pad) - limit)


def device_distance(drawn: Tensor, images: Tensor) -> Tensor:
    """Mean |difference| weighted by `small_bright` of the images: devices cover so few pixels that L1 alone leaves
    them out."""
    return ((drawn - images).abs() * small_bright(images)).mean()


def dissimilarity(drawn: Tensor, images: Tensor) -> Tensor:
    """1 - structural similarity (Wang et al. 2004, Gaussian window 11, sigma 1.5; images in [0, 1])."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    value = ssim(drawn, images, data_range=1.0)
    assert isinstance(value, Tensor)
    return 1 - value


def classifier_terms(
    classifier: Classifier, images: Tensor, reconstruction: Tensor, *, perceptual: bool
) -> tuple[Tensor, Tensor]:
    """KL(C(x) || C(x^)) and the perceptual distance in C's own stages.

    The perceptual term is the mean absolute difference of channel-normalised activations, averaged over stages
    (LPIPS' form, with our classifier's features, since its published weights are not at hand; METHODS: "feature
    distance").
    """
    with torch.no_grad():
        goal = classifier.logits(images).log_softmax(dim=1)
    kl = functional.kl_div(
        classifier.logits(reconstruction).log_softmax(dim=1), goal, log_target=True, reduction="batchmean"
    )
    stages = getattr(classifier, "stages", None)
    if not perceptual or stages is None:
        return kl, kl.new_zeros(())
    with torch.no_grad():
        wanted = [_normalised(stage) for stage in stages(images)]
    pairs = zip(wanted, (_normalised(stage) for stage in stages(reconstruction)), strict=True)
    return kl, torch.stack([(a - b).abs().sum(dim=1).mean() for a, b in pairs]).mean()


def _normalised(x: Tensor) -> Tensor:
    return x / (x.square().sum(dim=1, keepdim=True) + 1e-8).sqrt() / math.sqrt(x.shape[1])
