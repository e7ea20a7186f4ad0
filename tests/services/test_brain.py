"""Brain sets in the workspace: labels, splits, truth, and where the templates come from."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from cfcore.images.brain import NotNifti, draw, procedural_template
from cfcore.images.errors import ImportRefused
from db.models import Dataset, Image
from services.brain import find_templates, import_brains, lesion_free, lesion_masks
from services.cli.main import app
from services.images import read_pixels
from services.importing import import_phantom
from services.workspace import Workspace


@pytest.fixture
def images(workspace: Workspace) -> list[Image]:
    result = import_brains(workspace, "brains", 20, 48, 2, "procedural")
    assert result.imported == 20
    with workspace.session() as session:
        return list(session.scalars(sa.select(Image).order_by(Image.id)))


def test_half_have_lesions_and_everyone_is_a_person(workspace: Workspace, images: list[Image]) -> None:
    assert [i.labels for i in images].count(["Lesion"]) == [i.labels for i in images].count(["Healthy"]) == 10
    assert [sum(i.split == s for i in images) for s in ("train", "val", "test")] == [14, 2, 4]
    assert len({i.patient for i in images}) == len({i.sha256 for i in images}) == 20
    with workspace.session() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
    assert dataset.kind == "brain"
    made = dataset.meta["brain"]
    assert (made["n"], made["size"], made["seed"], made["version"]) == (20, 48, 2, "1")
    template = procedural_template()
    assert made["templates"] == [{"name": "procedural", "sha256": template.sha256, "licence": template.licence}]


def test_the_record_gives_mask_and_twin_without_the_template(workspace: Workspace, images: list[Image]) -> None:
    masks, twins = lesion_masks(images), lesion_free(workspace, images)
    assert masks.shape == twins.shape == (20, 48, 48) and masks.dtype == bool and twins.dtype == np.uint8
    for image, mask, twin in zip(images, masks, twins, strict=True):
        drawn = draw(image.meta["brain"]["seed"], [procedural_template()], 48, image.labels == ["Lesion"])
        np.testing.assert_array_equal(read_pixels(workspace, image), drawn.image)
        np.testing.assert_array_equal(mask, drawn.mask)
        np.testing.assert_array_equal(twin, drawn.twin)
        assert mask.any() == (image.labels == ["Lesion"]) == (image.meta["brain"]["lesion"] is not None)


def test_images_without_a_planted_lesion_are_refused(workspace: Workspace, images: list[Image]) -> None:
    import_phantom(workspace, "phantom", 1, 64, 0, "effusion")
    import_brains(workspace, "other", 1, 40, 0, "procedural")
    with workspace.session() as session:
        phantom, other = session.scalars(sa.select(Image).where(Image.id > images[-1].id).order_by(Image.id))
    with pytest.raises(ValueError, match=f"image {phantom.id} has no planted lesion on record: .*cfreader brain"):
        lesion_masks([phantom])
    with pytest.raises(ValueError, match=r"images of \[40, 48\] px"):
        lesion_free(workspace, [images[0], other])
    with pytest.raises(ValueError, match="no images were given"):
        lesion_masks([])


def test_refusals_come_before_any_work(workspace: Workspace, tmp_path: Path) -> None:
    import_brains(workspace, "taken", 1, 32, 0, "procedural")
    with pytest.raises(ImportRefused, match="taken"):
        import_brains(workspace, "taken", 1, 32, 0, "procedural")
    with pytest.raises(ValueError, match="size must be 32 to 512 px, got 8"):
        import_brains(workspace, "a", 1, 8, 0, "procedural")
    with pytest.raises(FileNotFoundError, match=r"no template at .*none.nii.gz: give a .nii"):
        import_brains(workspace, "a", 1, 32, 0, str(tmp_path / "none.nii.gz"))
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"text" * 200))
    with pytest.raises(NotNifti, match=r"text.nii.gz is not a single-file NIfTI-1 image"):
        import_brains(workspace, "a", 1, 32, 0, str(tmp_path / "text.nii.gz"))
    with workspace.session() as session:
        assert session.scalars(sa.select(Dataset.name)).all() == ["taken"]


def test_templates_come_from_the_data_folder_then_nilearn_then_formulas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFREADER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    inside = tmp_path / "site" / "nilearn" / "datasets" / "data"
    inside.mkdir(parents=True)
    (tmp_path / "site" / "nilearn" / "__init__.py").touch()
    unreadable = inside / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
    assert [t.name for t in find_templates()] == ["procedural"]
    unreadable.write_bytes(b"x")
    with pytest.raises(NotNifti, match=r"nilearn/datasets/data/mni"):
        find_templates()
    (tmp_path / "data" / "brain_t1").mkdir(parents=True)
    (tmp_path / "data" / "brain_t1" / "own.nii").write_bytes(b"y")
    with pytest.raises(NotNifti, match=r"brain_t1/own.nii"):
        find_templates()


def test_the_command_makes_a_set_and_names_what_is_wrong(workspace: Workspace) -> None:
    told = ["brain", "--name", "b", "--n", "2", "--size", "32", "--seed", "1"]
    result = CliRunner().invoke(app, [*told, "--template", "procedural", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["imported"] == 2
    result = CliRunner().invoke(app, ["brain", "--name", "c", "--n", "2", "--template", "/none/t1.nii"])
    assert result.exit_code == 1 and "no template at /none/t1.nii" in result.output
    with workspace.session() as session:
        assert session.scalars(sa.select(Dataset.name)).all() == ["b"]
