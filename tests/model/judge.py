"""What must be true of the log and of what a client hears. It knows what was committed, not what the services think."""

from collections.abc import Iterable, Mapping

from api_service.feed.changes import Change
from api_service.feed.event_log import Entry
from api_service.feed.numbering import RESYNC, number
from shared.events import EVERYONE, Event, Position
from tests.model.mongo import Mongo


class Archive:
    """Every entry that a majority ever held, by epoch: what retention removes stays here."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._logs: dict[str, dict[int, Entry]] = {}
        self._epoch = ""
        self._life = 0
        self._told = 0
        # By their moments, which are unique: to number each of them again and again would take most of the time.
        self._numbered: dict[int, bool] = {}

    def log(self, epoch: str) -> Mapping[int, Entry]:
        """Return the log of an epoch."""
        return self._logs.get(epoch, {})

    def check(self) -> None:
        """Hold what is new in the log against the committed changes."""
        if self._epoch != self._mongo.epoch:
            self._epoch = self._mongo.epoch
            # What a backup brought along was judged in its own time.
            self._logs[self._epoch] = {seq: self._mongo.entries[seq] for seq in self._mongo.safe_numbers}
        if self._life != self._mongo.lives:
            self._life, self._told = self._mongo.lives, self._mongo.begun_after
        log = self._logs[self._epoch]
        for seq in self._mongo.safe_numbers:
            entry = self._mongo.entries[seq]
            if seq in log:
                assert log[seq] == entry, f"two contents for {seq}"
            else:
                assert seq == max(log, default=0) + 1, f"a gap before {seq}"
                self._told = self._check_new(entry)
                log[seq] = entry

    def untold(self) -> list[Change]:
        """Return the committed changes of products that are not in the log, and for which no resync stands."""
        return [change for change in self._mongo.changes if _moment(change) > self._told and self._has_number(change)]

    def _has_number(self, change: Change) -> bool:
        moment = _moment(change)
        if moment not in self._numbered:
            self._numbered[moment] = bool(number([change], 0).entries)
        return self._numbered[moment]

    def _check_new(self, entry: Entry) -> int:
        moment = int(entry.token["_data"])
        assert moment >= self._told, f"{entry.seq} leads back to what was told before"
        expected = number(self.untold()[:1], entry.seq - 1).entries
        assert [entry] == expected or (entry.event == RESYNC and entry.token not in self._tokens()), (
            f"{entry} stands where {expected} belongs"
        )
        return moment

    def _tokens(self) -> list[object]:
        return [change.token for change in self._mongo.changes if change.operation == "invalidate"]


def _moment(change: Change) -> int:
    return int(change.token["_data"])


class Span:
    """What a client hears from where it was told to begin until it is told to begin anew, over several sockets."""

    def __init__(self, archive: Archive, origin: Position, told: Position, topics: Iterable[str]) -> None:
        self._archive = archive
        self.origin = origin
        # What was committed between the place and the greeting may come after it, to who reads the products anew.
        self._told = told.seq
        self._early = dict.fromkeys(topics, origin.seq)
        # The number beyond which each topic is heard, and those of topics whose `subscribe` is not acknowledged yet.
        self._since = dict.fromkeys(topics, told.seq)
        self._asked: dict[str, int] = {}
        self._heard: set[int] = set()
        self._newest = origin.seq
        self._newest_of_past = 0

    def join(self, topics: Iterable[str], after: int) -> None:
        """Allow more topics, beyond a number."""
        self._asked = dict.fromkeys(topics, after)
        self._newest_of_past = 0

    def acknowledge(self) -> None:
        """Expect what was asked for: all of its past has been sent."""
        for topic, after in self._asked.items():
            self._since[topic] = min(after, self._since.get(topic, after))
        self._asked = {}

    def leave(self, topics: Iterable[str]) -> None:
        """Allow nothing more of some topics."""
        self._since = {topic: since for topic, since in self._since.items() if topic not in topics}
        self._early = {topic: since for topic, since in self._early.items() if topic not in topics}

    def go_on(self, place: Position) -> None:
        """Expect what follows a place on another socket. What was not acknowledged is asked for again."""
        assert place.epoch == self.origin.epoch, "recovered from another epoch"
        assert place.seq >= self.origin.seq, "recovered from before the place where it was told to begin"
        self._asked = {}
        # A topic that was added later on, but before the next event, is heard from the last offset on as well.
        self._since = {topic: min(since, place.seq) for topic, since in self._since.items()}

    def hear(self, event: Event, offset: Position) -> None:
        """Judge an event."""
        entry = self._archive.log(self.origin.epoch).get(event.seq)
        assert offset.epoch == self.origin.epoch, "an event of another epoch"
        assert entry, f"{event.seq} was never committed"
        assert (entry.id, entry.event, entry.payload) == (event.id, event.event, event.payload), (
            f"{event.seq} has another content"
        )
        assert event.seq not in self._heard, f"{event.seq} was heard twice"
        is_early = event.seq <= self._told and _is_for(entry, self._early)
        assert is_early or _is_for(entry, self._since) or _is_for(entry, self._asked), (
            f"{event.seq} is not beyond the start"
        )
        self._heard.add(event.seq)
        if event.seq > self._newest:
            self._newest = event.seq
            self.check(event.seq)
        else:
            assert self._asked, f"{event.seq} after {self._newest}"
            assert event.seq > self._newest_of_past, f"{event.seq} after {self._newest_of_past}, both of the past"
            self._newest_of_past = event.seq

    def check(self, end: int) -> None:
        """Fail if an event up to the number `end` was not heard."""
        log = self._archive.log(self.origin.epoch)
        expected = {seq for seq, entry in log.items() if seq <= end and _is_for(entry, self._since)}
        missed = sorted(expected - self._heard)
        assert not missed, f"{missed} were not heard"


def _is_for(entry: Entry, since: Mapping[str, int]) -> bool:
    # What is for everyone is in the past of every topic.
    return any(entry.seq > begin for topic, begin in since.items() if {topic, EVERYONE} & {*entry.topics})
