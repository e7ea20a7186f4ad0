"""Commands that prepare and serve the app."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from services.workspace import open_workspace

from .output import JsonOption, WorkspaceOption, plain_errors, say, terminal_progress

ROOT = Path(__file__).parents[2]


@plain_errors
def demo(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """Fill the workspace with the demo: phantoms, models, one run, one finished study. Idempotent."""
    from services.demo import prepare_demo

    opened = open_workspace(workspace)
    prepare_demo(opened, terminal_progress(json))
    say({"workspace": str(opened.folder)}, json, f"The demo is ready in {opened.folder}")


def serve(
    port: int = 8501,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    workspace: WorkspaceOption = None,
) -> None:
    """Serve the app until Ctrl-C."""
    if workspace is not None:
        os.environ["CFREADER_WORKSPACE"] = str(workspace.resolve())
    arguments = ["run", str(ROOT / "app.py"), f"--server.port={port}", f"--server.address={address}"]
    # Streamlit reads .streamlit/config.toml from the working directory.
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", *arguments, "--server.headless=true"])
