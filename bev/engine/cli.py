"""What the command-line tools share: one clear line for bad input, a traceback for our own mistakes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def run_main(main: Callable[[], int | None]) -> None:
    """Run a tool's main function and exit with its status.

    An error that this package raises on purpose, or that the file system reports, ends as one line and status 2;
    anything else keeps its traceback. `BEV_TRACEBACK=1` keeps it for all.
    """
    try:
        status = main() or 0
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        expected = isinstance(error, OSError) or type(error).__module__.partition(".")[0] == "bev"
        if not expected or os.environ.get("BEV_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
    sys.exit(status)
