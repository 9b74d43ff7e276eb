"""Whether a program has said what stands in a document."""

import re
from typing import Any

_ANY = ".*?"
_LEFT_OUT = re.compile(r"\\\.\\\.\\\.|<[a-z]+>")


def pattern(shown: str) -> re.Pattern[str]:
    """Return what matches as much as is shown.

    `...` and `<word>` are anything within a line, and `...` alone in a line is any lines.
    """
    lines = [_LEFT_OUT.sub(_ANY, re.escape(line)) for line in shown.rstrip().splitlines()]
    return re.compile("".join("(?:.*\n)*?" if line == _ANY else f"{line} *\n" for line in lines))


def said(shown: str, printed: str) -> bool:
    """Whether exactly this was printed."""
    return bool(pattern(shown).fullmatch(printed.rstrip() + "\n"))


def begun(shown: str, printed: str) -> bool:
    """Whether this stands among the lines that were printed, of which there may be more."""
    return bool(re.search(rf"(?m)^{pattern(shown).pattern}", printed))


def differences(example: Any, answer: Any, at: str = "") -> list[str]:
    """Return where an answer is not of an example's shape: other fields, or another kind of value."""
    if isinstance(example, dict) and isinstance(answer, dict):
        others = [f"{at}.{name} is in one alone" for name in example.keys() ^ answer.keys()]
        same = (name for name in example if name in answer)
        return others + [found for name in same for found in differences(example[name], answer[name], f"{at}.{name}")]
    if isinstance(example, list) and isinstance(answer, list):
        if bool(example) != bool(answer):
            return [f"{at} is empty in one alone"]
        pairs = zip(example, answer, strict=False)
        return [found for index, pair in enumerate(pairs) for found in differences(*pair, f"{at}[{index}]")]
    return [] if type(example) is type(answer) else [f"{at} is another kind of value"]
