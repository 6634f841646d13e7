"""How every tool ends: one clear line for bad input. Needs nothing but Python, as tools/doctor.py runs everywhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from bev.datasets.parallel import INTERRUPTED

OURS = ("bev", "projects")  # packages whose errors are told in one line
WORKER_TRACEBACK = "Original Traceback (most recent call last):"  # in what torch makes of a data worker's error


def run_main(main: Callable[[], int | None]) -> None:
    """Run a tool's main function and exit with its status.

    An error that this package or a project raises on purpose, or that the file system reports, ends as one line and
    status 1; anything else keeps its traceback. `BEV_TRACEBACK=1` keeps it for all. Ctrl-C and SIGTERM give status 130.
    """
    status: int | str = 0
    interrupted = False
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is half-written goes
    try:
        status = main() or 0
    except KeyboardInterrupt:
        interrupted = True
    except Exception as error:
        interrupted = _hides_interrupt(error)
        if not interrupted and (not _is_expected(error) or os.environ.get("BEV_TRACEBACK")):
            raise
        status = f"error: {_message_of(error)}"
    finally:
        signal.signal(signal.SIGTERM, before)
    # By now the error's frames are gone, and with them progress bars, which would write below the message.
    if interrupted:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    sys.exit(status)


def _hides_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C made an error: mmengine turns it into a SyntaxError while it formats a config."""
    context = error.__context__
    return context is not None and (isinstance(context, KeyboardInterrupt) or _hides_interrupt(context))


def _is_expected(error: Exception) -> bool:
    """Whether an error tells what is wrong with the input, and not with the program."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in OURS


def _message_of(error: Exception) -> str:
    """What an error says, without the traceback that torch writes into that of a data worker."""
    message = str(error)
    if WORKER_TRACEBACK not in message:
        return message
    return message.rpartition(f"{type(error).__name__}: ")[2].strip()
