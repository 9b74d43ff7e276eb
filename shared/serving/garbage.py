"""When cycles of garbage are looked for, which stops all else: not at the start, and not in what was loaded."""

import gc


def look_for_none() -> None:
    """Look for none: of what is imported nothing is garbage, and it is a tenth of the work to find that out."""
    gc.disable()


def look_for_new() -> None:
    """Look for what is made from now on: of all that was loaded it would take some 50 ms, again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()
