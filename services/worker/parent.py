"""How the child learns that its server is gone: the pipe that is its standard input ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from functools import cache

GRACE_SECONDS = 4.0


@cache
def leave_with_parent() -> threading.Event:
    """Watch standard input; at its end set the event that is returned, and end this process soon after.

    Works for every way in which a server can end, kill -9 included, on every system: the operating system closes the
    server's side of the pipe. The running job has GRACE_SECONDS to stop at a good place. To be called before anything
    slow is imported.
    """
    stopping = threading.Event()
    threading.Thread(target=_watch, args=(stopping,), name="parent watch", daemon=True).start()
    return stopping


def _watch(stopping: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while sys.stdin.buffer.read(1):
            pass
    if hasattr(signal, "setitimer"):
        # The system ends us even if a long computation never lets this thread run again.
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
    stopping.set()
    time.sleep(GRACE_SECONDS)
    os._exit(0)
