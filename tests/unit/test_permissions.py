from typing import Any

import pytest
from pydantic import ValidationError

from shared.errors import StartupError
from shared.identity.identity import ANYONE, PRODUCTS_READ, Identity
from ws_service.settings import Settings
from ws_service.topics.permissions import NotPermitted, Permissions

ANN = Identity("ann")
TRUSTED = Identity(is_trusted=True)


def permissions(**fields: Any) -> Permissions:
    return Permissions(Settings.model_validate({"emitter_secret": "x" * 16, "auth": "off", **fields}))


def status(permissions: Permissions, topic: str, who: Identity) -> int | None:
    try:
        permissions.check(frozenset({topic}), who)
    except NotPermitted as refused:
        return refused.status if topic in str(refused) else None
    return None


@pytest.mark.parametrize("topic", ["products", "category:toys", "product:" + "a" * 24])
def test_products_are_for_everybody_unless_reading_is_closed(topic: str) -> None:
    """Closed, they take a token with the scope; 401 says that there was none, 403 that it does not do."""
    assert status(permissions(), topic, ANYONE) is None
    closed = permissions(public_read=False)
    assert status(closed, topic, ANYONE) == 401
    assert status(closed, topic, ANN) == 403
    assert status(closed, topic, Identity("ann", frozenset({PRODUCTS_READ}))) is None
    assert status(closed, topic, TRUSTED) is None


def test_a_topic_of_clients_is_for_everybody_unless_there_is_a_rule() -> None:
    """A rule names the scope that the topic takes."""
    ruled = permissions(client_topics=["chat:*"], topic_rules={"chat:staff-*": "staff"})
    assert status(ruled, "chat:lobby", ANYONE) is None
    assert status(ruled, "chat:staff-room", ANYONE) == 401
    assert status(ruled, "chat:staff-room", ANN) == 403
    assert status(ruled, "chat:staff-room", Identity("ann", frozenset({"staff"}))) is None
    assert status(ruled, "chat:staff-room", TRUSTED) is None


def test_a_topic_may_be_its_owners_alone() -> None:
    """The rule `sub` leaves only the user whom the topic names."""
    ruled = permissions(topic_rules={"inbox:*": "sub"})
    assert status(ruled, "inbox:ann", ANN) is None
    assert status(ruled, "inbox:bob", ANN) == 403
    assert status(ruled, "inbox:ann", ANYONE) == 401
    assert status(ruled, "inbox:None", ANYONE) == 401
    assert status(ruled, "inbox:ann", TRUSTED) is None


def test_all_rules_that_match_must_hold() -> None:
    """No order of the rules opens what one of them closes."""
    ruled = permissions(topic_rules={"inbox:*": "sub", "inbox:ann": "mail"})
    assert status(ruled, "inbox:ann", ANN) == 403
    assert status(ruled, "inbox:ann", Identity("bob", frozenset({"mail"}))) == 403
    assert status(ruled, "inbox:ann", Identity("ann", frozenset({"mail"}))) is None


@pytest.mark.parametrize("pattern", ["category:secret", "product:*"])
@pytest.mark.parametrize("setting", ["client_topics", "topic_rules"])
def test_a_rule_for_products_ends_the_start(setting: str, pattern: str) -> None:
    """Their topics are open or closed all together: a rule for some would be believed, and close nothing."""
    value = [pattern] if setting == "client_topics" else {pattern: "staff"}
    with pytest.raises(ValidationError, match="STORECAST_PUBLIC_READ"):
        permissions(**{setting: value})


@pytest.mark.parametrize("pattern", ["user:*", "device:ann"])
@pytest.mark.parametrize("setting", ["client_topics", "topic_rules"])
def test_a_pattern_for_private_rooms_ends_the_start(setting: str, pattern: str) -> None:
    """Whoever sets it learns at once that it cannot be."""
    value = [pattern] if setting == "client_topics" else {pattern: "sub"}
    with pytest.raises(StartupError, match=f"STORECAST_{setting.upper()}"):
        permissions(**{setting: value})
