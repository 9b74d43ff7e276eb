from typing import Any

import httpx

DRAFT = {"name": "Moka pot", "price": "24.90"}


async def create(api: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    """Create a product, of which a test gives the fields that it cares about."""
    response = await api.post("/products", json={**DRAFT, **fields})
    assert response.status_code == 201, response.text
    product: dict[str, Any] = response.json()
    return product


async def names(api: httpx.AsyncClient, **query: Any) -> list[str]:
    """Return the names of all products of a list, read page by page."""
    found: list[str] = []
    while True:
        response = await api.get("/products", params=query)
        assert response.status_code == 200, response.text
        page = response.json()
        found += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]
