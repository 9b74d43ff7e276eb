"""Sends products in batches, a few at a time, until the service has each of them once."""

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from deploy.cli.api import Api
from deploy.cli.errors import CommandError, NotThere, Refused, Unavailable
from deploy.cli.patience import patiently
from deploy.cli.problems import is_later, problem_lines

BATCH_ITEMS = 250
AT_A_TIME = 4
# Longer than a replica, a MongoDB primary or a gateway takes to be replaced.
PATIENCE_S = 60

_MADE = frozenset({200, 201})
_Item = dict[str, Any]


class Seeder:
    """One run. Each product has a key of its own, so that one that is sent twice is made once."""

    def __init__(self, api: Api, made: Callable[[int], None]) -> None:
        self._api = api
        self._made = made

    async def sow(self, drafts: Iterable[dict[str, Any]]) -> None:
        """Create all; tell `made` how many were, as they are. Raises CommandError."""
        batches = _batches(drafts)
        # Alone, and without patience for an origin where nothing is: that is a wrong one, and not one that went away.
        for first in islice(batches, 1):
            await self._create(first, (Unavailable,))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(AT_A_TIME):
                    group.create_task(self._work(batches))
        except* CommandError as errors:
            raise errors.exceptions[0] from None

    async def _work(self, batches: Iterator[list[_Item]]) -> None:
        for batch in batches:
            await self._create(batch, (Unavailable, NotThere))

    async def _create(self, batch: list[_Item], passing: tuple[type[CommandError], ...]) -> None:
        left = batch

        async def send() -> None:
            nonlocal left
            results = await self._api.create_many(left)
            self._made(sum(result["status"] in _MADE for result in results))
            left = _left_over(left, results)
            if left:
                raise Unavailable(f"{len(left)} products of a batch could not be stored")

        await patiently(send, PATIENCE_S, passing)


def _left_over(items: Sequence[_Item], results: Sequence[dict[str, Any]]) -> list[_Item]:
    """Return what is to be sent again; raise Refused for what never will be taken."""
    again = []
    for item, result in zip(items, results, strict=True):
        if is_later(result["status"]):
            again.append(item)
        elif result["status"] not in _MADE:
            raise Refused(*problem_lines(result["status"], result["problem"]))
    return again


def _batches(drafts: Iterable[dict[str, Any]]) -> Iterator[list[_Item]]:
    run = uuid.uuid4().hex
    items = ({"product": draft, "idempotency_key": f"seed-{run}-{number}"} for number, draft in enumerate(drafts))
    while batch := list(islice(items, BATCH_ITEMS)):
        yield batch
