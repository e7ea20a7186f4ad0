import json

import pytest
from typer.testing import CliRunner

from cfcore.study.sample_size import Expected
from services.cli.main import app
from services.sample_size import sample_size


def test_the_object_that_page_and_command_share():
    result = sample_size("difference", 0.3, Expected(0.5, 0.1), readers=(1, 3), cases=(10, 40, 160), simulations=60)
    assert result["name"] == "sample-size" and len(result["rows"]) == 6
    assert result["figures"]["cases_3"] in (40, 160) and result["settings"]["prevalence"] == 0.5
    again = sample_size("difference", 0.3, Expected(0.5, 0.1), readers=(1, 3), cases=(10, 40, 160), simulations=60)
    assert again["rows"] == result["rows"]
    with pytest.raises(ValueError, match="Unknown target"):
        sample_size("power")
    with pytest.raises(ValueError, match="confidence"):
        sample_size(confidence=95)


def test_the_command():
    run = CliRunner()
    options = ["sample-size", "--simulations", "40", "--readers", "2,4", "--cases", "20,100", "--width", "0.3"]
    told = run.invoke(app, options)
    assert told.exit_code == 0 and "2 readers:" in told.output and "cases" in told.output
    content = json.loads(run.invoke(app, [*options, "--json"]).output)
    assert {"name", "figures", "settings", "seconds", "versions", "rows", "smallest"} <= set(content)
    failed = run.invoke(app, ["sample-size", "--readers", "two"])
    assert failed.exit_code == 1 and "whole numbers" in failed.output
