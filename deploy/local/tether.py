"""Run a program that cannot outlive its parent: `python tether.py PARENT_PID PROGRAM [ARGUMENT...]`.

Linux sends the signal asked for here when the parent ends, however it ends; exec keeps the request, fork drops it. A
program of its own asks, not a function between fork and exec (`preexec_fn`): that one runs Python in a copy of a
process with threads, PyMongo's among them, and can wait for ever for a lock that one of them held.

The parent that the kernel watches is the thread that forked, not the process: whoever starts children through this
file has to fork from a thread that lives as long as the process, as an event loop in the main thread does.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_MOST_FILES = 65_536  # a socket is a file, and the usual soft limit is 1,024


def main(parent: int, program: list[str]) -> None:
    """Become `program`, tied to the process `parent`."""
    if sys.platform == "linux":
        # SIGKILL: the next `up` may start at once and wants the ports and the data files back. MongoDB's journal and
        # the event log are made for it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the request was made
        sys.exit(1)
    _allow_many_files()
    try:
        os.execvp(program[0], program)  # noqa: S606 - the programs are ours, and there is no shell to be tricked
    except OSError as error:
        sys.exit(f"cannot run {program[0]}: {error.strerror}")


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
