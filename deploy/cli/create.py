"""One product more."""

import uuid
from typing import Any

from deploy.cli.api import Api
from deploy.cli.patience import patiently

_PATIENCE_S = 10


async def create(origin: str, token: str | None, draft: dict[str, Any]) -> dict[str, Any]:
    """Create a product and return it: once, also if an answer is lost on the way; raise CommandError."""
    key = str(uuid.uuid4())
    async with Api.at(origin, token) as api:
        return await patiently(lambda: api.create(draft, key), _PATIENCE_S)
