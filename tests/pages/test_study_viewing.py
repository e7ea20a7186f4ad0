"""The hanging protocol on the study page: a draft takes it, a mistake is named, a locked study shows it."""

from __future__ import annotations

import pytest

from cfcore.study.viewing import DEFAULT_VIEWING
from db.models import Study
from services.accounts import ensure_account
from services.studies import create_study, study_view
from services.workspace import Workspace
from tests.pages.shift_app import app, text_of
from tests.services.toy_study import finished_run


def test_a_draft_takes_its_hanging_protocol(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_account(workspace, "me", "Dr. Example", "researcher")
    study = create_study(workspace, finished_run(workspace), actor="me", n_per_arm=2, title="Toy study")
    page = app(monkeypatch, "studies", study=str(study))
    assert not page.exception
    page.selectbox(key=f"view-{study}").set_value("swipe").run()
    assert any("“swipe”, which is not allowed" in warning.value for warning in page.warning)
    assert page.button(key=f"hang-{study}").disabled
    page.button_group(key=f"views-{study}").set_value(["side", "swipe"]).run()
    page.selectbox(key=f"language-{study}").set_value("de").run()
    page.checkbox(key=f"check-{study}").set_value(False).run()
    page.number_input(key=f"idle-{study}").set_value(120).run()
    page.button(key=f"hang-{study}").click().run()
    assert not page.exception
    kept = study_view(workspace, study).protocol.viewing
    assert (kept.views, kept.view, kept.language, kept.idle_seconds) == (("side", "swipe"), "swipe", "de", 120)
    assert not kept.screen_check and kept != DEFAULT_VIEWING
    with workspace.session() as session:
        session.get_one(Study, study).state = "locked"
    page = app(monkeypatch, "studies", study=str(study))
    page.segmented_control[0].set_value("1 Questions").run()
    assert not page.exception and "no screen check" in text_of(page)
    assert not [button for button in page.button if button.key == f"hang-{study}"]
