"""`python -m tests.services.shift_worker`: the worker, in a process that knows the test method."""

import sys

from services.worker.__main__ import main
from services.worker.parent import leave_with_parent

if __name__ == "__main__":
    leave_with_parent()
    from tests.services import shift_engine

    shift_engine.install()
    sys.exit(main())
