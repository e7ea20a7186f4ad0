"""Every table that the results and the report show, from the decoded readings alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cfcore.reports.confirmatory import confirmatory_table
from cfcore.reports.others import (
    checks_of_readers,
    controls_table,
    guesses_table,
    questions_of,
    ratings_on_repeats,
    strengths_of,
    trial_rows,
)
from cfcore.study.analysis_plan import AnalysisPlan
from cfcore.study.comparison import compare_arms
from cfcore.study.findings import Headline, findings_table, headline, per_reader
from cfcore.study.protocol import Arm, Finding, Rating
from cfcore.study.questions import Question
from cfcore.study.ratings import ratings_table
from cfcore.study.readers import missing_table, readers_table, times_table
from cfcore.study.readers import pairs_of_readers as agreement_of_pairs
from cfcore.study.sensitivity import cannot_assess_table

# What the readings can be broken down by beside the arm: column of the decoded table -> its name on pages.
GROUPS: Mapping[str, str] = {"source_class": "class of the image", "flipped": "class flipped", "pair": "case"}


@dataclass(frozen=True)
class Questions:
    """What was asked under which arms: enough of the protocol to make every table. plan: what was locked as
    confirmatory, None where nothing was. questions: asked beside findings and ratings."""

    findings: tuple[Finding, ...]
    ratings: tuple[Rating, ...]
    arms: tuple[Arm, ...]
    plan: AnalysisPlan | None = None
    questions: tuple[Question, ...] = ()


@dataclass(frozen=True)
class StudyTables:
    """headline, findings, per_reader, readers, ratings: see `cfcore.study`. checks: `reader_checks`.
    pairs_of_readers: Cohen's kappa of each pair of readers over (pair, finding), bootstrap over patients.
    confirmatory: see `confirmatory_table`. comparisons: every finding under every two arms, exploratory
    (Benjamini-Hochberg). controls, blinding, questions: see `cfcore.reports.others`. repeated_ratings: each reader's
    ratings of pairs read twice. strengths: arms and originals in each forced choice."""

    headline: Headline
    findings: pd.DataFrame
    per_reader: pd.DataFrame
    readers: pd.DataFrame
    ratings: pd.DataFrame
    checks: pd.DataFrame
    pairs_of_readers: pd.DataFrame
    confirmatory: pd.DataFrame
    comparisons: pd.DataFrame
    controls: pd.DataFrame
    blinding: pd.DataFrame
    questions: dict[str, pd.DataFrame]
    repeated_ratings: pd.DataFrame
    strengths: pd.DataFrame


def study_tables(
    decoded: pd.DataFrame, rated: pd.DataFrame, answers: pd.DataFrame, asked: Questions, seed: int
) -> StudyTables:
    """All tables of a study.

    decoded, rated: from `decode_readings` and `decode_ratings`, decoded with the column "pair_kind". answers: from
    `answers_table`. seed: the study's; every table has a stream of its
    own from it, so its intervals do not depend on which others are made.
    """
    rows = trial_rows(decoded, rated, answers)
    streams = [np.random.default_rng([seed, i]) for i in range(9)]
    return StudyTables(
        headline=headline(decoded, streams[0]),
        findings=findings_table(decoded, asked.findings, asked.arms, streams[1]),
        per_reader=per_reader(decoded, asked.findings, asked.arms),
        readers=readers_table(decoded),
        ratings=ratings_table(rated, asked.ratings, asked.arms, streams[2]),
        checks=checks_of_readers(decoded),
        pairs_of_readers=pairs_of_readers(decoded, streams[3]),
        confirmatory=confirmatory_table(decoded, rated, asked.plan, streams[4]),
        comparisons=compare_arms(decoded, asked.findings, asked.arms, streams[5]),
        controls=controls_table(decoded, streams[6]),
        blinding=guesses_table(rows, streams[7]),
        questions=questions_of(rows, asked.questions, asked.arms, streams[8], asked.findings),
        repeated_ratings=ratings_on_repeats(rated, asked.ratings),
        # The stream before is that of `more_tables`.
        strengths=strengths_of(rows, asked.questions, asked.arms, np.random.default_rng([seed, 10])),
    )


def more_tables(decoded: pd.DataFrame, asked: Questions, seed: int) -> dict[str, pd.DataFrame]:
    """Tables for whoever looks closer, by file name: missing answers and times per reader and arm, and what becomes of
    the findings when "cannot assess" counts as absent, as present, or as a category of its own."""
    rng = np.random.default_rng([seed, 9])
    return {
        "missing": missing_table(decoded),
        "times": times_table(decoded),
        "cannot-assess": cannot_assess_table(decoded, asked.findings, asked.arms, rng),
    }


def pairs_of_readers(decoded: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Cohen's kappa of each pair of readers over (pair, finding): first, second, value, low, high, n, note.

    A patient has a row for every finding, so rows are no cases of their own: the interval is a bootstrap over
    patients.
    """
    names = {"cohen": "value", "cohen_low": "low", "cohen_high": "high", "cohen_note": "note"}
    table = agreement_of_pairs(decoded, rng).rename(columns=names)
    return table[["first", "second", "value", "low", "high", "n", "note"]]


def findings_by(
    decoded: pd.DataFrame, findings: Sequence[Finding], column: str, rng: np.random.Generator
) -> tuple[pd.DataFrame, tuple[Arm, ...]]:
    """`findings_table` with another column of the decoded table in the place of the arm, and its values as "arms".

    Rows without a value in `column` are left out.
    """
    known = decoded[decoded[column].notna()]
    values = sorted(dict.fromkeys(known[column].astype(str)))
    groups = tuple(Arm(value, value) for value in values)
    return findings_table(known.assign(arm=known[column].astype(str)), findings, groups, rng), groups
