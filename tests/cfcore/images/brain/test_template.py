"""Templates: the skull comes off, the brain lies where its header says, real ones are known by their hash."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cfcore.images.brain import NotNifti, Template, draw, procedural_template, read_template, write_nifti


def head(path: Path, skull: bool, flip: bool = False) -> Path:
    """The procedural brain at 3 mm as a file, within a skull and a bright scalp or without."""
    mm = 3.0
    shape = (66, 78, 60)
    i, j, k = np.indices(shape)
    right, front, up = (i - 33) * mm, (j - 39) * mm, (k - 50) * mm
    points = np.stack([right, front, up, np.ones(shape)]).reshape(4, -1)
    template = procedural_template()
    at = np.rint((template.to_voxel @ points)[:3]).astype(int)
    inside = ((at >= 0) & (at < np.array(template.voxels.shape)[:, None])).all(0)
    brain = np.zeros(np.prod(shape))
    brain[inside] = template.voxels[tuple(at[:, inside])]
    voxels = np.rint(140 * brain.reshape(shape))
    if skull:
        r = np.sqrt((right / 67) ** 2 + (front / 87) ** 2 + ((up + 70) / 70) ** 2)
        voxels[(r > 1.1) & (r < 1.22)] = 230
    affine = np.diag([mm, mm, mm, 1.0])
    affine[:3, 3] = [40, -30, 11]
    stored = voxels.astype(np.uint8)
    if flip:
        stored = stored[::-1]
        affine[0] = [-mm, 0, 0, 40 + mm * (shape[0] - 1)]
    write_nifti(path, np.ascontiguousarray(stored), affine)
    return path


def centre(template: Template) -> np.ndarray:
    """mm of the brain's voxels from the template's origin, mean of those down to 80 mm below the vertex."""
    where = np.argwhere(template.voxels > 0.3)
    back = np.linalg.inv(template.to_voxel)
    mm = where @ back[:3, :3].T + back[:3, 3]
    found: np.ndarray = mm[mm[:, 2] > -80].mean(0)
    return found


@pytest.mark.parametrize("skull", [False, True])
def test_the_skull_comes_off(tmp_path: Path, skull: bool) -> None:
    template = read_template(head(tmp_path / "t.nii.gz", skull))
    assert template.name == "own template" and len(template.sha256) == 64
    brain = (template.voxels > 0.3).sum() * 27e-3
    whole = (procedural_template().voxels > 0.3).sum() * 1.5**3 * 1e-3
    assert 0.75 * whole < brain < 1.1 * whole  # a little less of the lower end is looked at under a scalp
    assert np.abs(centre(template) - centre(procedural_template())).max() < 3


def test_the_header_says_which_side_is_which(tmp_path: Path) -> None:
    one = draw(4, [read_template(head(tmp_path / "a.nii", False))], 64, False)
    two = draw(4, [read_template(head(tmp_path / "b.nii", False, flip=True))], 64, False)
    assert np.corrcoef(one.image.ravel(), two.image.ravel())[0, 1] > 0.999


def test_what_holds_no_brain_is_refused_by_name(tmp_path: Path) -> None:
    affine = np.diag([2.0, 2, 2, 1])
    write_nifti(tmp_path / "black.nii", np.zeros((20, 20, 20), np.uint8), affine)
    with pytest.raises(NotNifti, match=r"no brain was found in .*black.nii"):
        read_template(tmp_path / "black.nii")
    write_nifti(tmp_path / "small.nii", np.full((20, 20, 20), 99, np.uint8), affine)
    with pytest.raises(NotNifti, match=r"no brain was found in .*small.nii"):
        read_template(tmp_path / "small.nii")
    write_nifti(tmp_path / "coarse.nii", np.full((20, 20, 20), 99, np.uint8), np.diag([9.0, 9, 9, 1]))
    with pytest.raises(NotNifti, match=r"coarse.nii has voxels of 9.0 mm"):
        read_template(tmp_path / "coarse.nii")


def test_known_templates_are_named_and_whole() -> None:
    folder = Path(os.environ.get("CFREADER_DATA", "../shared/data")) / "brain_t1"
    if not folder.is_dir():
        pytest.skip("the brain templates are not here: set CFREADER_DATA")
    found = {t.name: t for t in (read_template(path) for path in sorted(folder.glob("*.nii.gz")))}
    assert set(found) == {"Colin27", "ICBM 152 2009a"}
    for template in found.values():
        assert "Copyright" in template.licence or "BSD" in template.licence
        back = np.linalg.inv(template.to_voxel)
        upper = np.argwhere(template.voxels > 0) @ back[2, :3] + back[2, 3] > -80
        litres = upper.sum() * 1e-6
        assert 0.9 < litres < 1.5  # of a brain down to 80 mm below its vertex
        assert 120 < np.ptp(np.argwhere(template.voxels > 0)[:, 0]) < 160
