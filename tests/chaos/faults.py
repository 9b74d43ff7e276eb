"""Does to the running system what the schedule says: finds the process that has the role, and hits it."""

import asyncio
import os
import signal
import time
from collections.abc import Collection

import httpx
from pymongo.errors import PyMongoError

from tests.chaos.schedule import Action, Fault, Role
from tests.chaos.silence import Injected
from tests.up import Up
from tests.waiting import eventually

ROLE_WITHIN_S = 30
RESTART_WITHIN_S = 30
_SIGNALS = {Action.KILL: signal.SIGKILL, Action.TERMINATE: signal.SIGTERM}
_NAMED = {Role.EMITTER: "emitter-", Role.GATEWAY: "gateway", Role.REDIS: "redis"}
_MEMBERS = {Role.PRIMARY: "PRIMARY", Role.SECONDARY: "SECONDARY"}


class Injector:
    """Who hits the processes of one `storecast up`, whose emitters are at these addresses."""

    def __init__(self, up: Up, emitter_urls: Collection[str]) -> None:
        self.injected: list[Injected] = []
        self._up = up
        self._emitter_urls = emitter_urls
        self._children = set(up.pids())

    async def run(self, faults: list[Fault], began: float) -> None:
        """Inject the faults at their times, counted from `began` on the monotonic clock; a late one is not left out."""
        for fault in faults:
            await asyncio.sleep(began + fault.at_s - time.monotonic())
            await self._inject(fault)

    async def whole(self) -> None:
        """Wait until every child runs, every member takes part, every emitter is ready, and the system works."""
        await eventually(self._is_whole, message="the system is whole again", timeout_s=ROLE_WITHIN_S)

    async def _inject(self, fault: Fault) -> None:
        names = await eventually(
            lambda: self._having(fault.kind.role), message=f"there is a {fault.kind.role}", timeout_s=ROLE_WITHIN_S
        )
        name = names[int(fault.choice * len(names))]
        pid = self._up.pids()[name]
        began_ms = _now_ms()
        if fault.kind.action is Action.STOP:
            await _stop_for(pid, fault.stop_s)
        else:
            os.kill(pid, _SIGNALS[fault.kind.action])
            await eventually(
                lambda: self._up.pids().get(name, pid) != pid,
                message=f"{name} is started again",
                timeout_s=RESTART_WITHIN_S,
            )
        self.injected.append(Injected(fault, name, began_ms, _now_ms()))

    async def _having(self, role: Role) -> list[str]:
        """Return who has the role now; nobody while a process that could have it is missing."""
        if self._up.pids().keys() != self._children:
            return []
        if role in _NAMED:
            return sorted(name for name in self._children if name.startswith(_NAMED[role]))
        if role in _MEMBERS:
            states = await self._members()
            return sorted(name for name, state in states.items() if state == _MEMBERS[role])
        leader = await self._leader()
        if leader is None or role is Role.LEADER:
            return [leader] if leader else []
        return sorted(name for name in self._children if name.startswith("api-") and name != leader)

    async def _members(self) -> dict[str, str]:
        """Return the members' states once all take part: with two of three missing there could be no primary."""
        try:
            states = await asyncio.to_thread(self._up.members)
        except PyMongoError:  # an election
            return {}
        return states if sorted(states.values()) == ["PRIMARY", "SECONDARY", "SECONDARY"] else {}

    async def _leader(self) -> str | None:
        try:
            health = await self._up.http.get("/readyz")
        except httpx.TransportError:  # the gateway or a replica has just died
            return None
        leader: str | None = health.json()["leader"] if health.is_success else None
        return leader

    async def _is_whole(self) -> bool:
        try:
            return (
                self._up.pids().keys() == self._children
                and bool(await self._members())
                and all([await self._is_ready(url) for url in self._emitter_urls])
                and await self._up.works()
            )
        except httpx.TransportError:
            return False

    async def _is_ready(self, url: str) -> bool:
        return (await self._up.http.get(f"{url}/readyz")).is_success


async def _stop_for(pid: int, seconds: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)  # the fault itself, nothing that is waited for
    finally:
        os.kill(pid, signal.SIGCONT)


def _now_ms() -> float:
    return time.time_ns() / 1e6
