"""What a run reports of flips, counted from the original and from the reconstruction apart."""

from __future__ import annotations

from collections.abc import Sequence

from db.models import Counterfactual


def flip_shares(rows: Sequence[Counterfactual]) -> dict[str, float | None]:
    """Shares of the images of a run, each in [0, 1].

    Returns:
        explained: of all images, those whose counterfactual is the target, as shown; explained_plain: the same in the
        generator's own picture. reconstruction_flips: of all, those whose mere reconstruction is the target already:
        that is the generator's error and no effect. explained_kept: of the others, those whose counterfactual is the
        target; None where there are none. mean_tried: directions tried until the flip, None where none flipped.
    """
    kept = [row for row in rows if row.p_reconstruction <= 0.5]
    tried = [row.tried for row in rows if row.flipped and row.tried]
    return {
        "explained": sum(row.flipped for row in rows) / len(rows),
        "explained_plain": sum(bool(row.flipped_plain) for row in rows) / len(rows),
        "reconstruction_flips": 1 - len(kept) / len(rows),
        "explained_kept": sum(row.flipped for row in kept) / len(kept) if kept else None,
        "mean_tried": sum(tried) / len(tried) if tried else None,
    }
