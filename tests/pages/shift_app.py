"""Pages in AppTest: the studio script with a signed-in researcher, on a workspace that knows the test method."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from db.models import Account, Model
from services import accounts
from services.accounts import AccountView
from services.runs import start_run
from services.worker import lease, queue
from services.worker.loop import do
from services.workspace import Workspace, open_workspace
from tests.services import shift_engine

ROOT = Path(__file__).parents[2]
SECONDS = 60


def app(monkeypatch: pytest.MonkeyPatch, page: str, **query: str) -> AppTest:
    """`page` of the studio, run once, as a researcher sees it."""
    me = AccountView(_researcher(), "me", "Dr. Example", "researcher", False, 1)
    monkeypatch.setattr(accounts, "current", lambda *_: me)
    opened = AppTest.from_file(ROOT / "studio.py", default_timeout=SECONDS)
    opened.switch_page(f"pages/{page}.py")
    for key, value in query.items():
        opened.query_params[key] = value
    return opened.run()


def _researcher() -> int:
    """The id of the account "me" in the test's workspace; the services ask what it may do."""
    with open_workspace().session() as session:
        found = session.scalar(sa.select(Account).where(Account.login == "me"))
        if found is None:
            found = Account(login="me", display_name="Dr. Example", role="researcher")
            session.add(found)
            session.flush()
        return found.id


def run_of(workspace: Workspace, *, done: bool = True, images: int = 4, **config: Any) -> int:
    """A run of the test method on a scene of dark squares; done, or waiting."""
    ids = shift_engine.scene(workspace, images)
    settings = shift_engine.settings(images, **config)
    run_id = start_run(workspace, "explain", "Brighter", settings, 0, ids["dataset"], ids["classifier"])
    if done:
        work(workspace)
    return run_id


def work(workspace: Workspace) -> None:
    """Do all queued runs here."""
    assert lease.take(workspace, "test")
    while run := queue.next_run(workspace, "test"):
        do(workspace, run, "test", threading.Event())
    lease.release(workspace, "test")


def add_generator(workspace: Workspace, classifier_id: int, kind: str = "stylex") -> int:
    """A generator on paper: enough for a form."""
    with workspace.session() as session:
        row = Model(name=f"Shapes, {kind}", kind=kind, path="none", sha256="1", card={}, classifier_id=classifier_id)
        session.add(row)
        session.flush()
        return row.id


def text_of(page: AppTest) -> str:
    """Everything that the page says."""
    kinds = (page.html, page.markdown, page.caption, page.error, page.warning, page.info, page.success, page.subheader)
    return "\n".join(str(element.value) for elements in kinds for element in elements)
