"""orjson in the form in which python-socketio and python-engineio call a JSON module."""

from typing import Any

import orjson


def dumps(value: Any, **_separators: Any) -> str:
    """Encode without white space, which is the only form the callers ask for."""
    return orjson.dumps(value).decode()


def loads(text: str | bytes) -> Any:
    """Decode; raise ValueError."""
    return orjson.loads(text)
