"""Who reads what we print."""

import asyncio
import os
import stat
import sys

from deploy.cli.terminal import ReaderGone


async def until_reader_is_gone() -> None:
    """Raise ReaderGone when the reader of our standard output, a pipe, has ended: the next event may be far away."""
    output = sys.stdout.fileno()
    gone = asyncio.Event()
    is_pipe = stat.S_ISFIFO(os.fstat(output).st_mode)
    if is_pipe:
        # There is never anything to read at this end; it becomes readable by the error that the other end is closed.
        asyncio.get_running_loop().add_reader(output, gone.set)
    try:
        await gone.wait()
    finally:
        if is_pipe:
            asyncio.get_running_loop().remove_reader(output)
    raise ReaderGone
