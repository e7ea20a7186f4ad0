"""The Streamlit script: who is signed in decides which pages there are."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from components.shell import ASSETS, account_menu, style_shell
from services.accounts import AccountView, current
from services.collecting import freeze_modules
from services.serving import workspace
from services.study_members import edits

PAGES = Path(__file__).parent / "pages"
STUDIO = ("home", "data", "models", "explore", "runs", "studies", "results", "notebook", "read")


def go_to_list() -> None:
    """A reader's start page: the reading list, under the one address that invitations and bookmarks name."""
    st.switch_page(st.Page(PAGES / "read.py"))


def pages_for(account: AccountView | None) -> list[StreamlitPage]:
    """Every page that this person may open; for the others there is no address at all."""
    if account is None:
        return [st.Page(PAGES / "sign_in.py", title="Sign in", default=True)]
    if account.role == "colleague":
        names = ("desk", "studies", "results", "read") if edits(workspace(), account.id) else ("desk", "read")
        return [st.Page(PAGES / f"{n}.py", title=n.capitalize(), default=n == "desk") for n in names]
    if account.role == "reader":
        return [st.Page(go_to_list, title="Start", default=True), st.Page(PAGES / "read.py", title="Read")]
    return [
        st.Page(PAGES / f"{name}.py", title=name.capitalize(), default=name == "home")
        for name in STUDIO
        if (PAGES / f"{name}.py").exists()
    ]


st.set_page_config(page_title="cfreader", page_icon=str(ASSETS / "mark.svg"), layout="wide")
account = current(workspace(), st.context.cookies)
studio = account is not None and account.role != "reader"
page = st.navigation(pages_for(account), position="top" if studio else "hidden")
if account and studio:
    style_shell()
    account_menu(account.display_name, account.role)
page.run()
freeze_modules()
