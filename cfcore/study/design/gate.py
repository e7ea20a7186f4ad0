"""Which pictures a reader gets to see at all, and how many were kept back for which reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cfcore.study.design.choices import Gate

Gray = npt.NDArray[np.float32]

# Reasons, in the order in which they are asked; the first that applies counts.
CLASS_CHANGED = "the reconstruction changes the class"
UNLIKE = "the reconstruction is unlike the original"
DID_NOT_FLIP = "the class did not flip"
FLIPPED = "the class flipped"
REASONS = (CLASS_CHANGED, UNLIKE, DID_NOT_FLIP, FLIPPED)


def structural_similarity(original: Gray, reconstruction: Gray) -> float:
    """SSIM of two (h, w) images in [0, 1], at most 1 (Wang et al., IEEE TIP 13 (2004) 600-612; 7 x 7 window)."""
    from skimage.metrics import structural_similarity as ssim

    side = min(7, *original.shape)
    window = side if side % 2 else side - 1
    return float(ssim(original, reconstruction, data_range=1.0, win_size=window))


def judge(gate: Gate, *, same_class: bool, ssim: float, flipped: bool) -> str | None:
    """Why the gate keeps a picture back, one of `REASONS`; None where it passes."""
    if gate.same_class and not same_class:
        return CLASS_CHANGED
    if gate.ssim_floor > 0 and not ssim >= gate.ssim_floor:
        return UNLIKE
    if gate.flipped == "yes" and not flipped:
        return DID_NOT_FLIP
    if gate.flipped == "no" and flipped:
        return FLIPPED
    return None


@dataclass(frozen=True)
class FlowBox:
    """A box of the flow diagram: what happened to how many; `aside` boxes leave the path."""

    text: str
    n: int
    aside: bool = False


def flow_boxes(flow: Mapping[str, Any], names: Mapping[str, str]) -> list[FlowBox]:
    """The boxes from the data set down to the arms. flow: counts of `services.study_design.making`; names: of arms.

    patients (in the split), examined, other_class, spare (not needed), apart (for controls and training), moved
    (patients whose counterfactuals were drawn), excluded (reason -> patients), arms (key -> pairs), controls (key ->
    pairs), training (pairs).
    """
    if not flow:
        return []
    boxes = [FlowBox(f"patients in split {flow['split']}", flow["patients"])]
    if unseen := flow["patients"] - flow["examined"]:
        boxes.append(FlowBox("not looked at: enough were found before", unseen, True))
    boxes.append(FlowBox("looked at in an order drawn by the seed", flow["examined"]))
    if flow["other_class"]:
        boxes.append(FlowBox(f"not predicted {flow['predicted']}", flow["other_class"], True))
    if flow.get("spare"):
        boxes.append(FlowBox("met the rule, not needed", flow["spare"], True))
    if flow.get("apart"):
        boxes.append(FlowBox("set apart for controls and training", flow["apart"], True))
    boxes.append(FlowBox("patients whose counterfactuals were drawn", flow["moved"]))
    boxes += [FlowBox(reason, flow["excluded"][reason], True) for reason in REASONS if flow["excluded"].get(reason)]
    boxes += [FlowBox(f"pairs in arm {names.get(key, key)}", n) for key, n in flow["arms"].items()]
    boxes += [FlowBox(f"control pairs: {names.get(key, key)}", n) for key, n in flow.get("controls", {}).items()]
    if flow.get("training"):
        boxes.append(FlowBox("training pairs", flow["training"]))
    return boxes


def flow_text(boxes: Sequence[FlowBox]) -> str:
    """The diagram in one sentence, for those who cannot see it."""
    return "; ".join(f"{'excluded: ' if box.aside else ''}{box.n} {box.text}" for box in boxes)
