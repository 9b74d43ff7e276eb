"""The last moments of a process."""

import os
import threading

_LAST_WAIT_S = 2.0


def end_soon() -> None:
    """End the process in 2 s with exit code 0, if it has not ended by itself.

    All is released. But the loop and Python wait for their threads, and one of those may wait for a MongoDB that hangs,
    or for a name that no DNS server tells.
    """
    timer = threading.Timer(_LAST_WAIT_S, os._exit, [0])
    timer.daemon = True
    timer.start()
