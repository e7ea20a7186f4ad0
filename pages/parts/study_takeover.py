"""A drop-out's remaining cases go to somebody else."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from cfcore.wording import counted
from pages.parts.who import actor, workspace
from services.accounts import AccountError
from services.permissions import NotAllowed
from services.study_design.replacement import replace_reader
from services.study_views import StudyRefused, StudyView


def takeover(view: StudyView) -> None:
    """Folded, for an open study with a reader who has cases left: hand them to a replacement."""
    left = {r.id: r for r in view.readers if not r.simulated and r.done < r.total}
    if view.state != "locked" or not left:
        return
    with st.expander("A reader has dropped out", icon=":material/person_off:"):
        st.caption(
            "The cases that are left go to somebody else, in the same order and on the same sides. What is complete "
            "stays; the invitation of the reader who dropped out ends."
        )
        with st.form(f"takeover-{view.id}", border=False):
            chosen = st.selectbox(
                "Who has dropped out", list(left), width=360,
                format_func=lambda i: f"{left[i].label} · {left[i].display_name}, "
                f"{counted(left[i].total - left[i].done, 'case')} left",
            )  # fmt: skip
            with st.container(horizontal=True, vertical_alignment="bottom"):
                login = st.text_input("Login of the replacement")
                name = st.text_input("Name of the replacement")
                asked = st.form_submit_button("Hand the cases over")
        if not asked:
            return
        try:
            path = replace_reader(workspace(), chosen, login, name or login, actor())
        except (AccountError, StudyRefused, NotAllowed) as error:
            st.error(str(error))
            return
        address = urlsplit(st.context.url or "http://localhost:8501")
        st.session_state[f"link-{view.id}"] = (name or login, f"{address.scheme}://{address.netloc}{path}")
        st.rerun()
