"""Brain templates: read, stripped of skull and scalp, brought to one scale of brightness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .nifti import NotNifti, read_nifti

WHITE = 0.80  # brightness of white matter in a prepared template
DARK = 0.10  # of the darkest fluid inside the brain's outline
DEPTH = 125.0  # mm below the top of the head that are looked at
LOWEST = 90.0  # mm of brain that a template has to cover from the vertex down

OWN = "template of the user's own; its licence is the user's to know"
_KNOWN = {
    "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6": (
        "ICBM 152 2009a",
        "ICBM 152 nonlinear symmetric 2009a, T1 average, as in nilearn. Copyright (C) 1993-2009 Louis Collins, "
        "McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill University. Fonov et al., NeuroImage "
        "2011;54:313-327",
    ),
    "a009051127f64dc3dd554d5f5b589870ea72106d9642c21b4e7093e478cfc309": (
        "Colin27",
        "Colin27 (ch2), T1 average of 27 scans of one person, as in MRIcron (BSD-3-Clause). Holmes et al., J Comput "
        "Assist Tomogr 1998;22:324-333",
    ),
}


@dataclass(frozen=True, eq=False)
class Template:
    """A brain without skull.

    name, licence: for the data set's record; never the name of a file.
    sha256: of the file, or of the voxels where they are computed.
    voxels: (i, j, k) float32: 0 outside the brain, fluid about 0.1, white matter 0.8.
    to_voxel: (4, 4) from mm (right, anterior, superior) to voxel indices; the origin is the middle of the brain's
        outline from the right and from the front, at the height of its vertex.
    """

    name: str
    licence: str
    sha256: str
    voxels: npt.NDArray[np.float32]
    to_voxel: npt.NDArray[np.float64]


def read_template(path: Path) -> Template:
    """A template from a NIfTI file, a T1-weighted head or brain of an adult, oriented by its header.

    Raises:
        FileNotFoundError, NotNifti: as `read_nifti`; NotNifti also where no brain is found in it.
    """
    volume = read_nifti(path)
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
    if spacing.max() > 4.0:
        raise NotNifti(f"{path} has voxels of {spacing.max():.1f} mm: a template of 4 mm or finer is needed")
    mask = brain_mask(volume.voxels, volume.affine)
    name, licence = _KNOWN.get(volume.sha256, ("own template", OWN))
    template = prepare(name, licence, volume.sha256, volume.voxels, mask, volume.affine)
    if template is None:
        raise NotNifti(
            f"no brain was found in {path}: give a T1-weighted head or brain with at least {LOWEST:.0f} mm of it"
        )
    return template


def brain_mask(voxels: npt.NDArray[np.float32], affine: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """(i, j, k) bool: the upper part of the brain in a T1-weighted head, by threshold and opening (Brummer et al., IEEE
    Trans Med Imaging 1993;12:153-166), found at about 2 mm; all that is not air where the skull is off already.

    Args:
        voxels: (i, j, k) brightness, air about 0.
        affine: (4, 4) from voxel indices to mm, as `Volume.affine`.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    step = np.maximum(1, np.floor(2.0 / spacing)).astype(int)
    coarse = ndimage.gaussian_filter(voxels, 0.4 * (step - 1))[:: step[0], :: step[1], :: step[2]]
    head = coarse > 0.1 * np.percentile(coarse, 99)
    if not head.any():
        return np.zeros(voxels.shape, bool)
    i, j, k = np.ogrid[tuple(slice(n) for n in coarse.shape)]
    up = (affine[2, :3] * step)[:, None]
    height = up[0] * i + up[1] * j + up[2] * k
    above = height > height[head].max() - DEPTH
    pitch = spacing * step
    place = np.argwhere(head & above) * pitch
    deep = np.linalg.norm(place - place.mean(0), axis=1) < 50.0
    if not deep.any():
        return np.zeros(voxels.shape, bool)
    # Whatever lies around the brain, the middle of the head is brain; grey matter has some 0.7 of white, fluid 0.3.
    tissue = above & (coarse > 0.52 * np.percentile(coarse[head & above][deep], 75))
    core = _largest(_eroded(tissue, 5.0, pitch))
    if not core.any():
        return np.zeros(voxels.shape, bool)
    opened = _grown(core, 6.0, pitch) & above
    # Closed: sulci and ventricles are darker than the threshold and belong to the brain.
    closed = _eroded(ndimage.binary_fill_holes(_grown(opened, 10.0, pitch)), 9.0, pitch)
    soft = ndimage.gaussian_filter(closed.astype(np.float32), 0.7)
    fine = ndimage.affine_transform(soft, 1.0 / step, output_shape=voxels.shape, order=1)
    return (fine > 0.5) & (voxels > 0)


def prepare(
    name: str,
    licence: str,
    sha256: str,
    voxels: npt.NDArray[np.float32],
    mask: npt.NDArray[np.bool_],
    affine: npt.NDArray[np.float64],
) -> Template | None:
    """A template from a volume and its brain mask; None where the mask is no whole brain."""
    if not mask.any():
        return None
    where = np.argwhere(mask)
    low, high = where.min(0), where.max(0)
    corners = np.array([[(low, high)[b][a] for a, b in enumerate(bits)] for bits in np.ndindex(2, 2, 2)])
    mm = corners @ affine[:3, :3].T + affine[:3, 3]
    extent = mm.max(0) - mm.min(0)
    if extent[2] < LOWEST or min(extent[:2]) < 80.0:
        return None
    origin = np.array([*(mm.max(0) + mm.min(0))[:2] / 2, mm.max(0)[2]])
    inside = voxels[mask]
    dark, white = np.percentile(inside, (2, 90))
    scaled = np.where(mask, (voxels - dark) / max(white - dark, 1e-6) * (WHITE - DARK) + DARK, 0.0)
    box = tuple(slice(max(0, a - 1), b + 2) for a, b in zip(low, high, strict=True))
    start = np.array([s.start for s in box])
    shift = np.eye(4)
    shift[:3, 3] = origin
    to_voxel = np.linalg.inv(affine) @ shift
    to_voxel[:3, 3] -= start
    return Template(name, licence, sha256, np.clip(scaled[box], 0.0, 1.1).astype(np.float32), to_voxel)


def _eroded(mask: npt.NDArray[np.bool_], mm: float, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """What lies more than `mm` inside a mask."""
    deep: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=spacing) > mm
    return deep[1:-1, 1:-1, 1:-1]


def _grown(mask: npt.NDArray[np.bool_], mm: float, spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """What lies at most `mm` from a mask."""
    near: npt.NDArray[np.bool_] = ndimage.distance_transform_edt(~mask, sampling=spacing) <= mm
    return near


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The largest connected part of a mask."""
    parts, n = ndimage.label(mask)
    if n == 0:
        return mask
    found: npt.NDArray[np.bool_] = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    return found
