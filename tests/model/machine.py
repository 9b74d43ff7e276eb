"""The whole system as one machine: hypothesis decides what happens next, and looks for what breaks a promise."""

from typing import ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.model.client import CarefulClient, Client, StockClient
from tests.model.emitter import Design as EmitterDesign
from tests.model.emitter import Emitter
from tests.model.judge import Archive
from tests.model.leader import Parts, Replica, World
from tests.model.mongo import Mongo
from tests.model.network import Network, Task

TOPICS = ("products", "category:a", "category:b")

REPLICAS = st.integers(0, 1)
CLIENTS = st.integers(0, 2)
KINDS = st.sampled_from(["a", "b", "move", "delete", "junk", "drop"])
ROOM = st.sampled_from([0, 0, 1, 2, None, None])
BURST = st.builds(list.__mul__, st.lists(KINDS, max_size=2), st.sampled_from([1, 8]))
OLD_POSTS = st.lists(st.integers(0, 4), max_size=3)

UNANSWERED = st.sampled_from(["lose", "lose answer", "hold answer", "delay", "die", "stop"])
UNCERTAIN = UNANSWERED | st.sampled_from(["no majority", "late majority", "roll back"])
OTHER_CALLS = st.sampled_from(
    [
        *(("sequencer", call) for call in ("open", "get more", "end", "checkpoint")),
        *(("relay", call) for call in ("position", "read", "end")),
    ]
)
RARELY = st.sampled_from([False, False, False, True])
MORE_CALLS = st.integers(0, 6)

# Calls of each part, and more for each change that is not told yet; what needs more does not settle at all.
_PATIENCE = 100
_PATIENCE_EACH = 8


class Design(NamedTuple):
    """What the system is built of; the tests of the test exchange one part at a time."""

    parts: Parts = Parts()
    emitter: EmitterDesign = EmitterDesign()
    unique_numbers: bool = True
    epochs: bool = True


class Storecast(RuleBasedStateMachine):
    """Two replicas, MongoDB, the emitter and three clients."""

    design: ClassVar[Design] = Design()

    def __init__(self) -> None:
        super().__init__()
        self.mongo = Mongo(unique_numbers=self.design.unique_numbers, epochs=self.design.epochs)
        self.network = Network()
        self.emitter = self._new_emitter()
        world = World(self.mongo, self.network, lambda: self.emitter)
        self.replicas = [Replica(name, self.design.parts, world) for name in "AB"]
        self.archive = Archive(self.mongo)
        self.clients: list[Client] = [
            StockClient(self.archive, "products"),
            StockClient(self.archive, "category:a"),
            CarefulClient(self.archive, "category:b"),
        ]

    @initialize(changes=st.integers(0, 6))
    def start(self, changes: int) -> None:
        """Begin with a system that runs."""
        self.all_goes_well(0, expired=False)
        self.write(["a", "b"] * (changes // 2))
        self.all_goes_well(0, expired=False)

    # Products and the database.

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=4))
    def write(self, kinds: list[str]) -> None:
        """Change products; without a majority nothing is committed."""
        for kind in kinds:
            if not self.mongo.lags:
                self.mongo.write(kind)

    @rule(elect=st.booleans())
    def majority(self, *, elect: bool) -> None:
        """The majority comes back, or elects another primary."""
        if elect:
            self.mongo.elect()
        else:
            self.mongo.catch_up()

    @rule(lost=st.booleans())
    def busy_oplog(self, *, lost: bool) -> None:
        """Others write, perhaps so much that tokens leave the oplog."""
        if lost:
            self.mongo.lose_oplog()
        else:
            self.mongo.other_traffic()

    @rule(keep=st.integers(0, 6))
    def replace_database(self, keep: int) -> None:
        """Wipe the database or restore a backup, with the replicas stopped. Emitter and clients go on."""
        for replica in self.replicas:
            replica.crash()
        self.network.replicas_stopped()
        self.mongo.replace(keep)

    # Replicas. One that is not driven is one that is stopped: it may go on much later, believing that it leads.

    @rule(replica=REPLICAS, expired=st.booleans())
    def campaign(self, replica: int, *, expired: bool) -> None:
        """Take or renew the lease; where it has run out, the one who had it may not know."""
        if expired:
            self.mongo.expire_lease()
        self.replicas[replica].campaign()

    @rule(replica=REPLICAS, part=st.sampled_from(["sequencer", "relay"]), calls=st.integers(1, 6))
    def work(self, replica: int, part: str, calls: int) -> None:
        """Let a part go on for some calls."""
        for _ in range(calls):
            self._work(self._leading(replica), part)

    @rule(replica=REPLICAS, lost=RARELY, how=UNCERTAIN, calls=MORE_CALLS)
    def uncertain_append(self, replica: int, how: str, calls: int, *, lost: bool) -> None:
        """Let a change be numbered, or a lost oplog be told, and the append go wrong; then go on for some calls."""
        self.write(["a"])
        if lost:
            self.mongo.lose_oplog()
        self._disturb(self._leading(replica), "sequencer", "append", how, calls)
        if how in {"late majority", "roll back"}:
            self.majority(elect=how == "roll back")

    @rule(replica=REPLICAS, how=UNANSWERED, calls=MORE_CALLS)
    def uncertain_post(self, replica: int, how: str, calls: int) -> None:
        """Let a post go wrong."""
        self._disturb(self._leading(replica), "relay", "post", how, calls)

    @rule(replica=REPLICAS, lost=st.booleans(), call=OTHER_CALLS, how=st.sampled_from(["lose", "hold answer", "stop"]))
    def disturb(self, replica: int, call: tuple[str, str], how: str, *, lost: bool) -> None:
        """Let another call go wrong, perhaps while a lost oplog is told."""
        if lost:
            self.mongo.lose_oplog()
        self._disturb(self._leading(replica), *call, how, 0)

    @rule(index=st.integers(0, 3))
    def arrive_late(self, index: int) -> None:
        """Let a late request do its work."""
        self.network.arrive(index)

    @rule(backs=OLD_POSTS)
    def repeat_posts(self, backs: list[int]) -> None:
        """Let old posts reach the emitter once more."""
        for back in backs:
            self.network.repeat(back)

    @rule(replica=REPLICAS)
    def trim(self, replica: int) -> None:
        """Remove what is not kept any more."""
        leading = self._leading(replica)
        if leading.term:
            leading.term.trim()
            for _ in range(6):
                self._work(leading, "retention")

    @rule(replica=REPLICAS)
    def kill_replica(self, replica: int) -> None:
        """Kill a replica."""
        self.replicas[replica].crash()

    # The emitter and its clients.

    @rule(backs=OLD_POSTS, at_once=st.booleans())
    def kill_emitter(self, backs: list[int], *, at_once: bool) -> None:
        """Kill the emitter; what was on its way to it reaches the next one, where the clients may come back at once."""
        self.emitter.crash()
        self.emitter = self._new_emitter()
        self.repeat_posts(backs)
        for client in self.clients if at_once else ():
            client.drop()
            client.connect(self.emitter)

    @rule(client=CLIENTS)
    def connect(self, client: int) -> None:
        """Connect a client."""
        self.clients[client].connect(self.emitter)

    @rule(client=CLIENTS)
    def drop(self, client: int) -> None:
        """Lose a client's connection and what is on it."""
        self.clients[client].drop()

    @rule(client=CLIENTS, turns=st.integers(0, 3), messages=st.integers(0, 4))
    def listen(self, client: int, turns: int, messages: int) -> None:
        """Let the emitter write to a client, and the client hear some of it."""
        for _ in range(turns):
            if socket := self.clients[client].socket:
                socket.turn()
        for _ in range(messages):
            self.clients[client].hear()

    @rule(client=CLIENTS, room=ROOM)
    def room(self, client: int, room: int | None) -> None:
        """Let a client's transport be full, now or after some more sends, or make room if it is."""
        if socket := self.clients[client].socket:
            socket.make_room(room)

    @rule(client=CLIENTS, before=BURST, meanwhile=BURST, sends=st.integers(0, 2))
    def busy_while_full(self, client: int, before: list[str], meanwhile: list[str], sends: int) -> None:
        """Let a client be up to date, others busy, and its transport full while more changes come; then read on."""
        self.all_goes_well(0, expired=False)
        self._tell(before)
        if socket := self.clients[client].socket:
            socket.make_room(sends)
        self._tell(meanwhile)
        self.room(client, None)
        self.listen(client, 1, 0)

    @rule(client=CLIENTS, topic=st.sampled_from(TOPICS), back=st.one_of(st.none(), st.integers(0, 3)))
    def subscribe(self, client: int, topic: str, back: int | None) -> None:
        """Subscribe to one more topic, with its past from some number on or without."""
        self.clients[client].subscribe(topic, back)

    @rule(client=CLIENTS, topic=st.sampled_from(TOPICS))
    def unsubscribe(self, client: int, topic: str) -> None:
        """Unsubscribe from a topic."""
        self.clients[client].unsubscribe(topic)

    @rule(replica=REPLICAS, expired=st.booleans())
    def all_goes_well(self, replica: int, *, expired: bool) -> None:
        """Nothing goes wrong for a while: the usual case, and the ground for what goes wrong next."""
        self.campaign(replica, expired=expired)
        for _ in range(12):
            self._work(self.replicas[replica], "sequencer")
            self._work(self.replicas[replica], "relay")
        self._serve_clients()

    # Promises.

    @invariant()
    def the_log_is_what_was_committed(self) -> None:
        """No gap, no double, no two contents for a number, in commit order."""
        self.archive.check()

    def teardown(self) -> None:
        """Heal everything, restart nothing: then all that was committed must be heard by everyone."""
        try:
            self.mongo.catch_up()
            self.mongo.expire_lease()
            self.replicas[1].crash()
            self._settle()
            for client in self.clients:
                assert client.span, "a client was never told where it begins"
                client.span.check(self.mongo.majority)
        finally:
            for replica in self.replicas:
                replica.crash()

    def _settle(self) -> None:
        for turn in range(_PATIENCE + _PATIENCE_EACH * len(self.archive.untold())):
            if turn % 8 == 0:
                self.replicas[0].campaign()
                self._serve_clients()
            if self._is_settled():
                return
            self._work(self.replicas[0], "sequencer")
            self._work(self.replicas[0], "relay")
        untold = [change.token["_data"] for change in self.archive.untold()]
        raise AssertionError(f"it does not settle: {self.emitter.position()}, not in the log: {untold}")

    def _is_settled(self) -> bool:
        end, _ = self.mongo.end()
        position = self.emitter.hub.position
        return (
            not self.archive.untold()
            and position is not None
            and (position.epoch, position.seq) == (self.mongo.epoch, end)
            and all(self._is_up_to_date(client) for client in self.clients)
        )

    def _is_up_to_date(self, client: Client) -> bool:
        return (
            client.socket is not None
            and client.socket.is_open
            and client.socket.is_idle
            and not client.socket.wire
            and client.span is not None
            and client.span.origin.epoch == self.mongo.epoch
        )

    def _serve_clients(self) -> None:
        for client in self.clients:
            client.connect(self.emitter)
            for _ in range(6):
                if client.socket:
                    client.socket.make_room(None)
                    client.socket.turn()
                while client.socket and client.socket.wire:
                    client.hear()
            if client.socket and not client.socket.is_open:
                client.drop()

    def _tell(self, kinds: list[str]) -> None:
        """Let changes come as far as the emitter."""
        self.write(kinds)
        for _ in range(2 + len(kinds)):
            self._work(self._leading(0), "sequencer")
            self._work(self._leading(0), "relay")

    def _leading(self, index: int) -> Replica:
        """Return one of those who believe that they lead, if any does."""
        leading = [replica for replica in self.replicas if replica.term] or self.replicas
        return leading[index % len(leading)]

    def _work(self, replica: Replica, part: str) -> None:
        if task := replica.task(part):
            task.work()
            self.archive.check()

    def _disturb(self, replica: Replica, part: str, call: str, how: str, calls: int) -> None:
        """Let a part go on up to a call that goes wrong, and for some calls after it, unless it hears no answer."""
        for _ in range(10):
            task = replica.task(part)
            if task is None or task.call is None:
                return
            if task.call.name == call:
                self._go_wrong(replica, task, how)
                break
            self._work(replica, part)
        if how not in {"hold answer", "stop"}:
            for _ in range(calls):
                self._work(replica, part)

    def _go_wrong(self, replica: Replica, task: Task, how: str) -> None:
        match how:
            case "die":
                replica.crash()
            case "lose":
                task.lose()
            case "lose answer":
                task.hold()
                task.lose()
            case "hold answer":
                task.hold()
            case "delay":
                self.network.delay(task)
            case "stop":  # for so long that another one leads
                task.hold()
                self.all_goes_well(1 - self.replicas.index(replica), expired=True)
            case _:
                self.mongo.lag()
                task.work()

    def _new_emitter(self) -> Emitter:
        return Emitter(self.design.emitter)
