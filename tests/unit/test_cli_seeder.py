"""What a seeder does with a service that answers late, in part, or not at all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deploy.cli.api import Api
from deploy.cli.errors import CommandError, NotThere, Refused, Unavailable
from deploy.cli.seed import seeder
from deploy.cli.seed.catalogue import products
from deploy.cli.seed.seeder import BATCH_ITEMS, Seeder

COUNT = 5 * BATCH_ITEMS + 7
AWAY = {"status": 503, "problem": {"detail": "away"}}

Items = Sequence[dict[str, Any]]
Trouble = Callable[[int, Items], None]


class Shop(Api):
    """A service that keeps products by their keys, as the real one does.

    `before` and `after` are given the number of a call and what came with it, and may raise; `fate` tells what becomes
    of an item.
    """

    def __init__(self, before: Trouble = lambda *_: None, after: Trouble = lambda *_: None) -> None:
        self.by_key: dict[str, dict[str, Any]] = {}
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.before = before
        self.after = after
        self.fate: Callable[[int, int], dict[str, Any] | None] = lambda _call, _index: None

    async def create_many(self, items: Items) -> list[dict[str, Any]]:
        """Answer as the real one."""
        self.calls += 1
        call = self.calls
        async with self._counted():
            self.before(call, items)
            results = [self.fate(call, index) or self._keep(item) for index, item in enumerate(items)]
            self.after(call, items)
        return results

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        yield
        self.at_once -= 1

    def _keep(self, item: dict[str, Any]) -> dict[str, Any]:
        is_new = item["idempotency_key"] not in self.by_key
        kept = self.by_key.setdefault(item["idempotency_key"], item["product"])
        assert kept == item["product"]
        return {"status": 201 if is_new else 200, "product": kept, "problem": None}


async def sown(shop: Shop) -> int:
    """Sow, and return how many were told to be made."""
    told: Counter[str] = Counter()
    await Seeder(shop, lambda made: told.update(made=made)).sow(products(COUNT, 1))
    return told["made"]


def names(drafts: Sequence[dict[str, Any]]) -> Counter[str]:
    return Counter(str(draft) for draft in drafts)


def raising(error: CommandError, *calls: int) -> Trouble:
    """Raise at certain calls."""

    def trouble(call: int, _items: Items) -> None:
        if call in calls:
            raise error

    return trouble


def each_once(shop: Shop) -> bool:
    return names(list(shop.by_key.values())) == names(list(products(COUNT, 1)))


async def test_all_are_made_a_few_batches_at_a_time() -> None:
    """The first alone, then as many together as the bound says."""
    shop = Shop()
    assert await sown(shop) == COUNT
    assert each_once(shop)
    assert (shop.calls, shop.most_at_once) == (6, seeder.AT_A_TIME)


@pytest.mark.parametrize(
    "trouble",
    [
        {"before": raising(Unavailable("busy", retry_after_s=0.01), 1, 2, 3)},
        {"before": raising(NotThere("restarting"), 3, 5)},
        {"after": raising(Unavailable("the connection was lost on the way back"), 1, 4)},
    ],
)
async def test_what_was_lost_is_sent_again_and_made_once(trouble: dict[str, Trouble]) -> None:
    """Whether the request or the answer was lost: nobody knows, and by its key nothing is made twice."""
    shop = Shop(**trouble)
    assert await sown(shop) == COUNT
    assert each_once(shop)


async def test_what_was_not_stored_of_a_batch_is_sent_again() -> None:
    """And only that."""
    shop = Shop()
    shop.fate = lambda call, index: AWAY if call < 3 and index % 2 else None
    sizes: list[int] = []
    shop.before = lambda _call, items: sizes.append(len(items))
    assert await sown(shop) == COUNT
    assert each_once(shop)
    assert sizes[:3] == [BATCH_ITEMS, BATCH_ITEMS // 2, BATCH_ITEMS // 4]


async def test_what_is_refused_ends_it() -> None:
    """With the service's own words; nothing more is sent, and what was made beside it is counted."""
    shop = Shop()
    shop.fate = lambda call, index: {"status": 422, "problem": {"detail": "no"}} if call > 1 and index == 9 else None
    told: list[int] = []
    with pytest.raises(Refused) as refused:
        await Seeder(shop, told.append).sow(products(COUNT, 1))
    assert refused.value.lines == ("no",)
    assert shop.calls == 1 + seeder.AT_A_TIME
    assert sum(told) == len(shop.by_key)


async def test_an_origin_where_nothing_is_ends_it_at_once() -> None:
    """It was never there: it is more likely a wrong one."""
    shop = Shop(before=raising(NotThere("nothing"), 1))
    with pytest.raises(NotThere):
        await sown(shop)
    assert shop.calls == 1


async def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that stays away is said to be away."""
    monkeypatch.setattr(seeder, "PATIENCE_S", 0.3)
    shop = Shop(before=raising(Unavailable("away"), *range(1, 1_000)))
    with pytest.raises(Unavailable):
        await sown(shop)
    assert shop.calls > 1
