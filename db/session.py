"""Opening the database: SQLite (WAL) by default, PostgreSQL by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.orm import Session, sessionmaker

MIGRATIONS = Path(__file__).parent / "migrations"


def open_database(url: str) -> sa.Engine:
    """An engine for `url` (e.g. "sqlite:////data/cfreader.sqlite" or "postgresql+psycopg://...").

    On SQLite every connection runs in WAL with full synchronisation (a committed reading survives a power cut),
    foreign keys on, and waits up to 30 s for another writer.
    """
    sqlite = url.startswith("sqlite")
    engine = sa.create_engine(url, pool_pre_ping=not sqlite, connect_args={"timeout": 30} if sqlite else {})
    if sqlite:

        @sa.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def upgrade(engine: sa.Engine) -> None:
    """Bring the database to the newest schema (Alembic); safe to call at every start."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def session_of(engine: sa.Engine) -> Iterator[Session]:
    """A session that commits at the end and rolls back on any error; objects stay readable after the commit."""
    with sessionmaker(engine, expire_on_commit=False).begin() as session:
        yield session
