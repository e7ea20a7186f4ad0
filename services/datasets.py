"""The data sets of a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from db.models import Dataset, Image
from services.workspace import Workspace


@dataclass(frozen=True)
class DatasetView:
    """A data set: `labels` and `splits` count images."""

    id: int
    name: str
    kind: str
    meta: dict[str, Any]
    images: int
    patients: int
    labels: dict[str, int]
    splits: dict[str, int]


def list_datasets(workspace: Workspace) -> list[DatasetView]:
    """All data sets, oldest first."""
    with workspace.session() as session:
        found = {row.id: row for row in session.scalars(sa.select(Dataset).order_by(Dataset.id))}
        columns = sa.select(Image.dataset_id, Image.patient, Image.split, Image.labels)
        rows = session.execute(columns.order_by(Image.id)).tuples().all()
    patients: dict[int, set[str]] = {i: set() for i in found}
    labels: dict[int, dict[str, int]] = {i: {} for i in found}
    splits: dict[int, dict[str, int]] = {i: {} for i in found}
    for dataset_id, patient, split, names in rows:
        patients[dataset_id].add(patient)
        splits[dataset_id][split] = splits[dataset_id].get(split, 0) + 1
        for name in names:
            labels[dataset_id][name] = labels[dataset_id].get(name, 0) + 1
    return [
        DatasetView(i, row.name, row.kind, row.meta, sum(splits[i].values()), len(patients[i]), labels[i], splits[i])
        for i, row in found.items()
    ]


def dataset_named(workspace: Workspace, name: str) -> DatasetView:
    """The data set called `name`. Raises ValueError that lists the known ones."""
    found = list_datasets(workspace)
    for dataset in found:
        if dataset.name == name:
            return dataset
    raise ValueError(f"no data set called {name!r}; there are: {', '.join(d.name for d in found) or 'none'}")
