from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api_service.database import Database
from api_service.feed.event_log import Entry, EventLog
from api_service.feed.lease import read_leadership
from shared.events import Event

LARGE = {"x": "y" * 1024 * 1024}


@pytest.fixture
def log(api_app: FastAPI) -> EventLog:
    """The log behind the API, to which these tests append by themselves."""
    return EventLog(api_app.state.database)


@pytest.fixture
async def epoch(api_app: FastAPI) -> str:
    """The epoch of the database."""
    database: Database = api_app.state.database
    return (await read_leadership(database)).epoch


async def append(log: EventLog, first: int, last: int, payload: dict[str, Any] | None = None) -> None:
    now = datetime.now(UTC)
    await log.append(
        [Entry(seq, f"id-{seq}", "new_product", payload or {}, [], now, {}) for seq in range(first, last + 1)]
    )


async def page(api: httpx.AsyncClient, **query: Any) -> tuple[list[int], str]:
    response = await api.get("/events", params=query)
    assert response.status_code == 200, response.text
    answer = response.json()
    return [event["seq"] for event in answer["events"]], answer["next"]


async def test_pages_follow_each_other(api: httpx.AsyncClient, log: EventLog, epoch: str) -> None:
    """`next` is the `after` of the next page, up to the end and beyond it."""
    await append(log, 1, 5)
    assert await page(api, limit=3) == ([1, 2, 3], f"{epoch}:3")
    assert await page(api, limit=3, after=f"{epoch}:3") == ([4, 5], f"{epoch}:5")
    assert await page(api, limit=3, after=f"{epoch}:5") == ([], f"{epoch}:5")
    assert await page(api, after=f"{epoch}:0") == ([1, 2, 3, 4, 5], f"{epoch}:5")


async def test_without_an_offset_it_begins_with_the_oldest(api: httpx.AsyncClient, log: EventLog, epoch: str) -> None:
    """Whoever knows nothing yet is given what is kept."""
    assert await page(api) == ([], f"{epoch}:0")
    await append(log, 1, 5)
    await log.remove(2, 100)
    assert await page(api) == ([3, 4, 5], f"{epoch}:5")
    assert await page(api, after=f"{epoch}:2") == ([3, 4, 5], f"{epoch}:5")


async def test_a_page_is_bounded_by_bytes(api: httpx.AsyncClient, log: EventLog, epoch: str) -> None:
    """A thousand large events are no answer of a gigabyte: the page is shorter, and `next` says where to go on."""
    await append(log, 1, 10, LARGE)
    assert await page(api, limit=1000) == ([1, 2, 3, 4, 5, 6, 7], f"{epoch}:7")
    assert await page(api, limit=1000, after=f"{epoch}:7") == ([8, 9, 10], f"{epoch}:10")


@pytest.mark.parametrize("offset", ["{epoch}:1", "{epoch}:0", "other:4"])
async def test_an_offset_that_is_not_kept_any_more(
    api: httpx.AsyncClient, log: EventLog, epoch: str, offset: str
) -> None:
    """410 that says what to do: events were removed that the caller has not seen."""
    await append(log, 1, 5)
    await log.remove(2, 100)
    response = await api.get("/events", params={"after": offset.format(epoch=epoch)})
    assert response.status_code == 410
    assert "read the products anew" in response.json()["detail"]


async def test_a_log_that_is_trimmed_while_it_is_asked(
    api: httpx.AsyncClient, log: EventLog, epoch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped silently, even if events go at the very moment at which they are read."""
    await append(log, 1, 5)
    read = EventLog.read

    async def trimmed_before(self: EventLog, after: int, limit: int) -> list[Event]:
        await self.remove(3, 100)
        return await read(self, after, limit)

    monkeypatch.setattr(EventLog, "read", trimmed_before)
    assert (await api.get("/events", params={"after": f"{epoch}:1"})).status_code == 410
