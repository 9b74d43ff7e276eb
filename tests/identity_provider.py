"""An identity provider over real HTTP: a JWKS URL, and what signs tokens with the keys that stand there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.tokens import token

ISSUER = "https://id.example"
RSA = rsa.generate_private_key(65537, 2048)


def rsa_key(key_id: str, **fields: Any) -> dict[str, Any]:
    """Return a public key as a provider lists it."""
    return {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": key_id, "alg": "RS256", **fields}


def signed(key_id: str, **claims: Any) -> str:
    """Return a token that names the key."""
    return token("ann", secret=RSA, algorithm="RS256", kid=key_id, **{"iss": ISSUER, **claims})


class Provider:
    """What it answers, and how often it was asked. It hangs while `answers` is clear."""

    def __init__(self) -> None:
        self.keys = [rsa_key("one")]
        self.asked = 0
        self.answer: web.Response | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        # Begins its answer, and never comes to its end.
        self.drips = False
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator[Self]:
        """Run one on a free port."""
        provider = cls()
        app = web.Application()
        app.router.add_get("/jwks", provider.tell)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
        try:
            yield provider
        finally:
            provider.answers.set()
            provider.drips = False
            await runner.cleanup()

    async def tell(self, request: web.Request) -> web.StreamResponse:
        """Answer as it was told to."""
        self.asked += 1
        await self.answers.wait()
        if self.drips:
            return await self._drip(request)
        return self.answer or web.Response(text=json.dumps({"keys": self.keys}))

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while self.drips:
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response
