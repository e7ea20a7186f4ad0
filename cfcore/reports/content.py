"""What a study report is made of: plain data that the caller fills in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cfcore.metrics.factor_effects import EffectOf
from cfcore.reports.facts import StudyFacts
from cfcore.reports.tables import StudyTables
from cfcore.study.findings import Headline
from cfcore.study.protocol import Protocol


@dataclass(frozen=True)
class Picture:
    """A PNG (bytes) with its caption."""

    caption: str
    png: bytes


@dataclass(frozen=True)
class CaseReading:
    """What one reader said about a pair, decoded: finding key -> "appears", "disappears", "both", "neither",
    "cannot assess" or "no answer"; rating key -> value or None. first: no second reading of the same pair."""

    reader: str
    seen: Mapping[str, str]
    ratings: Mapping[str, int | None] = field(default_factory=dict)
    comment: str = ""
    seconds: float | None = None
    first: bool = True


@dataclass(frozen=True)
class ReportCase:
    """A pair for the drill-down. `facts`: what is known of it, e.g. {"Probability, original": "0.08"}."""

    label: str
    patient: str
    arm: str
    readings: Sequence[CaseReading]
    facts: Mapping[str, str] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class ReportEntry:
    """An entry of the notebook: title, note as HTML (cleaned again here), picture (PNG) and settings."""

    title: str
    note_html: str = ""
    png: bytes | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptBack:
    """A picture that the gate kept from the readers: why, in a sentence, and original and reconstruction."""

    why: str
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class ReportContent:
    """Everything that `study_report` shows.

    digest: of the locked protocol. status: e.g. "Closed 14 Nov 2026" or "Open for reading". created: when the
    report was made. findings, per_reader, readers, ratings: from `findings_table`, `per_reader`,
    `readers_table`, `ratings_table`. pairs_of_readers: from `cohen_pairs` over (pair, finding), if wanted.
    simulated: labels of readers that are programs. versions: name -> version or hash. limitations: sentences
    of the study's own. true_factors: what each arm really moves, where the images are phantoms, and
    true_findings: (finding, arm) -> in which share of pairs it truly appears (`services.result_truth.Truth`). tables:
    every table of the study, for tests, controls and figures; facts: what methods text and checklists are written
    from; decoded: the readings, for the figure of times; flow_svg: the flow diagram (our own markup, trusted);
    kept_back: failed reconstructions and what else the gate left out, the first of them. outside: the chair's decisions
    and the readers' scores, by the file name of the table (`services.report.outside`).
    """

    protocol: Protocol
    digest: str
    status: str
    created: str
    headline: Headline
    findings: pd.DataFrame
    per_reader: pd.DataFrame
    readers: pd.DataFrame
    ratings: pd.DataFrame
    pairs_of_readers: pd.DataFrame | None = None
    cases: Sequence[ReportCase] = ()
    entries: Sequence[ReportEntry] = ()
    simulated: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    limitations: Sequence[str] = ()
    interim: bool = False
    true_factors: Sequence[EffectOf] = ()
    true_findings: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    tables: StudyTables | None = None
    facts: StudyFacts | None = None
    decoded: pd.DataFrame | None = None
    flow_svg: str = ""
    kept_back: Sequence[KeptBack] = ()
    outside: Mapping[str, pd.DataFrame] = field(default_factory=dict)
