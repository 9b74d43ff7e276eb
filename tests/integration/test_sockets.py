import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from tests.events import EPOCH, event, history, live
from tests.integration.emitter import Emitter
from tests.waiting import eventually
from ws_service.ingest.history import History


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open_with(5)
        yield emitter


async def test_a_socket_is_greeted_before_anything_else(emitter: Emitter) -> None:
    """`welcome` says which emitter it is, where it is, and whether the past was recovered."""
    async with emitter.client() as client:
        assert await client.welcome() == {
            "node": "emitter-1",
            "position": f"{EPOCH}:5",
            "recovered": False,
            "replayed": 0,
        }


async def test_a_numbered_event_has_payload_meta_and_offset(emitter: Emitter) -> None:
    """A client that only wants the product takes the first argument; the offset is the last."""
    async with emitter.client() as client:
        await client.welcome()
        await emitter.post(live(6, 6))
        assert await client.event() == [
            "new_product",
            {"n": 6},
            {"seq": 6, "id": "id-6", "time": "2026-01-01T00:00:00.000Z"},
            f"{EPOCH}:6",
        ]


async def test_the_stock_clients_recovery(emitter: Emitter) -> None:
    """With its pid and offset a client gets its pid back, and exactly what it missed before what is live."""
    async with emitter.client() as client:
        pid = (await client.connected())["pid"]
    await emitter.post(live(6, 8))
    async with emitter.client({"pid": pid, "offset": f"{EPOCH}:6"}) as client:
        assert (await client.connected())["pid"] == pid
        assert (await client.event())[1]["replayed"] == 2
        await emitter.post(live(9, 9))
        assert await client.seqs(3) == [7, 8, 9]


async def test_recovery_by_after(emitter: Emitter) -> None:
    """`after` replays for clients without a memory of their own."""
    async with emitter.client({"after": f"{EPOCH}:2"}) as client:
        greeting = await client.welcome()
        assert (greeting["recovered"], greeting["replayed"]) == (True, 3)
        assert await client.seqs(3) == [3, 4, 5]


async def test_what_cannot_be_recovered_is_said(emitter: Emitter) -> None:
    """Of another epoch nothing is replayed, the pid is a new one, and the client hears what is live."""
    async with emitter.client({"pid": "old:1:random", "offset": "old:3"}) as client:
        assert (await client.connected())["pid"] != "old:1:random"
        assert (await client.event())[1]["recovered"] is False
        await emitter.post(live(6, 6))
        assert await client.seqs(1) == [6]


async def test_a_topic_is_all_that_its_socket_hears(emitter: Emitter) -> None:
    """Topics filter live events."""
    async with emitter.client({"topics": ["category:toys"]}) as client:
        await client.welcome()
        batch = live(6, 6).model_copy(update={"events": [event(6), event(7, "products", "category:toys")]})
        await emitter.post(batch)
        assert await client.seqs(1) == [7]


async def test_topics_change_later(emitter: Emitter) -> None:
    """`subscribe` and `unsubscribe` are acknowledged with the topics that the socket is in."""
    async with emitter.client({"topics": ["category:toys"]}) as client:
        await client.welcome()
        answer = await client.call("subscribe", {"topics": ["products"]})
        assert answer == {"topics": ["category:toys", "products"], "recovered": False}
        await emitter.post(live(6, 6))
        assert await client.seqs(1) == [6]
        answer = await client.call("unsubscribe", {"topics": ["products", "category:none"]})
        assert answer == {"topics": ["category:toys"]}


async def test_subscribe_replays_the_past_of_the_new_topics(emitter: Emitter) -> None:
    """`subscribe` with `after` sends what was missed, and is acknowledged when that was sent."""
    async with emitter.client({"topics": ["category:toys"]}) as client:
        await client.welcome()
        await client.send("421" + json.dumps(["subscribe", {"topics": ["products"], "after": f"{EPOCH}:3"}]))
        assert await client.seqs(2) == [4, 5]
        assert (await client.receive()).startswith("431")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"topics": ["nonsense"]}, "topics.0"),
        ({"topics": []}, "topics"),
        ({"topics": ["products"], "after": "x"}, "after"),
        ({"topics": ["products"], "more": 1}, "more"),
        (None, "body"),
        ("products", "body"),
    ],
)
async def test_a_bad_request_is_answered_with_the_field(emitter: Emitter, request_: object, field: str) -> None:
    """A wrong `subscribe` changes nothing, and its acknowledgement names what is wrong."""
    async with emitter.client() as client:
        await client.welcome()
        for name in ("subscribe", "unsubscribe"):
            if name == "unsubscribe" and field == "after":
                continue
            answer = await client.call(name, request_)
            assert answer["error"]["errors"][0]["field"] == field
        await emitter.post(live(6, 6))
        assert await client.seqs(1) == [6]


async def test_topics_are_bounded(emitter: Emitter) -> None:
    """One socket cannot fill the emitter's memory with topics."""
    async with emitter.client({"topics": [f"category:c{number}" for number in range(100)]}) as client:
        await client.welcome()
        assert (await client.call("subscribe", {"topics": ["products"]}))["error"]["status"] == 422


async def test_a_bad_handshake_is_refused_with_the_field(emitter: Emitter) -> None:
    """A client that asked for what there is not hears why, and hears nothing else."""
    async with emitter.client({"topics": ["nonsense"]}) as client:
        refusal = await client.refused()
        assert refusal["data"]["errors"][0]["field"] == "topics.0"
        assert len(emitter.hub.subscriptions.everyone()) == 0


async def test_an_unknown_event_is_answered(emitter: Emitter) -> None:
    """A client that calls what there is not is not left waiting."""
    async with emitter.client() as client:
        await client.welcome()
        assert (await client.call("shout", 1))["error"]["status"] == 404


async def test_a_socket_that_goes_leaves_nothing_behind(emitter: Emitter) -> None:
    """A closed connection frees its subscription and its writer."""
    async with emitter.client() as client:
        await client.welcome()
        assert len(emitter.hub.subscriptions.everyone()) == 1
    await eventually(lambda: len(emitter.hub.subscriptions.everyone()) == 0, message="the subscription is gone")


async def test_a_replay_far_larger_than_a_part_completes() -> None:
    """However much was missed comes, in order, and what is live comes after it."""
    async with Emitter.running() as emitter:
        await emitter.open()
        payload = {"x": "y" * 20_000}
        for first in range(1, 201, 50):
            batch = live(first, first + 49)
            big = [event(each.seq, payload=payload) for each in batch.events]
            assert (await emitter.post(batch.model_copy(update={"events": big}))).status_code == 200
        async with emitter.client({"after": f"{EPOCH}:0"}) as client:
            assert (await client.welcome())["replayed"] == 200
            await emitter.post(live(201, 203))
            assert await client.seqs(203) == list(range(1, 204))


async def test_who_falls_behind_the_history_is_cut_off_and_told_when_it_returns() -> None:
    """A reader that does not read costs no memory: it is closed, and learns that it has to read anew."""
    async with Emitter.running() as emitter:
        emitter.hub.history = History(10, 10**9)
        await emitter.open()
        async with emitter.client() as client:
            pid = (await client.connected())["pid"]
            [connection] = emitter.sockets._connections.values()  # noqa: SLF001  # a transport cannot be filled from outside on demand
            await client.event()
            connection.hold()  # as if its transport had been full
            emitter.hub.take(live(1, 30))
            connection.wake()
            await client.closed()
        async with emitter.client({"pid": pid}) as client:
            assert (await client.welcome())["recovered"] is False


async def test_a_new_epoch_closes_the_sockets_of_the_old_one(emitter: Emitter) -> None:
    """After a restore every client comes again and is told that nothing was recovered."""
    async with emitter.client() as client:
        pid = (await client.connected())["pid"]
        await client.event()
        await emitter.post(history(1, 2, epoch="e2"))
        await client.closed()
    await emitter.post(history(3, 3, epoch="e2").model_copy(update={"events": [], "position": 2}))
    async with emitter.client({"pid": pid, "offset": f"{EPOCH}:5"}) as client:
        greeting = await client.welcome()
        assert (greeting["recovered"], greeting["position"]) == (False, "e2:2")


async def test_a_socket_waits_for_the_handover() -> None:
    """A client that knocks at an emitter that has just started recovers as soon as the relay has handed over."""
    async with Emitter.running() as emitter, emitter.client({"after": f"{EPOCH}:2"}) as client:
        await asyncio.sleep(0)
        await emitter.open_with(5)
        assert (await client.welcome())["recovered"] is True
        assert await client.seqs(3) == [3, 4, 5]


async def test_a_socket_waits_for_as_long_as_history_comes_in() -> None:
    """A hand-over that takes longer than the time-out does not cost the clients their recovery."""
    async with Emitter.running(handover_timeout_ms=2_000) as emitter, emitter.client({"after": f"{EPOCH}:2"}) as client:
        for seq in range(1, 6):
            await emitter.post(history(seq, seq))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(emitter.hub.opened(), 0.5)
        await emitter.open(position=5)
        assert (await client.welcome())["recovered"] is True
        assert await client.seqs(3) == [3, 4, 5]


async def test_without_a_relay_a_socket_is_taken_all_the_same() -> None:
    """After its wait a socket is taken without recovery, and greeted again once there is a position."""
    async with Emitter.running(handover_timeout_ms=50) as emitter, emitter.client({"after": f"{EPOCH}:2"}) as client:
        assert await client.welcome() == {"node": "emitter-1", "position": None, "recovered": False, "replayed": 0}
        await emitter.open_with(5)
        assert await client.event() == [
            "welcome",
            {"node": "emitter-1", "position": f"{EPOCH}:5", "recovered": False, "replayed": 0},
        ]
        await emitter.post(live(6, 6))
        assert await client.seqs(1) == [6]


async def test_a_fault_in_sending_is_seen_and_its_client_comes_back(
    emitter: Emitter, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What fails for one socket is in the log, and it is closed so that nobody listens to silence."""

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    async with emitter.client() as client:
        await client.welcome()
        [connection] = emitter.sockets._connections.values()  # noqa: SLF001  # as if its transport had been full
        connection.hold()
        monkeypatch.setattr("ws_service.ingest.subscriptions.Subscription.next_part", broken)
        await emitter.post(live(6, 6))
        await client.closed()
    assert "a socket cannot be sent to" in capfd.readouterr().out
