import base64
import contextlib
import itertools
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import StartupError
from shared.identity.errors import BadToken
from shared.identity.identity import MESSAGES_SEND, PRODUCTS_WRITE, Identity
from shared.identity.minting import mint
from shared.identity.tokens import MAX_TOKEN_LENGTH
from shared.serving.tokens import tokens_of
from shared.settings import ServiceSettings
from tests.tokens import JWT_SECRET, signed, token, unsigned

NOW = int(time.time())
ANOTHER_SECRET = "another secret of thirty-two bytes"


def settings(**fields: Any) -> ServiceSettings:
    return ServiceSettings.model_validate({"emitter_secret": "x" * 16, "jwt_secret": JWT_SECRET, **fields})


def identify(token: str | None, **fields: Any) -> Identity:
    return tokens_of(settings(**fields)).identify_now(token)


@pytest.mark.parametrize("sub", ["ann", "screen-7", "ann@shop.example", "a_b.c", "x" * 100])
def test_a_token_says_whose_it_is(sub: str) -> None:
    """What our secret signed is believed."""
    assert identify(token(sub)).subject == sub


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "nonsense",
        "a.b.c",
        "\ud800.\u00e4.\0",
        "." * MAX_TOKEN_LENGTH,
        token("ann", secret=ANOTHER_SECRET),
        token("ann", algorithm="HS512", secret=JWT_SECRET * 2),
        unsigned("ann", alg="none"),
        unsigned("ann", alg=["HS256"]),
        unsigned("ann"),
        base64.urlsafe_b64encode(b"[" * 2_500).decode() + ".e30.e30",
        token("ann", exp=NOW - 31),
        token("ann", aud=None),
        token("ann", aud="another service"),
        token("ann", aud=["another", "service"]),
        token("ann", aud=7),
        token("ann", iat=NOW + 86_400),
        token("ann", exp=None),
        token("ann", exp="soon"),
        token("ann", exp=1e400),
        token("ann", nbf=NOW + 86_400),
        token(None),
        token(""),
        token(7),
        token("ann:bob"),
        token("*"),
        token("ann\n"),
        token("\u00e4nn"),
        token("x" * 101),
        token("ann", more="x" * MAX_TOKEN_LENGTH),
    ],
    # The tokens themselves hold the time, and would be other tests in each process that runs a part of them.
    ids=itertools.count(),
)
def test_any_other_token_is_refused_without_a_word_of_it(bad: str) -> None:
    """Forged, expired, unsigned or not a token at all: the message is the same whatever stands in it."""
    with pytest.raises(BadToken) as refused:
        identify(bad)
    assert len(str(refused.value)) < 100
    assert not any(part in str(refused.value) for part in bad.split(".") if part not in {"", "a", "b", "c"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([NOW, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CLAIMS = st.dictionaries(st.sampled_from(["sub", "aud", "exp", "nbf", "iat", "iss", "jti", "scope"]), VALUES)


@given(CLAIMS)
@example({"exp": 10**400})
def test_whatever_is_signed_is_an_identity_or_a_refusal(claims: dict[str, Any]) -> None:
    """A key's holder may sign any JSON: nothing of it is an error of ours."""
    with contextlib.suppress(BadToken):
        assert identify(signed({"sub": "ann", "aud": "storecast", "exp": NOW + 86_400, **claims})).subject


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_whatever_comes_as_a_token_is_refused(text: str) -> None:
    """Also in the place of each of a good token's parts."""
    parts = token("ann").split(".")
    for number in range(4):
        with pytest.raises(BadToken):
            identify(".".join([*parts[:number], text, *parts[number + 1 :]]))


def test_nobody_is_permitted_anything() -> None:
    """Who has no token is nobody in particular, and so is a token without a scope."""
    assert not identify(None).may(PRODUCTS_WRITE)
    assert not identify(token("ann")).may(PRODUCTS_WRITE)


@pytest.mark.parametrize(
    ("scope", "permits"),
    [
        (PRODUCTS_WRITE, True),
        (f"openid {PRODUCTS_WRITE} email", True),
        (f"{MESSAGES_SEND} products", False),
        (f"{PRODUCTS_WRITE}s", False),
        (PRODUCTS_WRITE.upper(), False),
        ([PRODUCTS_WRITE], False),
        ({PRODUCTS_WRITE: True}, False),
        ("*", False),
        ("", False),
        (None, False),
    ],
)
def test_a_scope_is_one_of_the_names_in_the_claim(scope: Any, permits: bool) -> None:  # noqa: FBT001  # expected
    """A text with spaces between the names (RFC 8693, section 4.2); nothing that looks like one counts."""
    assert identify(token("ann", scope=scope)).may(PRODUCTS_WRITE) is permits


def test_where_tokens_are_off_everybody_is_trusted() -> None:
    """On a machine of one's own. A token still says whose it is, and a bad one is still refused."""
    off = {"auth": "off"}
    assert identify(None, **off).may(PRODUCTS_WRITE)
    assert identify(token("ann"), **off).subject == "ann"
    with pytest.raises(BadToken):
        identify(token("ann", secret=ANOTHER_SECRET), **off)
    with pytest.raises(BadToken):
        identify(token("ann"), **off, jwt_secret="")


def test_an_issuer_is_demanded_where_one_is_set() -> None:
    """Of many who have the key, one is meant."""
    assert identify(token("ann", iss="https://id.example"), jwt_issuer="https://id.example").subject == "ann"
    for other in (None, "https://id.example/"):
        with pytest.raises(BadToken):
            identify(token("ann", iss=other), jwt_issuer="https://id.example")


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_of_the_future_is_told_so(claim: str) -> None:
    """A clock that is wrong is found by the message, and not taken for a wrong key."""
    now = int(time.time())
    with pytest.raises(BadToken, match="not valid yet"):
        identify(signed({"sub": "ann", "aud": "storecast", "exp": now + 60, claim: now + 600}))


def test_clocks_may_differ_by_the_leeway() -> None:
    """A token is good for a moment longer, and a moment earlier, and so is what it permits."""
    now = int(time.time())
    assert identify(token("ann", exp=now - 20)).expires_at == now + 10
    assert identify(token("ann", nbf=now + 20)).subject == "ann"
    with pytest.raises(BadToken, match="expired"):
        identify(token("ann", exp=now - 20), jwt_leeway_seconds=10)


def test_the_secret_before_a_rotation_is_still_believed() -> None:
    """Until whoever gives out tokens has the new one."""
    rotated = {"jwt_secret": ANOTHER_SECRET, "jwt_secret_previous": JWT_SECRET}
    assert identify(token("ann"), **rotated).subject == "ann"
    assert identify(token("ann", secret=ANOTHER_SECRET), **rotated).subject == "ann"
    with pytest.raises(BadToken):
        identify(token("ann", secret="yet another secret of thirty-two bytes"), **rotated)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"jwt_secret": ""}, "STORECAST_JWT_SECRET: set it"),
        ({"jwt_secret": "x" * 31}, "STORECAST_JWT_SECRET: must have at least 32"),
        ({"jwt_secret_previous": "x" * 31}, "STORECAST_JWT_SECRET: must have at least 32"),
        ({"emitter_secret": JWT_SECRET}, "STORECAST_EMITTER_SECRET"),
        ({"jwks_url": "https://id.example/jwks"}, "set one of them"),
        ({"jwks_url": "https://id.example/jwks", "jwt_secret": ""}, "STORECAST_JWT_ISSUER"),
    ],
)
def test_settings_by_which_nobody_can_be_told_from_anybody_end_the_start(fields: dict[str, str], names: str) -> None:
    """A secret that can be guessed makes everybody whoever they like; the line says what to set."""
    with pytest.raises(StartupError, match=names):
        tokens_of(settings(**fields))


def test_a_token_that_was_made_for_trying_is_good() -> None:
    """What `storecast token` makes is what the services read."""
    now = int(time.time())
    made = mint(settings(jwt_issuer="me"), "ann", [PRODUCTS_WRITE, MESSAGES_SEND], minutes=5)
    who = identify(made, jwt_issuer="me")
    assert (who.subject, set(who.scopes)) == ("ann", {PRODUCTS_WRITE, MESSAGES_SEND})
    assert now + 300 <= who.expires_at <= now + 400


def test_a_token_without_an_end_has_one() -> None:
    """What is told of it is a date."""
    assert identify(token("ann", exp=10**15)).expires_at == 253_402_300_799


@pytest.mark.parametrize(("subject", "secret"), [("a b", JWT_SECRET), ("ann", "short")])
def test_no_token_is_made_that_would_not_be_read(subject: str, secret: str) -> None:
    """The fault is told where it can be mended."""
    with pytest.raises(StartupError):
        mint(settings(jwt_secret=secret), subject, [], minutes=5)
