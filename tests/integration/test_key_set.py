"""Tokens that a provider signs: its keys are fetched from a real HTTP server."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from shared.identity.errors import BadToken, KeysAway
from shared.identity.tokens import Tokens
from shared.serving import key_set
from shared.serving.tokens import tokens_of
from shared.settings import ServiceSettings
from tests.identity_provider import ISSUER, RSA, Provider, rsa_key, signed
from tests.tokens import token, unsigned
from tests.waiting import eventually

_EC = ec.generate_private_key(ec.SECP256R1())


FIELDS = ("kty", "use", "alg", "kid", "n", "e", "crv", "x", "y", "k")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["RSA", "EC", "OKP", "sig", "P-256"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)


def ec_key(key_id: str) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(_EC.public_key(), as_dict=True), "kid": key_id, "alg": "ES256"}


def signed_with_public(key: bytes) -> str:
    # By hand: PyJWT itself refuses.
    head = unsigned("ann", alg="HS256", kid="one").rstrip(".")
    signature = base64.urlsafe_b64encode(hmac.digest(key, head.encode(), "sha256"))
    return f"{head}.{signature.rstrip(b'=').decode()}"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider.running() as provider:
        yield provider


@pytest.fixture
def _short_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_set, "_RETRY_S", 0.05)


@asynccontextmanager
async def reading(provider: Provider) -> AsyncIterator[Tokens]:
    settings = {"emitter_secret": "x" * 16, "jwks_url": provider.url, "jwt_issuer": ISSUER}
    tokens = tokens_of(ServiceSettings.model_validate(settings))
    running = asyncio.create_task(tokens.keys.run())
    try:
        yield tokens
    finally:
        running.cancel()


async def is_known(tokens: Tokens, key_id: str) -> bool:
    try:
        await tokens.identify(signed(key_id))
    except (BadToken, KeysAway):
        return False
    return True


async def test_what_the_provider_signed_is_believed(provider: Provider) -> None:
    """From the first token on, which waits for the keys; each key by its id and with its own algorithm."""
    provider.keys = [rsa_key("one"), ec_key("two")]
    async with reading(provider) as tokens:
        assert (await tokens.identify(signed("one"))).subject == "ann"
        other = token("bob", secret=_EC, algorithm="ES256", kid="two", iss=ISSUER)
        assert (await tokens.identify(other)).subject == "bob"
        assert provider.asked == 1


async def test_a_public_key_signs_nothing(provider: Provider) -> None:
    """RS/HS confusion: the public key, which everybody has, taken for a shared secret (RFC 8725, section 2.1)."""
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = signed_with_public(pem)
    async with reading(provider) as tokens:
        for bad in (forged, unsigned("ann", alg="none", kid="one"), signed("one", iss="https://evil.example")):
            with pytest.raises(BadToken):
                await tokens.identify(bad)


async def test_a_secret_in_a_public_document_is_no_key(provider: Provider) -> None:
    """Nor is a key that is meant for encryption: nothing of the sort is taken, and the others are."""
    provider.keys = [
        {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3JldA", "kid": "one"},
        rsa_key("two", use="enc"),
        rsa_key("three"),
    ]
    async with reading(provider) as tokens:
        assert (await tokens.identify(signed("three"))).subject == "ann"
        for key_id in ("one", "two"):
            with pytest.raises(BadToken):
                await tokens.identify(signed(key_id))


async def test_an_odd_key_costs_the_others_nothing(provider: Provider) -> None:
    """A provider may list what is not for us, in whatever form."""
    odd: list[dict[str, Any]] = [
        {"use": ["sig"]},
        {"use": {}},
        {"alg": ["RS256"]},
        {"kty": 7},
        {"n": 7},
        {"e": None},
        {"alg": "none"},
    ]
    provider.keys = [*(rsa_key(str(number), **fields) for number, fields in enumerate(odd)), rsa_key("one")]
    async with reading(provider) as tokens:
        assert (await tokens.identify(signed("one"))).subject == "ann"


@example({"keys": [rsa_key("one", alg="none")]})
@given(JSON | st.fixed_dictionaries({"keys": st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON)}))
def test_whatever_a_provider_says_is_keys_or_a_refusal(document: Any) -> None:
    """No JSON of theirs ends the fetching."""
    with suppress(ValueError):
        assert key_set._usable(json.dumps(document).encode())  # noqa: SLF001  # it is fetched by a task


@pytest.mark.usefixtures("_short_rest")
async def test_a_new_key_is_fetched_when_a_token_names_it(provider: Provider) -> None:
    """A rotation needs no restart: what names the new key waits for it, what names the old one ends with it."""
    async with reading(provider) as tokens:
        await tokens.identify(signed("one"))
        provider.keys = [rsa_key("new")]
        await eventually(lambda: is_known(tokens, "new"), message="the new key is known")
        assert not await is_known(tokens, "one")


async def test_names_of_keys_that_are_made_up_do_not_reach_the_provider(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends thousands of them has it asked once in ten seconds at the most."""
    assert key_set._RETRY_S == 10  # noqa: SLF001  # so long may a busy machine take for them
    monkeypatch.setattr(key_set, "_RETRY_S", 3_600)
    async with reading(provider) as tokens:
        await tokens.identify(signed("one"))
        for number in range(1_000):
            with pytest.raises(BadToken):
                await tokens.identify(signed(f"made up {number}"))
        assert provider.asked == 1


@pytest.mark.usefixtures("_short_rest")
@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(text="<html>"),
        lambda: web.Response(text="[]"),
        lambda: web.Response(text='{"keys": []}'),
        lambda: web.Response(text='{"keys": [7, {}, {"kty": "RSA"}]}'),
        lambda: web.Response(text=json.dumps({"keys": [rsa_key("another")], "padding": " " * 300_000})),
        lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    ],
)
async def test_a_provider_that_fails_takes_no_known_key_away(provider: Provider, answer: Any) -> None:
    """What was fetched once stays good while the provider is away or talks nonsense."""
    async with reading(provider) as tokens:
        await tokens.identify(signed("one"))
        provider.answer = answer()
        before = provider.asked

        async def asked_again() -> bool:
            return not await is_known(tokens, "another") and provider.asked > before

        await eventually(asked_again, message="the provider is asked again")
        assert (await tokens.identify(signed("one"))).subject == "ann"
        with pytest.raises(KeysAway):  # nobody knows whether it is one
            await tokens.identify(signed("another"))


@pytest.mark.usefixtures("_short_rest")
async def test_a_provider_that_fails_is_asked_again_soon(provider: Provider) -> None:
    """Also where there are keys, and no token names another: so that it is known whether it is still away."""
    async with reading(provider) as tokens:
        await tokens.identify(signed("one"))
        provider.answer = web.Response(status=500)

        async def is_asked() -> bool:
            return not await is_known(tokens, "new") and provider.asked > 1

        await eventually(is_asked, message="it is asked for a new key")
        before = provider.asked
        await eventually(lambda: provider.asked > before + 2, message="it is asked again and again")


async def test_without_any_key_nobody_is_refused_for_good(provider: Provider) -> None:
    """A provider that was never reached: the token may be good, so it is not called bad."""
    provider.answer = web.Response(status=503)
    async with reading(provider) as tokens:
        with pytest.raises(KeysAway):
            await tokens.identify(signed("one"))


async def is_away(tokens: Tokens, key_id: str) -> bool:
    """Tell whether a token is neither good nor bad just now."""
    try:
        await tokens.identify(signed(key_id))
    except KeysAway:
        return True
    return False


async def test_a_provider_that_hangs_holds_nobody_up(provider: Provider) -> None:
    """A moment is waited for it, by all together; from then on, the answer comes at once that it is away."""
    provider.answers.clear()
    async with reading(provider) as tokens:
        begun = time.monotonic()
        assert all(await asyncio.gather(*(is_away(tokens, "one") for _ in range(20))))
        for _ in range(20):
            assert await is_away(tokens, "one")
        assert time.monotonic() - begun < key_set._TIMEOUT_S - 1  # noqa: SLF001  # when the try itself ends
        assert provider.asked == 1
        provider.answers.set()
        await eventually(lambda: is_known(tokens, "one"), message="it has answered")


@pytest.mark.usefixtures("_short_rest")
async def test_what_is_known_does_not_wait_for_a_provider_that_hangs(provider: Provider) -> None:
    """What names a key that is here is read as ever, while what names another waits for it, and then does not."""
    async with reading(provider) as tokens:
        await tokens.identify(signed("one"))
        provider.answers.clear()

        async def hangs() -> bool:
            with suppress(BadToken, KeysAway):
                tokens.identify_now(signed("new"))
            return provider.asked > 1

        await eventually(hangs, message="it is asked for a new key")
        begun = time.monotonic()
        for _ in range(20):
            assert await is_away(tokens, "new")
            assert (await tokens.identify(signed("one"))).subject == "ann"
        assert time.monotonic() - begun < key_set._TIMEOUT_S - 1  # noqa: SLF001  # when the try itself ends
        provider.keys = [rsa_key("new")]
        provider.answers.set()
        await eventually(lambda: is_known(tokens, "new"), message="the new key is known")


@pytest.mark.usefixtures("_short_rest")
async def test_an_answer_that_never_ends_is_given_up(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try has a time as a whole: each byte on its own would come soon enough."""
    monkeypatch.setattr(key_set, "_TIMEOUT_S", 0.3)
    provider.drips = True
    async with reading(provider) as tokens:
        await eventually(lambda: provider.asked > 1, message="it is asked again")
        provider.drips = False
        await eventually(lambda: is_known(tokens, "one"), message="it has answered")
