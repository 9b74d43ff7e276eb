"""The last moments of a process."""

import os
import threading

_LAST_WAIT_S = 3.0


def end_soon() -> None:
    """End the process in 3 s with exit code 0, if it has not ended by itself.

    Nobody is served any more, and what is left to release runs out by itself. A MongoDB that hangs, or a name that no
    DNS server tells, would hold the release; and the loop and Python wait for threads that wait for the same.
    """
    timer = threading.Timer(_LAST_WAIT_S, os._exit, [0])
    timer.daemon = True
    timer.start()
