"""The Dockerfile without Docker: what it copies exists, and its pip lines install an app that answers."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text().splitlines()


def _lines(word: str) -> list[str]:
    return [line.removeprefix(word).strip() for line in LINES if line.startswith(word + " ")]


def test_everything_that_is_copied_exists_and_everything_needed_is_copied() -> None:
    sources = [source for line in _lines("COPY") for source in shlex.split(line)[:-1]]
    assert [s for s in sources if not (ROOT / s).exists()] == []
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists() and path.name != "tests"}
    assert rooms <= set(sources)


def test_the_server_runs_as_a_user_without_rights_and_is_watched() -> None:
    assert _lines("USER") == ["cfreader"]
    check = _lines("HEALTHCHECK")[0]
    assert "/_stcore/health" in check
    assert LINES.index("USER cfreader") < next(i for i, line in enumerate(LINES) if line.startswith("CMD"))


@pytest.mark.timeout(900)
def test_pip_lines_install_a_command_that_answers(tmp_path: Path) -> None:
    """The RUN lines with pip, in a fresh venv over a copy of what is copied."""
    app = tmp_path / "app"
    for line in _lines("COPY"):
        *sources, target = shlex.split(line)
        for source in sources:
            place = app / target / Path(source).name if target == "./" else app / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    pip_lines = [line for line in _lines("RUN") if line.startswith("python -m pip")]
    assert len(pip_lines) == 2 and "torch==2.13.0" in pip_lines[0]
    for line in pip_lines:
        command = re.sub(r"^python\b", str(venv / "bin" / "python"), line).replace(" --no-cache-dir", "")
        # Compiling what one command will never import takes longer than installing it.
        command = command.replace("pip install", "pip install --no-compile")
        subprocess.run(command, shell=True, cwd=app, check=True, capture_output=True)
    environment = {"PATH": str(venv / "bin"), "CFREADER_WORKSPACE": str(tmp_path / "data"), "HOME": str(tmp_path)}
    out = subprocess.run(
        ["cfreader", "list", "--json"], cwd=app, env=environment, check=True, capture_output=True, text=True
    )
    assert out.stdout.strip() == '{"datasets": [], "models": [], "runs": []}'
