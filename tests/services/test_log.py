from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from db.events import first_broken
from db.models import Event
from services.accounts import ensure_account
from services.log import actor_name, log_event
from services.workspace import Workspace


def test_writers_at_the_same_time_all_get_their_place_in_the_chain(workspace: Workspace) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: log_event(workspace, "ada", "report written", f"study {i}", n=i), range(24)))
    with workspace.session() as session:
        subjects = set(session.scalars(sa.select(Event.subject)))
        assert first_broken(session) is None
    assert subjects == {f"study {i}" for i in range(24)}


def test_a_person_is_told_by_name_and_a_program_as_it_is(workspace: Workspace) -> None:
    ada = ensure_account(workspace, "ada", "Dr. Ada", "researcher")
    said = [actor_name(workspace, actor) for actor in (f"account {ada}", "account 4711", "demo", "account of ada")]
    assert said == ["Dr. Ada", "account 4711", "demo", "account of ada"]
