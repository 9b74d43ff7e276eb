"""The topics that a client may ask for."""

import re

from shared.events import PRODUCTS

MAX_TOPICS = 100

_TOPIC = re.compile(rf"{PRODUCTS}|category:[a-z0-9]+(-[a-z0-9]+)*|product:[0-9a-f]{{24}}", re.ASCII)
_MAX_LENGTH = 100


def check_topic(topic: str) -> str:
    """Return a topic that exists; raise ValueError that says which do."""
    if len(topic) > _MAX_LENGTH or not _TOPIC.fullmatch(topic):
        raise ValueError("use products, category:<slug> or product:<id>")
    return topic
