"""Inviting somebody to read what a drop-out has left."""

from __future__ import annotations

from db.models import StudyReader
from services.accounts import AccountError, new_account
from services.invitations import new_link
from services.permissions import require
from services.study_design.takeover import take_over
from services.study_views import StudyRefused
from services.workspace import Workspace


def replace_reader(workspace: Workspace, study_reader_id: int, login: str, display_name: str, actor: str) -> str:
    """Give the remaining cases of a reader to another person, and return the path of a link for that person.

    The reader's own invitation ends; complete answers stay. Who has a password already gets the path of the reading
    list. Raises AccountError where there is no such reader or the login has another part, StudyRefused where nothing is
    left or somebody has taken over already.
    """
    with workspace.session() as session:
        dropout = session.get(StudyReader, study_reader_id)
        if dropout is None:
            raise AccountError("There is no such reader: choose one from the list.")
        if dropout.simulated:
            raise StudyRefused("A simulated reader is not replaced by a person: invite a reader instead.")
        require(session, actor, dropout.study_id, "readers")
        account = new_account(session, login, display_name, "reader", actor)
        take_over(session, dropout, account.id, actor)
        return "/read" if account.password_hash else new_link(session, account.id, dropout.study_id)
