"""MRI-like data sets with planted lesions, and the truth about their stored images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cfcore.images.brain import (
    CLASSES,
    VERSION,
    Template,
    build_brains,
    check_size,
    decode_mask,
    decode_twin,
    draw,
    encode_mask,
    encode_twin,
    procedural_template,
    read_template,
)
from cfcore.images.image import Pixels
from db.models import Image
from services.images import read_pixels
from services.importing import ImportResult, Progress, Row, free_name, write_made
from services.reproduce.material import data_folder
from services.workspace import Workspace

PROCEDURAL = "procedural"
_IN_NILEARN = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def import_brains(
    workspace: Workspace,
    name: str,
    n: int,
    size: int = 64,
    seed: int = 0,
    template: str | None = None,
    progress: Progress = lambda share, message: None,
    actor: str = "system",
) -> ImportResult:
    """Makes `n` axial T1-like brain slices of `size` px (8 bit), half of them with a lesion, as a new data set.

    Labels are "Healthy" or "Lesion"; every image is a person of its own; splits 70 / 10 / 20 %. `meta["brain"]` of an
    image has version, seed, person, lesion, the exact mask and the lesion-free twin; of the data set the templates with
    their hashes and licences.

    Args:
        template: path of a NIfTI file, "procedural", or None: see `find_templates`.

    Raises:
        ImportRefused: the name is taken.
        FileNotFoundError, NotNifti, ValueError: as `find_templates`, `build_brains` and `draw`.
    """
    name = free_name(workspace, name)
    check_size(size)
    cases = build_brains(n, seed)
    templates = find_templates(template)

    def pictures() -> Iterator[tuple[Pixels, Row]]:
        for case in cases:
            drawn = draw(case.seed, templates, size, bool(case.label))
            truth = {
                "version": VERSION,
                "seed": case.seed,
                "template": templates[drawn.subject.template].name,
                "person": asdict(drawn.subject),
                "lesion": asdict(drawn.lesion) if drawn.lesion else None,
                "mask": encode_mask(drawn.mask),
                "twin": encode_twin(drawn.image, drawn.twin),
            }
            meta = {"source": "brain", "modality": "MR", "brain": truth}
            yield drawn.image, Row(patient=case.key, split=case.split, labels=[CLASSES[case.label]], meta=meta)

    made = {
        "n": n,
        "size": size,
        "seed": seed,
        "version": VERSION,
        "templates": [{"name": t.name, "sha256": t.sha256, "licence": t.licence} for t in templates],
    }
    return write_made(workspace, name, "brain", made, pictures(), n, progress, actor)


def find_templates(given: str | None = None) -> list[Template]:
    """The templates behind a data set.

    Args:
        given: path of a .nii or .nii.gz file; "procedural"; or None for the first that is there of: all NIfTI files in
            `brain_t1` of the data folder ($CFREADER_DATA), the one inside nilearn (the extra `cfreader[brain]`), the
            procedural brain.

    Raises:
        FileNotFoundError, NotNifti: the given file is missing or no template; the message names it.
    """
    if given == PROCEDURAL:
        return [procedural_template()]
    if given is not None:
        return [read_template(Path(given))]
    folder = data_folder() / "brain_t1"
    paths = sorted([*folder.glob("*.nii"), *folder.glob("*.nii.gz")])
    nilearn = find_spec("nilearn")
    if not paths and nilearn is not None:
        paths = [p for root in nilearn.submodule_search_locations or () if (p := Path(root) / _IN_NILEARN).is_file()]
    return [read_template(path) for path in paths] or [procedural_template()]


def lesion_masks(images: Sequence[Image]) -> npt.NDArray[np.bool_]:
    """(n, size, size) bool: where the lesion is, nowhere in a healthy image.

    Raises ValueError where an image is not of a brain set, or the images differ in size.
    """
    _check(images)
    return np.stack([decode_mask(image.meta["brain"]["mask"], image.width) for image in images])


def lesion_free(workspace: Workspace, images: Sequence[Image]) -> npt.NDArray[np.uint8]:
    """(n, size, size) uint8: the same people, scans and noise without the lesion; a healthy image is its own twin.

    Raises as `lesion_masks`; FileNotFoundError where an image's file is gone.
    """
    _check(images)
    pixels = [read_pixels(workspace, image).astype(np.uint8) for image in images]
    return np.stack([decode_twin(p, i.meta["brain"]["twin"]) for p, i in zip(pixels, images, strict=True)])


def _check(images: Sequence[Image]) -> None:
    if not images:
        raise ValueError("no images were given: pass images of a data set made by `cfreader brain`")
    for image in images:
        if "brain" not in image.meta:
            raise ValueError(f"image {image.id} has no planted lesion on record: make a data set with `cfreader brain`")
    sizes = sorted({image.width for image in images})
    if len(sizes) > 1:
        raise ValueError(f"images of {sizes} px cannot be stacked: take those of one data set")
