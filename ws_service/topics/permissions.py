"""Who may hear a topic, and talk on it."""

from shared.errors import StartupError
from shared.identity.identity import PRODUCTS_READ, Identity
from shared.rooms import is_private
from ws_service.settings import Settings
from ws_service.topics.topics import is_numbered, matches

_OWNER = "sub"


class NotPermitted(Exception):
    """What a client wants takes a token that it has not shown. `status` is 401 where it has shown none."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Permissions:
    """The rules of all topics: of the products by STORECAST_PUBLIC_READ, of clients' by STORECAST_TOPIC_RULES."""

    def __init__(self, settings: Settings) -> None:
        self._public_read = settings.public_read
        self._rules = settings.topic_rules
        for name, patterns in (("CLIENT_TOPICS", settings.client_topics), ("TOPIC_RULES", settings.topic_rules)):
            if any(is_private(pattern) for pattern in patterns):
                raise StartupError(f"STORECAST_{name}: user:... and device:... are for the owners of tokens only")

    def check(self, topics: frozenset[str], who: Identity) -> None:
        """Raise NotPermitted that names the first topic that is closed to a client."""
        for topic in sorted(topics):
            if lacking := self._lacking(topic, who):
                raise NotPermitted(401 if who.subject is None else 403, f"topic {topic}: {lacking}")

    def closed(self, topics: frozenset[str], who: Identity) -> frozenset[str]:
        """Return the topics that a client may not hear."""
        return frozenset(topic for topic in topics if self._lacking(topic, who))

    def _lacking(self, topic: str, who: Identity) -> str | None:
        if is_numbered(topic):
            rules = [] if self._public_read else [PRODUCTS_READ]
        else:
            # All that match must hold: a rule for some takes nothing away from a rule for more.
            rules = [rule for pattern, rule in self._rules.items() if matches(topic, pattern)]
        for rule in rules:
            if rule == _OWNER:
                if not (who.is_trusted or who.subject == topic.partition(":")[2]):
                    return "only the user that it names may, by a token with that sub"
            elif not who.may(rule):
                return f"this takes a token with the scope {rule}"
        return None
