"""Who the clients are, for as long as their tokens say so. A connection outlives its token, and may show another."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import orjson
from pydantic import Field
from typing_extensions import TypedDict

from shared.identity.identity import Identity
from ws_service import metrics
from ws_service.ingest.outgoing import Note
from ws_service.ingest.subscriptions import Subscriptions
from ws_service.sockets.connection import Feed
from ws_service.topics.permissions import Permissions

EXPIRING = "token_expiring"
EXPIRED = "token_expired"


class Expiring(TypedDict):
    """The token of a client expires soon: it may show a new one until then."""

    expires_in_s: Annotated[int, Field(ge=0)]


class Expired(TypedDict):
    """The token of a client has expired: it is nobody's now."""

    left: Annotated[list[str], Field(description="the topics that it does not hear any more")]


# The wall clock may be set, and a timer takes no token of a thousand years.
_LONGEST_S = 3_600.0


class Standings:
    """The identity of each client that has shown a token, by its socket's id."""

    def __init__(self, subscriptions: Subscriptions, permissions: Permissions, anyone: Identity, notice_s: int) -> None:
        self._subscriptions = subscriptions
        self._permissions = permissions
        self._anyone = anyone
        self._notice_s = notice_s
        self._of: dict[str, _Standing] = {}

    def who(self, feed: Feed[Any]) -> Identity:
        """Return who a client is."""
        standing = self._of.get(feed.sid)
        return standing.who if standing else self._anyone

    def may_become(self, feed: Feed[Any], who: Identity) -> bool:
        """Tell whether a socket is nobody else's, also not by a token that has expired.

        What waits for it on the way may be for the one that it was.
        """
        standing = self._of.get(feed.sid)
        return standing is None or standing.owner == who.subject

    def begin(self, feed: Feed[Any], who: Identity) -> None:
        """Have a client that was just taken be who it is, until its token expires."""
        if who.subject is not None:
            # It may have expired while the history was waited for: of what it permitted nothing is sent, not even
            # before the end is told.
            left = self._become(feed, self._anyone) if who.expires_at <= time.time() else frozenset[str]()
            notice, end = self._tell_ahead, self._expire
            expiry = _Expiry(
                who.expires_at, self._notice_s, lambda left_s: notice(feed, left_s), lambda: end(feed, left)
            )
            self._of[feed.sid] = _Standing(who, who.subject, expiry)

    def renew(self, feed: Feed[Any], who: Identity) -> None:
        """Have a client be who its new token says."""
        self.end(feed)
        self._become(feed, who)
        self.begin(feed, who)

    def end(self, feed: Feed[Any]) -> None:
        """Wait for the end of no token: the client has gone."""
        if standing := self._of.pop(feed.sid, None):
            standing.expiry.cancel()

    def _tell_ahead(self, feed: Feed[Any], left_s: float) -> None:
        expiring: Expiring = {"expires_in_s": max(0, int(left_s))}
        feed.send(Note(EXPIRING, orjson.dumps(expiring)))

    def _expire(self, feed: Feed[Any], left: frozenset[str]) -> None:
        metrics.tokens_expired.inc()
        self._of[feed.sid] = self._of[feed.sid]._replace(who=self._anyone)
        left |= self._become(feed, self._anyone)
        expired: Expired = {"left": sorted(left)}
        feed.send(Note(EXPIRED, orjson.dumps(expired)))

    def _become(self, feed: Feed[Any], who: Identity) -> frozenset[str]:
        subscription = feed.subscription
        self._subscriptions.rename(subscription, who.subject)
        closed = self._permissions.closed(subscription.topics, who)
        self._subscriptions.leave(subscription, closed)
        return closed


class _Expiry:
    """Calls `notice` with the seconds that are left, once, and `end` at the end. Not before this call returns."""

    def __init__(
        self, expires_at: float, notice_s: float, notice: Callable[[float], None], end: Callable[[], None]
    ) -> None:
        self._expires_at = expires_at
        self._notice_s = notice_s
        self._notice: Callable[[float], None] | None = notice
        self._end = end
        self._timer: asyncio.Handle = asyncio.get_running_loop().call_soon(self._check)

    def cancel(self) -> None:
        """Call nothing any more."""
        self._timer.cancel()

    def _check(self) -> None:
        left = self._expires_at - time.time()
        if left <= 0:
            self._end()
            return
        if left <= self._notice_s and self._notice is not None:
            notice, self._notice = self._notice, None
            notice(left)
        wait = left if self._notice is None else left - self._notice_s
        self._timer = asyncio.get_running_loop().call_later(min(wait, _LONGEST_S), self._check)


class _Standing(NamedTuple):
    """Who a client is now, whose its socket is for good, and what waits for the end of the token."""

    who: Identity
    owner: str
    expiry: _Expiry
