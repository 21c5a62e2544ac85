"""How the process ends."""

import os
import sys
import threading
import time

#: How long threads that should be over may take to end, in s.
LEAVE_S = 0.5
#: The exit code, as Python's own, where what was printed could not be written.
UNFLUSHED = 120


def exit_process(code: int) -> None:
    """End the process at once, whatever threads still hold it: taking the engines' memory apart, as the interpreter
    does, takes half a second more, and there is nothing in it to be saved."""
    deadline = time.monotonic() + LEAVE_S
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or UNFLUSHED
    os._exit(code)
