"""Trained models, runs of the worker, and what the runs found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .base import Base, now


class Model(Base):
    """Trained weights. `kind` is "classifier" or a kind of generator (cfcore/generators/registry.py); `path` is a
    folder with weights.safetensors + card.json (shipped ones start with "shipped:", others are keys in the file
    store)."""

    __tablename__ = "model"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    path: Mapped[str]
    sha256: Mapped[str]
    card: Mapped[dict[str, Any]] = mapped_column(default=dict)
    classifier_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Run(Base):
    """A piece of long work. `kind`: of services/run_kinds.py, like "explain". `state`: "queued", "running",
    "done", "failed", "cancelled". `progress` is in [0, 1]. Everything needed to repeat it is in
    `settings`, `seed`, `versions` and `inputs` (hashes of images and weights)."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_state", "state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    engine: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="queued")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seed: Mapped[int] = mapped_column(default=0)
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    classifier_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    generator_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    progress: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(default="")
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inputs: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    directions: Mapped[list[Direction]] = relationship(back_populates="run", order_by="Direction.rank")


class Lease(Base):
    """The right to work: one row per workspace, renewed by heartbeat, so that two workers never run at once."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    heartbeat: Mapped[datetime]


class Direction(Base):
    """A ranked (eigenvector, sign) pair, named like "v17 +". `mean_change` is in logits; `explained` is the share
    of images that flip under it at the run's degree."""

    __tablename__ = "direction"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    rank: Mapped[int]
    name: Mapped[str]
    index: Mapped[int]
    sign: Mapped[int]
    mean_change: Mapped[float]
    explained: Mapped[float]
    kept: Mapped[bool] = mapped_column(default=True)
    run: Mapped[Run] = relationship(back_populates="directions")


class Counterfactual(Base):
    """One image explained by a run, with the three probabilities of the target class (METHODS: never book the
    reconstruction error as effect). `file_key` is the lossless PNG of x' in the stated rendering."""

    __tablename__ = "counterfactual"
    __table_args__ = (Index("ix_counterfactual_run", "run_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    direction_id: Mapped[int | None] = mapped_column(ForeignKey("direction.id"))
    degree: Mapped[float | None]
    least_degree: Mapped[float | None]
    tried: Mapped[int | None]
    rendering: Mapped[str]
    p_source: Mapped[float]
    p_reconstruction: Mapped[float]
    p_counterfactual: Mapped[float]
    flipped: Mapped[bool]
    flipped_plain: Mapped[bool | None]
    file_key: Mapped[str | None]
