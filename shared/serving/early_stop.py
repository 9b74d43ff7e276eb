"""Imported before all else: from here on SIGTERM and SIGINT end the process, until a service takes them over.

As the first process of a container it would not hear them at all, and what a service imports takes half a second.
"""

import os
import signal

for _number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_number, lambda *_: os._exit(0))  # nothing has begun that would have to be ended in order
