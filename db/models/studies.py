"""Reader studies: protocol, pairs, readers, the schedule, and the append-only readings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from .accounts import Account
from .base import Base, now


class Study(Base):
    """`state`: "draft", "locked" (immutable, readers may read), "closed". `protocol` is the canonical protocol as
    JSON; `digest` its SHA-256 with the pairs' hashes, set at lock. `title` is internal, `reader_title` neutral.
    `version` counts from 1 and grows with every amendment; `flow` holds the counts of the gate's flow diagram."""

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    reader_title: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    protocol: Mapped[dict[str, Any]] = mapped_column(default=dict)
    digest: Mapped[str | None]
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
    seed: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    locked_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    flow: Mapped[dict[str, Any]] = mapped_column(default=dict)
    pairs: Mapped[list[Pair]] = relationship(back_populates="study", order_by="Pair.id")
    readers: Mapped[list[StudyReader]] = relationship(back_populates="study", order_by="StudyReader.id")


class StudyVersion(Base):
    """A protocol as it was locked, and why it was locked anew. `manifest`: what its digest covers beside the
    protocol (hashes of the schedule, of every pair and of the runs behind them). Written once, never changed."""

    __tablename__ = "study_version"
    __table_args__ = (UniqueConstraint("study_id", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    number: Mapped[int]
    protocol: Mapped[dict[str, Any]]
    manifest: Mapped[dict[str, Any]]
    digest: Mapped[str]
    reason: Mapped[str]
    author: Mapped[str]
    locked_at: Mapped[datetime] = mapped_column(default=now)


class Pair(Base):
    """An original (or reconstruction) and a counterfactual of one patient, in one arm. Both files are lossless gray
    PNGs of equal width, height and depth.

    `kind`: "counterfactual", or that of a control: "identical", "reconstruction", "filter", "patients"; then the
    control's second image stands in the counterfactual's place. `truth`: finding key -> [in the original, in the
    counterfactual], where a reference answer is known.
    """

    __tablename__ = "pair"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    arm: Mapped[str]
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    patient: Mapped[str]
    original_key: Mapped[str]
    counterfactual_key: Mapped[str]
    sha256: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    max_value: Mapped[int]
    window_centre: Mapped[float | None]
    window_width: Mapped[float | None]
    p_source: Mapped[float]
    p_reconstruction: Mapped[float]
    p_counterfactual: Mapped[float]
    flipped: Mapped[bool]
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kind: Mapped[str] = mapped_column(default="counterfactual")
    truth: Mapped[dict[str, Any] | None]
    study: Mapped[Study] = relationship(back_populates="pairs")


class ExcludedPair(Base):
    """A picture that the gate kept from the readers, with the reason; both files stay for the report."""

    __tablename__ = "excluded_pair"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    arm: Mapped[str]
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    reason: Mapped[str]
    p_source: Mapped[float]
    p_reconstruction: Mapped[float]
    p_counterfactual: Mapped[float]
    ssim: Mapped[float]
    original_key: Mapped[str]
    reconstruction_key: Mapped[str]


class PlannedTrial(Base):
    """One place in the order of a reader who has not been invited yet: `slot` 1 becomes reader "R1", and so on."""

    __tablename__ = "planned_trial"
    __table_args__ = (UniqueConstraint("study_id", "slot", "position"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    slot: Mapped[int]
    position: Mapped[int]
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    purpose: Mapped[str]
    original_side: Mapped[str]


class StudyReader(Base):
    """A reader of a study. `label` ("R1") is what results show. `simulated` readers are never mixed up with people.

    `slot`: which planned schedule this reader reads. `replaces`: label of the reader whose remaining schedule this
    one has taken over."""

    __tablename__ = "study_reader"
    # Named by hand: both start with study_id, and one database may not hold two constraints of one name.
    __table_args__ = (
        UniqueConstraint("study_id", "account_id", name="uq_study_reader_account"),
        UniqueConstraint("study_id", "label", name="uq_study_reader_label"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    label: Mapped[str]
    simulated: Mapped[bool] = mapped_column(default=False)
    invited_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]
    slot: Mapped[int | None]
    replaces: Mapped[str | None]
    study: Mapped[Study] = relationship(back_populates="readers")
    account: Mapped[Account] = relationship()
    trials: Mapped[list[Trial]] = relationship(back_populates="study_reader", order_by="Trial.position")


class Trial(Base):
    """One pair at one place in one reader's order. `original_side` is "A" or "B"; `token` is the opaque name under
    which the browser asks for it. Written at invitation, never changed, but for `taken_over`: another reader reads
    this case in place of one who dropped out.

    `purpose`: "counted", "repeat", "control" (of the pair's kind), "training" or "guess". It never reaches a browser.
    """

    __tablename__ = "trial"
    __table_args__ = (UniqueConstraint("study_reader_id", "position"), UniqueConstraint("token"))
    id: Mapped[int] = mapped_column(primary_key=True)
    study_reader_id: Mapped[int] = mapped_column(ForeignKey("study_reader.id"))
    pair_id: Mapped[int] = mapped_column(ForeignKey("pair.id"))
    position: Mapped[int]
    original_side: Mapped[str]
    token: Mapped[str]
    purpose: Mapped[str] = mapped_column(default="counted")
    taken_over: Mapped[bool] = mapped_column(default=False)
    study_reader: Mapped[StudyReader] = relationship(back_populates="trials")
    pair: Mapped[Pair] = relationship()
    readings: Mapped[list[Reading]] = relationship(back_populates="trial", order_by="Reading.sequence")


class Reading(Base):
    """The whole state of a case as the reader sent it: append-only, the highest sequence counts.

    `answers`: {"findings": {key: "A"|"B"|"both"|"neither"|"cannot"}, "ratings": {key: int}, "comment": str}.
    `seconds` is the time the case was in front of the reader, summed over visits, without `idle_seconds` (pauses
    beyond what the protocol allows). `measures`: see `cfcore.study.measuring.checked_measures`. `version`: that of
    the study under which the answer was given.
    """

    __tablename__ = "reading"
    __table_args__ = (UniqueConstraint("trial_id", "sequence"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = mapped_column(ForeignKey("trial.id"))
    sequence: Mapped[int]
    answers: Mapped[dict[str, Any]]
    complete: Mapped[bool]
    seconds: Mapped[float]
    saved_at: Mapped[datetime] = mapped_column(default=now)
    version: Mapped[int] = mapped_column(default=1)
    idle_seconds: Mapped[float] = mapped_column(default=0.0)
    measures: Mapped[dict[str, Any]] = mapped_column(default=dict)
    trial: Mapped[Trial] = relationship(back_populates="readings")
