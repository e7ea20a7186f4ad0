"""How fast generator and classifier draw and judge, and what each way of running them is worth: ratios measured in
one process, the variants taking turns."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cfcore.classifiers.base import Classifier
from cfcore.generators.stylex import StylEx
from cfcore.generators.stylex.prepared import PreparedConv, prepared

BATCH = 16
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class GroupedConv(nn.Module):
    """`PreparedConv` as StyleGAN2's public code convolves: weights of its own for every image, one group an image."""

    def __init__(self, conv: PreparedConv) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        conv, n = self.conv, len(x)
        factor = (style.square() @ conv.energy + 0.5e-8).rsqrt()
        weight = (conv.weight * style[:, None, :, None, None] * factor[:, :, None, None, None]).flatten(0, 1)
        out = functional.conv2d(x.reshape(1, -1, *x.shape[2:]), weight, padding=conv.padding, groups=n)
        out = out.view(n, -1, *out.shape[2:])
        if conv.up:
            out = functional.interpolate(out, scale_factor=2, mode="bilinear", align_corners=False)
        return functional.leaky_relu_(out + conv.floor, 0.2)


def grouped(ready: StylEx) -> StylEx:
    """A prepared generator with grouped convolutions: the same pictures."""
    other = copy.deepcopy(ready)
    other.synthesis.convs = nn.ModuleList(GroupedConv(conv) for conv in other.synthesis.convs)  # type: ignore[arg-type]
    return other


def folded(classifier: Classifier) -> Classifier:
    """A copy with every batch norm that follows a convolution directly folded into it (in DenseNet the first and each
    layer's second; the others stand before a convolution, behind a concatenation)."""
    other = copy.deepcopy(classifier).eval()
    for module in other.modules():
        if type(module) is not nn.Sequential:
            continue
        names = list(module._modules)
        for first, second in pairwise(names):
            conv, norm = module._modules[first], module._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, first, fuse_conv_bn_eval(conv, norm))
                setattr(module, second, nn.Identity())
    return other


@torch.no_grad()
def network_speed(generator: StylEx, classifier: Classifier, repeats: int) -> dict[str, float]:
    """Processor time of the variants at batch 16, medians over `repeats` rounds.

    Returns move_ms_<batch> (one picture drawn by the prepared generator and judged), g_ms and c_ms of the two alone,
    and ratios, each the time of the first named over the second: above 1 the second is faster. styles_share is the
    time of all affines over that of a drawing: what computing the styles' shifts ahead could save at most.
    """
    ready = prepared(generator)
    contiguous = copy.deepcopy(ready).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    flat_classifier = copy.deepcopy(classifier).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    by_group, fused = grouped(ready), folded(classifier)
    rng = torch.Generator().manual_seed(0)
    w = torch.randn(max(BATCHES), generator.config.width, generator=rng)
    label = torch.zeros(max(BATCHES), dtype=torch.long)
    code, mark = w[:BATCH], label[:BATCH]
    pictures = ready.decode(code, mark)

    def inferring() -> None:
        with torch.inference_mode():
            classifier.logits(ready.decode(code, mark))

    jobs: dict[str, Callable[[], object]] = {
        "g": lambda: ready.decode(code, mark),
        "g plain": lambda: generator.decode(code, mark),
        "g grouped": lambda: by_group.decode(code, mark),
        "g contiguous": lambda: contiguous.decode(code, mark),
        "styles": lambda: (ready.styles(code, mark), ready.synthesis.image_styles(code, ready.embedding(mark))),
        "c": lambda: classifier.logits(pictures),
        "c contiguous": lambda: flat_classifier.logits(pictures),
        "c folded": lambda: fused.logits(pictures),
        "inference": inferring,
    } | {f"move {n}": lambda n=n: classifier.logits(ready.decode(w[:n], label[:n])) for n in BATCHES}  # type: ignore[misc]
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for round_ in range(repeats + 1):
        for name, job in jobs.items():
            started = time.process_time()
            job()
            if round_:
                times[name].append(time.process_time() - started)
    t = {name: statistics.median(values) for name, values in times.items()}
    return {f"move_ms_{n}": 1000 * t[f"move {n}"] / n for n in BATCHES} | {
        "g_ms": 1000 * t["g"] / BATCH,
        "c_ms": 1000 * t["c"] / BATCH,
        "g_grouped_over_shared": t["g grouped"] / t["g"],
        "g_plain_over_prepared": t["g plain"] / t["g"],
        "g_contiguous_over_channels_last": t["g contiguous"] / t["g"],
        "c_contiguous_over_channels_last": t["c contiguous"] / t["c"],
        "c_plain_over_folded": t["c"] / t["c folded"],
        "no_grad_over_inference_mode": t["move 16"] / t["inference"],
        "styles_share": t["styles"] / t["g"],
    }
