from ws_service.cluster.nodes import DEAF_AFTER_S, Beat, Nodes


def beat(node: str, number: int = 1, **fields: object) -> Beat:
    """Return a heartbeat."""
    described = {
        "id": node,
        "number": number,
        "node": node,
        "url": "",
        "state": "ready",
        "connections": 0,
        "lag_ms": 0.0,
    }
    return Beat.model_validate({**described, **fields})


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return what time it is."""
        return self.now


def test_a_node_counts_for_three_seconds_after_its_last_beat() -> None:
    """One that was killed is not waited for, and gets no clients, for longer than that."""
    clock = Clock()
    nodes = Nodes("a", clock)
    nodes.hear(beat("b"))
    nodes.hear(beat("a"))
    assert [each.node for each in nodes.present()] == ["a", "b"]
    clock.now += DEAF_AFTER_S
    nodes.hear(beat("a", 2))
    clock.now += 0.1
    assert [each.node for each in nodes.present()] == ["a"]


def test_a_node_that_says_goodbye_is_gone_at_once() -> None:
    """Nobody waits for the answer of an emitter that has ended in order."""
    nodes = Nodes("a", Clock())
    nodes.hear(beat("b"))
    nodes.leave("b")
    nodes.leave("never seen")
    assert nodes.present() == []


def test_who_does_not_hear_itself_is_deaf() -> None:
    """Others' heartbeats do not count: what a node writes has to come back to it."""
    clock = Clock()
    nodes = Nodes("a", clock)
    clock.now += DEAF_AFTER_S
    assert not nodes.is_deaf
    nodes.hear(beat("b"))
    clock.now += 0.1
    assert nodes.is_deaf
    nodes.hear(beat("a"))
    assert not nodes.is_deaf


def test_only_who_is_deaf_although_redis_takes_what_it_says_is_dead() -> None:
    """While Redis is away no new process would hear more, and all would be started again at once."""
    clock = Clock()
    nodes = Nodes("a", clock)
    for _ in range(100):
        nodes.not_said()
        clock.now += 1
    assert nodes.is_deaf
    assert not nodes.is_dead
    for _ in range(60):
        nodes.said()
        clock.now += 1
    assert not nodes.is_dead
    clock.now += 0.1
    assert nodes.is_dead
    nodes.hear(beat("a"))
    assert not nodes.is_dead
