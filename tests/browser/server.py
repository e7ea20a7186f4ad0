"""The real server as a child process, on a free port, with a workspace of its own."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError

from db.models import Lease, now
from services.worker import lease
from services.workspace import open_workspace

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A TCP port that nobody listens on just now, below those that the system lends to outgoing connections: a
    browser's could take the port of a server that was killed before it is started again."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def leave_work_to_others(folder: Path) -> None:
    """As if another machine's worker held the workspace: for a day its servers start none of their own, which costs
    each as much as the server itself."""
    workspace = open_workspace(folder)
    with workspace.session() as session:
        session.merge(Lease(name=lease.NAME, holder="another machine", heartbeat=now() + timedelta(days=1)))
    workspace.engine.dispose()


@dataclass
class Server:
    """`streamlit run app.py` on `folder`. `log` collects its output. Use as a context manager, or start and stop.

    worker: whether the server starts its worker; reading needs none.
    """

    folder: Path
    worker: bool = True
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self, timeout: float = 240) -> Server:
        """Start and wait until it answers. Raises RuntimeError with the log where it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.worker:
            leave_work_to_others(self.folder)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "CFREADER_WORKSPACE": str(self.folder), "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                    if answer.status == 200:
                        return self
            except (URLError, OSError):
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the server did not start within {timeout} s:\n{self.log}")

    def kill(self) -> None:
        """kill -9, and wait until the process is gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        """Ask it to end; after 10 s make it end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
