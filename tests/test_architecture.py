"""The rooms and which way data flows between them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What each room must not import: ours above it, and libraries that belong to another room.
FORBIDDEN = {
    "cfcore": {"db", "services", "routes", "components", "pages", "streamlit", "sqlalchemy"},
    "db": {"cfcore", "services", "routes", "components", "pages", "streamlit", "torch"},
    "services": {"routes", "components", "pages", "streamlit"},
    "routes": {"pages", "torch", "sqlalchemy", "db"},
    "components": {"pages", "torch", "sqlalchemy", "db"},
    "pages": {"db", "torch", "sqlalchemy", "routes"},
}


def imports(path: Path) -> set[str]:
    """Top-level names that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_only_downwards(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files, f"the room {room} is empty"
    wrong = {str(path.relative_to(ROOT)): sorted(imports(path) & FORBIDDEN[room]) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_weights_are_never_unpickled() -> None:
    for room in ("cfcore", "services"):
        for path in (ROOT / room).rglob("*.py"):
            for line in path.read_text().splitlines():
                if "torch.load(" in line:
                    assert "weights_only=True" in line, f"{path.relative_to(ROOT)}: {line.strip()}"
                assert "import pickle" not in line, path.relative_to(ROOT)
