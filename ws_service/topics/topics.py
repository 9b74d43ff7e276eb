"""The topics that a client may ask for."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from shared.events import PRODUCTS
from shared.rooms import PRIVATE, is_private

MAX_TOPIC_LENGTH = 100

_TOPIC = re.compile(rf"{PRODUCTS}|category:[a-z0-9]+(-[a-z0-9]+)*|product:[0-9a-f]{{24}}", re.ASCII)
_OF_CLIENTS = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9_.@:-]+", re.ASCII)

_NOT_OF_CLIENTS = "|".join([*PRIVATE, "category:", "product:"])
PATTERN = rf"^({_TOPIC.pattern}|(?!{_NOT_OF_CLIENTS}){_OF_CLIENTS.pattern})$"
"""All that a topic can look like. Which of those of clients there are, the settings say."""


class Choice(NamedTuple):
    """What clients may ask for: the topics that there are beside those of the products, and how many at a time."""

    unnumbered: tuple[str, ...] = ()
    most: int = 100


def check_topic(topic: str, client_topics: Iterable[str] = ()) -> str:
    """Return a topic that exists; raise ValueError that says which do."""
    if is_numbered(topic) or is_of_clients(topic, client_topics):
        return topic
    known = ", ".join(["products", "category:<slug>", *client_topics])
    raise ValueError(f"use {known} or product:<id>")


def is_numbered(topic: str) -> bool:
    """Tell whether a topic is one of the products, of which only numbered events tell."""
    return len(topic) <= MAX_TOPIC_LENGTH and _TOPIC.fullmatch(topic) is not None


def matches(topic: str, pattern: str) -> bool:
    """Tell whether a topic is the one that is meant, or of the pattern with * at its end."""
    return topic.startswith(pattern[:-1]) if pattern.endswith("*") else topic == pattern


def is_of_clients(topic: str, client_topics: Iterable[str]) -> bool:
    """Tell whether a topic is one of `client_topics`, or of a pattern with * at its end.

    A private room is none, whatever the patterns say: only a token leads there.
    """
    if len(topic) > MAX_TOPIC_LENGTH or is_private(topic) or not _OF_CLIENTS.fullmatch(topic):
        return False
    return any(matches(topic, pattern) for pattern in client_topics)
