import pytest

from ws_service.topics.topics import check_topic, is_of_clients

PATTERNS = ("chat:*", "room:one")


@pytest.mark.parametrize("topic", ["products", "category:toys", "product:" + "a" * 24, "chat:lobby", "room:one"])
def test_a_topic_that_exists(topic: str) -> None:
    """Those of products exist anywhere, those of clients where the setting names them."""
    assert check_topic(topic, PATTERNS) == topic


@pytest.mark.parametrize("topic", ["", "chat:", "chat:a b", "chat:" + "x" * 96, "room:one2", "room:", "user:ann", "*"])
def test_a_topic_that_does_not_exist(topic: str) -> None:
    """The answer says which do."""
    with pytest.raises(ValueError, match=r"use products, category:<slug>, chat:\*, room:one or product:<id>"):
        check_topic(topic, PATTERNS)


@pytest.mark.parametrize("room", ["user:ann", "device:ann"])
def test_a_private_room_is_never_a_topic(room: str) -> None:
    """Not even where a pattern says so."""
    assert not is_of_clients(room, ["user:*", "device:ann"])
    with pytest.raises(ValueError, match="use products"):
        check_topic(room, ["user:*", "device:ann"])
