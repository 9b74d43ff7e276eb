"""The client module in Node, as it comes from npm, at a real emitter; and the package that it comes in."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.emitter_api import EMIT_PATH, Batch
from shared.events import Event
from shared.identity.identity import Identity
from tests.client import NODE_MODULES, SOURCES, Client, Package
from tests.clock import Clock
from tests.events import EPOCH, closing, event, history, live
from tests.integration.emitter import Emitter
from tests.integration.listeners import emit
from tests.processes import ROOT
from tests.tokens import JWT_SECRET, token
from tests.tools import require
from tests.waiting import eventually
from ws_service.ingest.member import Member
from ws_service.messages.publisher import Publisher

TYPES = Path(__file__).parent / "client"
BOOKS, TOYS = "category:books", "category:toys"
SOON_S, NOTICE_S = 300, 60
TOKENS: dict[str, Any] = {
    "auth": "jwt",
    "jwt_secret": JWT_SECRET,
    "jwt_leeway_seconds": 0,
    "token_notice_seconds": NOTICE_S,
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package, installed."""
    require("node", "install Node.js")
    return Package.installed(tmp_path_factory.mktemp("project"))


@pytest.fixture
async def emitter() -> AsyncIterator[Emitter]:
    async with Emitter.running() as emitter:
        await emitter.open()
        yield emitter


@pytest.fixture
async def guarded() -> AsyncIterator[Emitter]:
    """An emitter that knows tokens, and tells of their end at the last moment."""
    async with Emitter.running(**TOKENS, topic_rules={"inbox:*": "sub"}) as emitter:
        await emitter.open()
        yield emitter


def client(package: Package, emitter: Emitter, tokens: list[Any] | None = None, **options: Any) -> Client:
    return Client(package, f"http://{emitter.address}", tokens, **options)


async def has_heard(listening: Client, seqs: list[int]) -> None:
    await eventually(lambda: listening.seqs >= seqs, message="it hears the events")
    assert listening.seqs == seqs


async def has_gone(emitter: Emitter) -> None:
    await eventually(lambda: not emitter.hub.subscriptions.everyone(), message="it has gone")


async def reached(emitter: Emitter, room: str) -> int:
    answer = await emitter.http.post(EMIT_PATH, json={"event": "note", "payload": 1, "to": [room]})
    return int(answer.json()["reached"])


def soon(**claims: Any) -> str:
    return token("ann", exp=int(time.time()) + SOON_S, **claims)


def expires_in_s(emitter: Emitter) -> float:
    """Return how long the token is good by which the only client is who it is."""
    [standing] = emitter.sockets._standings._of.values()  # noqa: SLF001  # nothing outside tells
    return standing.who.expires_at - time.time()


# What is heard.


async def test_a_reload_goes_on_where_it_was(package: Package, emitter: Emitter) -> None:
    """By what is kept for the tab, for each set of topics; nothing is missed, doubled or read anew."""
    async with client(package, emitter, topics=[BOOKS, TOYS], after="e1:0") as listening:
        await emitter.post(Batch(epoch=EPOCH, events=[event(1, BOOKS), event(2, TOYS)]))
        await has_heard(listening, [1, 2])
        listening.leave()
        await has_gone(emitter)
        await emitter.post(Batch(epoch=EPOCH, events=[event(3, BOOKS)]))
        listening.enter(topics=[TOYS, BOOKS])
        await emitter.post(Batch(epoch=EPOCH, events=[event(4, BOOKS)]))
        await has_heard(listening, [1, 2, 3, 4])
        assert (listening.gaps, listening.states) == ([], ["live", "live"])

        listening.leave()
        listening.enter(topics=[TOYS])
        await has_heard(listening, [1, 2, 3, 4, 2])


async def test_what_is_missed_meanwhile_comes_first(package: Package, emitter: Emitter) -> None:
    """The network was away: what was told then comes before anything newer. A first connection has a gap before it."""
    async with client(package, emitter) as listening:
        await eventually(lambda: listening.gaps == ["new"], message="it is told of the gap before it")
        await emitter.post(live(1, 1))
        await has_heard(listening, [1])
        listening.drop()
        await has_gone(emitter)
        await emitter.post(live(2, 3))
        await has_heard(listening, [1, 2, 3])
        assert listening.gaps == ["new"]
        assert listening.states == ["live", "reconnecting", "live"]
        back = {"recovered": True, "replayed": 2, "position": "e1:3"}
        assert listening.client.of("state")[-1].items() >= back.items()


async def test_what_comes_twice_is_heard_once(package: Package, emitter: Emitter) -> None:
    """A transport that is closed at the wrong moment hands over what it was given last a second time."""
    async with client(package, emitter) as listening:
        await emitter.post(live(1, 1))
        await has_heard(listening, [1])
        listening.again()
        assert [each.seq for each in await listening.client.heard(2)] == [1, 1]
        await emitter.post(live(2, 2))
        await has_heard(listening, [1, 2])


async def test_messages_come_as_they_are_sent(package: Package, emitter: Emitter) -> None:
    """They have no number: the same one twice is two, and the place in the log stays."""
    async with client(package, emitter) as listening:
        for _ in range(2):
            await emit(emitter, "note", {"text": "hello"})
        heard = listening.client.of
        await eventually(lambda: len(heard("heard")) == 2, message="it hears both")
        assert [(each["event"], each["payload"]) for each in heard("heard")] == [("note", {"text": "hello"})] * 2
        assert (await listening.call("subscribe", ["products"]))["offset"] == "e1:0"


async def test_a_gap_is_told(package: Package, emitter: Emitter) -> None:
    """Of a past that is not there any more, once; events of a new epoch are new, and those of the old one are not."""
    async with client(package, emitter) as listening:
        await emitter.post(live(1, 5))
        await has_heard(listening, [1, 2, 3, 4, 5])
        await emitter.post(closing(1, "e2"))
        await eventually(lambda: listening.gaps == ["new", "lost"], message="it is told")
        listening.again()
        await listening.client.heard(6)
        await emitter.post(live(2, 2, "e2"))
        await has_heard(listening, [1, 2, 3, 4, 5, 2])
        assert listening.gaps == ["new", "lost"]


async def test_changes_that_cannot_be_told_are_a_gap(package: Package, emitter: Emitter) -> None:
    """`resync` is an event, with a place in the log, and once; but none for who shows products."""
    resync = Event(seq=1, event="resync", payload={"reason": "dropped"}, topics=("*",))
    async with client(package, emitter, after="e1:0") as listening:
        await emitter.post(Batch(epoch=EPOCH, events=[resync]))
        await eventually(lambda: listening.gaps, message="it is told")
        listening.again()
        await emitter.post(live(2, 2))
        await has_heard(listening, [2])
        assert listening.gaps == ["resync"]
        assert len(listening.client.messages("resync")) == 2


async def test_resync_is_a_gap_without_a_number_too(package: Package, emitter: Emitter) -> None:
    """Who has the emitter's secret can have everybody read anew."""
    async with client(package, emitter, after="e1:0") as listening:
        await emit(emitter, "resync", {"reason": "restored"})
        await eventually(lambda: listening.gaps == ["resync"], message="it is told")
        assert listening.client.of("heard") == []


# Talking.


async def test_what_is_published_is_acknowledged(package: Package) -> None:
    """With how many heard it, or why not; what is heard of it says by its id whether one has said it oneself."""
    async with Emitter.running(client_topics=("chat:*",)) as emitter:
        await emitter.open()
        async with client(package, emitter, topics=["products", "chat:lobby"]) as listening:
            said = await listening.call("publish", "chat:lobby", "said", {"text": "hello"})
            assert said["value"] == 1
            heard = await eventually(lambda: listening.client.of("heard"), message="it hears it")
            assert (heard[0]["event"], heard[0]["payload"]) == ("said", {"text": "hello"})
            assert heard[0]["meta"]["from"]["sid"] == heard[0]["own_id"]
            refused = await listening.call("publish", "products", "said", {})
            assert (refused["refused"], refused["status"]) == (True, 403)


async def test_what_may_have_been_heard_is_not_published_again(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes before the answer: that is said. Where there is none, nothing is kept for a later one."""
    asked: list[Any] = []

    async def hang(_self: Publisher, _sender: Member, _who: Identity, request: Any) -> dict[str, Any]:
        asked.append(request)
        await asyncio.Event().wait()
        return {}

    monkeypatch.setattr(Publisher, "publish", hang)
    async with Emitter.running(client_topics=("chat:*",)) as emitter:
        await emitter.open()
        async with client(package, emitter) as listening:
            publishing = asyncio.create_task(listening.call("publish", "chat:lobby", "said", {}))
            await eventually(lambda: asked, message="it is on its way")
            listening.drop()
            assert "no answer" in (await publishing)["detail"]
            await eventually(lambda: listening.states[-1] == "live", message="it is back")
            listening.leave()
            assert "no connection" in (await listening.call("publish", "chat:lobby", "said", {}))["detail"]
            assert len(asked) == 1


# Topics.


async def test_topics_outlive_the_connection(package: Package, emitter: Emitter) -> None:
    """What was chosen while connected is heard after a reconnect, with what was missed of it; what was left is not.

    What was refused is forgotten, and said why; the last topic cannot be left.
    """
    async with client(package, emitter, topics=[BOOKS]) as listening:
        assert (await listening.call("subscribe", [TOYS]))["topics"] == [BOOKS, TOYS]
        refused = await listening.call("subscribe", ["category:Toys"])
        assert (refused["refused"], refused["status"]) == (True, 422)
        assert "category:<slug>" in refused["detail"]
        assert (await listening.call("unsubscribe", [BOOKS]))["topics"] == [TOYS]
        assert (await listening.call("unsubscribe", [TOYS]))["detail"].startswith("topics: ")
        listening.drop()
        await has_gone(emitter)
        await emitter.post(Batch(epoch=EPOCH, events=[event(1, TOYS), event(2, BOOKS)]))
        subscribed = await listening.call("subscribe", ["product:" + "0" * 24])
        assert subscribed["topics"] == [TOYS, "product:" + "0" * 24]
        await emitter.post(Batch(epoch=EPOCH, events=[event(3, BOOKS), event(4, TOYS)]))
        await has_heard(listening, [1, 4])
        assert "refused" not in listening.states


async def test_more_requests_than_may_be_are_sent_again(package: Package) -> None:
    """The emitter takes so many a second, and says so to the others."""
    async with Emitter.running(client_messages_per_second=1) as emitter:
        await emitter.open()
        async with client(package, emitter) as listening:
            for _ in range(3):
                assert (await listening.call("subscribe", [BOOKS]))["topics"] == ["products", BOOKS]


# Tokens.


async def test_a_new_token_is_shown_before_the_old_one_ends(package: Package, guarded: Emitter, clock: Clock) -> None:
    """On the connection that there is, which stays whose it was."""
    async with client(package, guarded, [token("ann")], topics=["inbox:ann"]) as listening:
        listening.give(soon(), token("ann"))
        await listening.call("authenticate")
        await clock.put_forward(SOON_S - NOTICE_S)
        await listening.client.received("token_expiring")
        await eventually(lambda: expires_in_s(guarded) > SOON_S, message="the new one is shown")
        await clock.put_forward(NOTICE_S)
        assert await reached(guarded, "user:ann") == await reached(guarded, "inbox:ann") == 1
        assert len(listening.client.of("token")) == 3
        assert listening.states == ["live"]
        assert listening.client.messages("token_expired") == listening.client.of("expiry") == []
        heard = await eventually(lambda: listening.client.of("heard"), message="it hears the note")
        assert {each["event"] for each in heard} == {"note"}, "the application hears what is for it alone"


async def test_an_expired_token_is_replaced_at_a_reconnect(package: Package, guarded: Emitter, clock: Clock) -> None:
    """Refused for it, the client asks for another one, again if there is none just then; nothing is missed."""
    async with client(package, guarded, [token("ann")]) as listening:
        ending = soon()
        listening.give(ending, ending, ending, {"error": "no service"}, token("ann"))
        await listening.call("authenticate")
        await clock.put_forward(SOON_S - NOTICE_S)
        await eventually(lambda: len(listening.client.of("token")) == 3, message="another one is asked for in time")
        await clock.put_forward(NOTICE_S)
        await listening.client.received("token_expired")
        await eventually(lambda: len(listening.client.of("token")) == 4, message="another one is asked for")
        assert await reached(guarded, "user:ann") == 0
        listening.drop()
        await has_gone(guarded)
        await guarded.post(live(1, 1))
        await has_heard(listening, [1])
        assert await reached(guarded, "user:ann") == 1
        assert [each["error"] for each in listening.client.of("error")] == ["no service"]
        assert [each["name"] for each in listening.client.of("expiry")] == ["expiring", "expired"]
        assert len(listening.client.of("token")) == 6
        assert (listening.gaps, listening.states[-1]) == (["new"], "live")


async def test_what_an_ended_token_had_left_is_sent_with_the_next(package: Package, clock: Clock) -> None:
    """A new token on the same connection would bring its topics back without what was told meanwhile."""
    async with Emitter.running(**TOKENS, public_read=False) as emitter:
        await emitter.open()
        async with client(package, emitter, [token("ann", scope="products:read")]) as listening:
            listening.give(soon(scope="products:read"))
            await listening.call("authenticate")
            await clock.put_forward(SOON_S)
            assert await listening.client.received("token_expired") == [{"left": ["products"]}]
            await emitter.post(live(1, 1))
            listening.give(token("ann", scope="products:read"))
            await listening.call("authenticate")
            await has_heard(listening, [1])
            assert listening.states == ["live", "reconnecting", "live"]


async def test_without_another_token_it_ends_until_there_is_one(package: Package, guarded: Emitter) -> None:
    """A refusal is told once and not tried again by itself; who signs in then goes on where it was.

    What the other token had permitted alone can be left meanwhile.
    """
    tokens = [token("ann"), "nonsense", "nonsense", token("ann"), token("bob")]
    async with client(package, guarded, tokens, topics=["products", "inbox:ann"]) as listening:
        bad = await listening.call("authenticate")
        assert (bad["refused"], bad["status"]) == (True, 401)
        assert await reached(guarded, "inbox:ann") == 1, "it is who it was"

        listening.drop()
        await eventually(lambda: listening.states[-1] == "refused", message="it is refused")
        assert listening.client.of("state")[-1]["status"] == 401
        assert (await listening.call("subscribe", [BOOKS]))["status"] == 401
        await guarded.post(live(1, 1))
        assert (await listening.call("authenticate"))["topics"] == ["products", "inbox:ann"]
        await has_heard(listening, [1])

        # Another user's connection is another connection; and this topic is not theirs.
        assert (await listening.call("authenticate"))["status"] == 403
        assert await reached(guarded, "user:ann") == await reached(guarded, "user:bob") == 0
        assert (await listening.call("unsubscribe", ["inbox:ann"]))["topics"] == ["products"]
        assert "status" not in await listening.call("authenticate")
        assert await reached(guarded, "user:bob") == 1


async def test_who_signs_in_while_it_connects_is_somebody(package: Package, guarded: Emitter) -> None:
    """The handshake on its way is nobody's: the token is shown when it has been answered."""
    async with client(package, guarded, [None, token("ann")]) as listening:
        # An emitter that is being handed the history has its clients wait.
        await guarded.post(history(1, 1, "e2"))
        await has_gone(guarded)
        await eventually(lambda: len(listening.client.of("handshake")) == 2, message="it says who it is")
        signed_in = asyncio.create_task(listening.call("authenticate"))
        await eventually(lambda: len(listening.client.of("token")) == 2, message="the token is asked for")
        await guarded.post(closing(1, "e2"))
        assert "status" not in await signed_in
        assert await reached(guarded, "user:ann") == 1


async def test_who_signs_in_later_keeps_the_connection(package: Package, guarded: Emitter) -> None:
    """Nobody becomes somebody; but somebody becomes nobody only on a connection of nobody's."""
    async with client(package, guarded, [None, token("ann"), None]) as listening:
        assert "status" not in await listening.call("authenticate")
        assert await reached(guarded, "user:ann") == 1
        assert listening.states == ["live"]
        assert "status" not in await listening.call("authenticate")
        assert await reached(guarded, "user:ann") == 0
        assert listening.states == ["live", "reconnecting", "live"]
        assert listening.gaps == ["new"]


# The package.


def test_the_package_has_what_it_needs(package: Package) -> None:
    """The module, its types, what says how to use it; nothing of the service's. The licence is the project's."""
    assert package.files == {"LICENSE", "README.md", "client.js", "index.d.ts", "package.json", "socket.io.js"}
    assert (package.folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    about = json.loads((package.folder / "package.json").read_text())
    stock = json.loads((NODE_MODULES / "socket.io-client/package.json").read_text())
    assert about["license"] == stock["license"] == "MIT"
    assert about["dependencies"]["socket.io-client"].removeprefix("^").split(".")[:2] == stock["version"].split(".")[:2]


def test_the_types_are_right(package: Package) -> None:
    """Who uses it is told by the compiler what is wrong; and the module keeps what they promise."""
    compiler = NODE_MODULES / "typescript/bin/tsc"
    assert compiler.exists(), "npm --prefix tests ci"
    for file in TYPES.glob("*.ts"):
        shutil.copy(file, package.project)
    for file in SOURCES.glob("*.*s"):
        shutil.copy(file, package.project)
    options = ("--strict", "--noEmit", "--checkJs", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom")
    (package.project / "package.json").write_text('{"type": "module"}')
    files = ("usage.ts", "same.ts", "client.js")
    command = [require("node", "install Node.js"), str(compiler), *options, *files]
    run = subprocess.run(command, cwd=package.project, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
