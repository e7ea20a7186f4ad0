"""`python -m services.worker --workspace FOLDER`: the worker on its own, e.g. on a machine without the web server."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from services.worker.parent import leave_with_parent

NICE = 10


def main(arguments: list[str] | None = None) -> int:
    """Run the worker until it is stopped; status 3 when another worker holds the workspace."""
    parser = argparse.ArgumentParser(prog="python -m services.worker", description=__doc__)
    parser.add_argument("--workspace", help="folder of the workspace (default: $CFREADER_WORKSPACE or ./workspace)")
    parser.add_argument("--holder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if hasattr(os, "nice"):
        os.nice(NICE)
    if options.child:
        # Ctrl-C in the server's terminal reaches the whole group; the end of the pipe says all there is to say.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopping = leave_with_parent()
    else:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
    # Slow to import (torch), so after the watch on the server has begun.
    from services.worker.loop import LEASE_TAKEN, work
    from services.worker.supervise import new_holder
    from services.workspace import open_workspace

    status = work(open_workspace(options.workspace), options.holder or new_holder(), stopping)
    if options.child:
        # Taking down the interpreter with torch in it can last seconds on a busy machine, and all is stored.
        os._exit(status)
    if status == LEASE_TAKEN:
        print("another worker already works on this workspace", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
