"""What a process has used so far, by the kernel's own account."""

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

_SCHEDULED = 2  # CPUCLOCK_SCHED of <linux/posix-timers_types.h>: all threads together, in nanoseconds


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, in user and kernel mode."""
    return time.clock_gettime(~pid << 3 | _SCHEDULED)


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


@contextlib.contextmanager
def on_core(index: int) -> Iterator[None]:
    """Have whatever is started meanwhile run on one core alone; where there is but one, nothing changes."""
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(all_cores)[index]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)
