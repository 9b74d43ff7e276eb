"""What two servers may say in different words."""

import json
import re
from typing import Any

from tests.protocol.http import DROPPED, Response

_SEPARATOR = "\x1e"

# What says the same in other words: ids, and texts that people read.
_PRIVATE = {"sid": "<sid>", "error": "<error>", "data": "<data>"}
# What only ours says: it is there for recovery, which the reference has switched off.
_ADDED = {"pid"}


def normal(packet: str) -> str:
    """Return a packet without what legitimately differs between two servers."""
    if packet.startswith('42["welcome"'):
        return "42[welcome]"
    if not (match := re.fullmatch(r"(\d[\d-]*(?:/[^,]*,)?\d*)([\[{].*)", packet, re.DOTALL)):
        return re.sub(r'\\"sid\\":\\"[^"]*"', "<sid>", packet)
    try:
        content = json.loads(match[2])
    except ValueError:
        return packet
    return match[1] + json.dumps(_normal(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _normal(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _PRIVATE.get(key) or _normal(value) for key, value in content.items() if key not in _ADDED}
    return [_normal(item) for item in content] if isinstance(content, list) else content


def describe(response: Response | None) -> str:
    """Return a response without what legitimately differs: its status, kind, content, and what CORS needs."""
    if response is None:
        return "no answer"
    if response is DROPPED:
        return "dropped"
    kind = response.headers.get("content-type", "-") if response.body else "-"
    allowed = response.headers.get("access-control-allow-origin")
    parts = [str(response.status), kind.lower().replace(" ", ""), _content(response.body.decode(errors="replace"))]
    return " ".join([*parts, *([f"for {allowed}"] if allowed else [])])


def _content(body: str) -> str:
    return " | ".join(normal(packet) for packet in body.split(_SEPARATOR))
