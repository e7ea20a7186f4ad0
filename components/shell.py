"""The frame around every page of the studio: spacing, and who is signed in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"

_STYLE = """
<style>
[data-testid="stMainBlockContainer"] { padding: 5rem 2rem 3rem; max-width: 1680px; }
[data-testid="stHeader"] { border-bottom: 1px solid #d9dee6; background: #fff; }
[data-testid="stAppDeployButton"], [data-testid="stDecoration"] { display: none; }
/* Streamlit's own menu would lie under the account. */
[data-testid="stMainMenu"] { display: none; }
[data-testid="stHeader"] [data-testid="stToolbar"] { padding-right: 15rem; }
/* On a small screen the account is its button alone: the name would lie over the last pages. */
@media (max-width: 1200px) { [data-testid="stHeader"] [data-testid="stToolbar"] { padding-right: 7rem; } }
:focus-visible { outline-offset: 2px; }
</style>
"""

_ACCOUNT_CSS = """
.account { position: fixed; top: 0; right: 1.5rem; height: 3.75rem; z-index: 999991; display: flex; align-items: center;
  gap: 12px; font: 14px/1.4 var(--st-font); color: #5b6577; }
.account span { max-width: 21rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
@media (max-width: 1200px) { .account span { display: none; } }
.account b { font-weight: 600; color: #1b2230; }
.account button { font: inherit; color: #00659b; background: none; border: 1px solid #d9dee6; border-radius: 6px;
  padding: 4px 10px; cursor: pointer; }
.account button:hover { border-color: #0077b6; }
.account button:focus-visible { outline: 3px solid #7cc4ea; outline-offset: 1px; }
"""

_ACCOUNT_JS = """
export default function ({ data, parentElement }) {
  let box = parentElement.querySelector(".account");
  if (!box) {
    box = document.createElement("div");
    box.className = "account";
    const who = document.createElement("span");
    const out = document.createElement("button");
    out.textContent = "Sign out";
    out.type = "button";
    out.onclick = async () => {
      await fetch("/auth/sign-out", { method: "POST", redirect: "manual" });
      location.assign("/auth/sign-in");
    };
    box.append(who, out);
    parentElement.append(box);
  }
  const who = box.querySelector("span");
  const name = document.createElement("b");
  name.textContent = data.name;
  who.replaceChildren(name, " · " + data.role);
  box.querySelector("button").title = `Signed in as ${data.name}, ${data.role}`;
}
"""

_account = st.components.v2.component("cfreader_account", css=_ACCOUNT_CSS, js=_ACCOUNT_JS)


def style_shell() -> None:
    """Spacing and header of the studio, the same on every page."""
    st.html(_STYLE)
    st.logo(str(ASSETS / "logo.svg"), size="medium")


def account_menu(name: str, role: str) -> None:
    """Name, role and "Sign out" at the right end of the header."""
    _account(key="account", data={"name": name, "role": role}, height=1)
