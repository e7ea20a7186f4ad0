"""In how many pairs of a phantom study a finding truly appears, by measurement of both sides' pixels."""

from __future__ import annotations

from typing import Any

from services.demo_truth import RULES, judged, measured_sides
from services.study_views import study_view
from services.workspace import Workspace

CHUNK = 8
# Pairs that are no controls.
OWN = "counterfactual"


def finding_truth(workspace: Workspace, study_id: int) -> list[dict[str, Any]]:
    """Rows {"finding", "arm", "appears", "n"}: pairs of the arm whose counterfactual has the finding and whose original
    has not (`services.demo_truth.RULES`), of so many that could be measured. A finding without a rule has no rows.

    Raises StudyRefused where there is no such study.
    """
    study = study_view(workspace, study_id)
    arms = [arm.key for arm in study.protocol.arms]
    pairs = [pair for pair in study.pairs if pair.arm in arms and getattr(pair, "kind", OWN) == OWN]
    listed = [finding.key for finding in study.protocol.findings if finding.key in RULES]
    counts = {(finding, arm): [0, 0] for finding in listed for arm in arms}
    for start in range(0, len(pairs), CHUNK):
        chunk = pairs[start : start + CHUNK]
        for pair, (original, moved) in zip(chunk, measured_sides(workspace, chunk), strict=True):
            if not (original.measurable and moved.measurable):
                continue
            for finding in listed:
                before, after = judged(RULES[finding], original, moved)
                counts[finding, pair.arm][0] += after and not before
                counts[finding, pair.arm][1] += 1
    return [{"finding": f, "arm": a, "appears": int(k), "n": n} for (f, a), (k, n) in counts.items()]
