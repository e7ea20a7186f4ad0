"""The server: Streamlit's app with our routes, the door before them, and the worker beside them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import streamlit as st
from anyio import to_thread
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from routes import all_routes
from routes.guard import Guard
from routes.script_errors import quiet_streamlit_log, show_plain_error
from services.import_job import clean_up
from services.invitations import first_link
from services.models import register_shipped
from services.serving import workspace

# Until the first st.navigation of a process Streamlit would run a file of pages/ by its bare address, without
# studio.py and so without the question who is asking.
PagesManager.uses_pages_directory = False


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the workspace and clear what killed imports left, enter the shipped models, print the first researcher's
    link where one is needed, and keep one worker running."""
    from services.worker import start_worker

    quiet_streamlit_log()
    opened = await to_thread.run_sync(workspace)
    await to_thread.run_sync(clean_up, opened)
    await to_thread.run_sync(register_shipped, opened)
    if path := await to_thread.run_sync(first_link, opened):
        port = st.get_option("server.port")
        link = f"http://localhost:{port}{path}"
        print(f"\n  No researcher has a password yet. Set one here (works once):\n  {link}\n", flush=True)
    worker = await to_thread.run_sync(start_worker, opened)
    try:
        yield
    finally:
        await to_thread.run_sync(worker.stop)


app = st.App(
    "studio.py",
    routes=all_routes(),
    middleware=[Middleware(Guard, workspace=workspace)],
    lifespan=lifespan,
    on_script_error=show_plain_error,
)
