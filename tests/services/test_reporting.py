from __future__ import annotations

import re

import pytest

from services import pairs as pairs_service
from services.pairs import make_pairs
from services.reporting import write_report
from services.studies import close_study, create_study, lock_study
from services.workspace import Workspace
from tests.services.test_results import add_readers, read_all
from tests.services.toy_study import finished_run, toy_engine


@pytest.fixture
def study_id(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> int:
    """A locked study of three arms x six pairs; the second reader differs from the first under one arm."""
    monkeypatch.setattr(pairs_service, "open_engine", toy_engine)
    study_id = create_study(workspace, finished_run(workspace), actor="ada", n_per_arm=6)
    make_pairs(workspace, study_id, actor="ada")
    lock_study(workspace, study_id, actor="ada")
    add_readers(workspace, study_id, 2)

    def say(reader: str, arm: str, finding: str) -> str:
        seen = (arm == "v1+" and finding == "ctr") or (reader == "R2" and arm == "v2+" and finding == "effusion")
        return "appears" if seen else "neither"

    read_all(workspace, study_id, say)
    close_study(workspace, study_id, actor="ada")
    return study_id


def plain(report: str) -> str:
    """The words of a report, its markup gone."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", report))


def test_each_pair_of_readers_has_an_interval_over_patients(workspace: Workspace, study_id: int) -> None:
    said = plain(write_report(workspace, study_id))
    found = re.search(r"R1 and R2 (0\.\d\d) (0\.\d\d|−0\.\d\d) to (0\.\d\d|1\.00) 90 ", said)
    assert found, said[said.find("Each pair of readers") :][:400]
    kappa, low, high = (float(text.replace("−", "-")) for text in found.groups())
    # 6 of 90 answers differ: kappa is 0.63; six patients carry it, so the interval is wide.
    assert kappa == pytest.approx(0.63, abs=0.01) and low < kappa - 0.1 and high > kappa + 0.1


def test_directions_carry_a_true_minus(workspace: Workspace, study_id: int) -> None:
    said = plain(write_report(workspace, study_id))
    assert "v7 −" in said and "v7 -" not in said


def test_a_report_reads_the_same_twice(workspace: Workspace, study_id: int) -> None:
    first, second = (plain(write_report(workspace, study_id)) for _ in range(2))
    cohen = [text[text.find("Each pair of readers") :][:200] for text in (first, second)]
    assert cohen[0] == cohen[1]
