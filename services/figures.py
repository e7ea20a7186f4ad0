"""Measured figures: one JSON object a measurement, and the stored ones with what they depend on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.runs import versions

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Figures:
    """What a `bench`, `reproduce` or `evaluate` command prints.

    Shares are fractions in [0, 1], times seconds unless the name ends in _ms.
    """

    name: str
    figures: dict[str, float]
    settings: dict[str, Any]
    seconds: float
    versions: dict[str, str] = field(default_factory=versions)


def measured(name: str, settings: dict[str, Any], work: Callable[[], dict[str, float]]) -> Figures:
    """Run `work` and time it."""
    started = time.perf_counter()
    figures = work()
    return Figures(name, figures, settings, round(time.perf_counter() - started, 2))


def store(result: Figures, inputs: dict[str, str], sources: Iterable[Path]) -> Path:
    """Keep a full run's figures under benchmarks/results/, with the commit and the hashes of what they depend on.

    Args:
        inputs: name -> SHA-256 of weights and data.
        sources: source files whose change makes the figures stale.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    files = {str(path.resolve().relative_to(ROOT)): _file_hash(path) for path in sources}
    content = asdict(result) | {"commit": _commit(), "inputs": inputs, "sources": files}
    path = RESULTS / f"{result.name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def cached(name: str, inputs: dict[str, str]) -> dict[str, Any]:
    """The stored figures, with `stale`: whether weights, data or source files have changed since.

    Raises:
        FileNotFoundError: nothing is stored under that name.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"no stored figures for {name!r}: run the command once without --cached")
    content: dict[str, Any] = json.loads(path.read_text())
    changed = [
        file
        for file, digest in content["sources"].items()
        if not (ROOT / file).exists() or _file_hash(ROOT / file) != digest
    ]
    return content | {"stale": bool(changed) or inputs != content["inputs"], "changed": changed}


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _commit() -> str:
    out = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return out.stdout.strip() or "unknown"
