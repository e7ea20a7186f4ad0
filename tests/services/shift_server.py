"""`python -m tests.services.shift_server WORKSPACE`: a stand-in for the web server that has started its worker; prints
the worker's process number and then does nothing until it is killed."""

import sys
import time

from services.worker import start_worker
from services.workspace import open_workspace

if __name__ == "__main__":
    handle = start_worker(open_workspace(sys.argv[1]), (sys.executable, "-m", "tests.services.shift_worker"))
    while True:
        print(handle.pid or 0, flush=True)
        time.sleep(0.2)
