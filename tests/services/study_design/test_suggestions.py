"""A new study is called by what its images are, and asks what fits their labels."""

from __future__ import annotations

from typing import Any

import pytest

from db.models import Dataset, Image
from services.study_design.suggestions import neutral_title, suggested_list
from services.workspace import Workspace


def a_data_set(workspace: Workspace, kind: str, meta: dict[str, Any], labels: list[str]) -> int:
    with workspace.session() as session:
        row = Dataset(name=kind, kind=kind, meta={})
        session.add(row)
        session.flush()
        for i, label in enumerate(labels):
            session.add(
                Image(
                    dataset_id=row.id, patient=f"p{i}", split="test", file_key=f"{kind}-{i}", sha256=f"{i:064x}",
                    labels=[label], width=8, height=8, max_value=255, meta=meta,
                )
            )  # fmt: skip
        return row.id


@pytest.mark.parametrize(
    ("kind", "meta", "title"),
    [
        ("imported", {"modality": "DX"}, "Chest radiographs, series 3"),
        ("imported", {}, "Chest radiographs, series 3"),
        ("imported", {"modality": "CT"}, "CT images, series 3"),
        ("brain", {"modality": "MR"}, "MR images, series 3"),
        ("digit", {}, "Digits, series 3"),
    ],
)
def test_the_title_says_what_the_images_are(workspace: Workspace, kind: str, meta: dict[str, Any], title: str) -> None:
    dataset = a_data_set(workspace, kind, meta, ["a"])
    with workspace.session() as session:
        assert neutral_title(session, dataset, 3) == title


@pytest.mark.parametrize(
    ("target", "labels", "expected"),
    [
        ("No Effusion", ["Effusion", "No Effusion"], "effusion"),
        ("Healthy", ["Healthy", "Lesion"], "lesion"),
        ("Normal", ["Pneumonia", "Normal"], "pneumonia"),
        ("3", ["3", "8"], "cardiomegaly"),
    ],
)
def test_the_list_fits_the_target_or_the_labels_beside_it(
    workspace: Workspace, target: str, labels: list[str], expected: str
) -> None:
    dataset = a_data_set(workspace, "imported", {}, labels)
    with workspace.session() as session:
        assert suggested_list(session, dataset, target) == expected


def test_an_empty_data_set_gets_what_is_usual(workspace: Workspace) -> None:
    with workspace.session() as session:
        assert neutral_title(session, None, 1) == "Chest radiographs, series 1"
        assert suggested_list(session, None, "Healthy") == "cardiomegaly"
