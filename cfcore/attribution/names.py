"""Names of fills and baselines. No torch here, so that pages and the command line may import it."""

from __future__ import annotations

from typing import Literal, get_args

Fill = Literal["mean", "blur", "black", "white", "noise", "inpaint"]
FILLS: tuple[Fill, ...] = get_args(Fill)

FILLED: dict[Fill, str] = {
    "mean": "The image's own mean intensity, as in medXGAN",
    "blur": "The image, blurred",
    "black": "Black",
    "white": "White",
    "noise": "Noise of the image's own mean and spread, always the same pattern",
    "inpaint": "A smooth surface between the pixels that stay",
}

Baseline = Literal["black", "mean", "blur"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
