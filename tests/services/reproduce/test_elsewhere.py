"""Generators that a user has trained, measured in the place of those that are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli.main import app
from services.reproduce.elsewhere import measured_generators
from tests.services.reproduce.test_material import a_pair, card


def test_two_generators_of_one_name_are_refused(tmp_path: Path) -> None:
    a_pair(tmp_path, "NIH effusion", "No Finding", "Effusion")
    card(tmp_path, "again", kind="stylex", name="NIH again", classifier="NIH effusion, C", config={"size": 64})
    with pytest.raises(ValueError, match="'NIH effusion, G' and 'NIH again' would both be called nih_effusion"):
        measured_generators(tmp_path, size=64)


def test_figures_of_other_models_are_not_looked_for_in_the_store(tmp_path: Path) -> None:
    for command in (["bench", "stylex"], ["reproduce", "eigenfind-table1"]):
        empty = CliRunner().invoke(app, [*command, "--models", str(tmp_path)])
        assert empty.exit_code == 1 and "there is no StylEx generator of 64 px" in empty.output
    a_pair(tmp_path, "NIH effusion", "No Finding", "Effusion")
    for command in (["bench", "stylex"], ["reproduce", "eigenfind-table1"]):
        found = CliRunner().invoke(app, [*command, "--cached", "--models", str(tmp_path)])
        assert found.exit_code == 1 and "leave --cached out" in found.output.replace("\n", " ")
