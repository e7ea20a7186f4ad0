"""Two steps beside the way from questions to readers: trying the study out, and holding it against the truth."""

from __future__ import annotations

import streamlit as st

from pages.parts.study_adjudication import adjudication_section
from pages.parts.study_reference import reference_section
from pages.parts.study_rehearsal import rehearsal_section
from pages.parts.study_size import size_section
from services.studies import StudyView


def rehearsal_step(view: StudyView) -> None:
    """How many readers and cases, and simulated readers who read the study before anybody does."""
    size_section(view)
    st.divider()
    rehearsal_section(view)


def reference_step(view: StudyView) -> None:
    """Reference answers with the readers' scores, and the adjudication."""
    reference_section(view)
    st.divider()
    adjudication_section(view)
