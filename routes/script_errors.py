"""What a person sees, and what the log keeps, when a page fails: no raw exception, no data."""

from __future__ import annotations

import logging
import secrets
import traceback
from urllib.parse import urlsplit

import streamlit as st

from .wording import FALLBACK, spoken, texts

log = logging.getLogger("cfreader.pages")


def quiet_streamlit_log() -> None:
    """Keep Streamlit from logging uncaught exceptions with their messages, which may quote data."""
    logging.getLogger("streamlit.error_util").disabled = True


def show_plain_error(error: Exception) -> bool:
    """Log the place of an uncaught page error under an id (never its message) and show the id. True: handled."""
    identity = secrets.token_hex(4)
    places = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
    log.error("page error %s: %s at %s", identity, type(error).__name__, " < ".join(reversed(places[-8:])))
    # Of the pages only the reading room is a reader's; the studio speaks English.
    reading = urlsplit(st.context.url or "").path == "/read"
    words = texts()[spoken("", st.context.locale or "") if reading else FALLBACK]
    st.error(words["page.failed"].format(number=identity), icon=":material/error:")
    return True
