import base64
import itertools
import json
import time
from typing import Any

import pytest
from pydantic import SecretStr

from shared.errors import StartupError
from tests.tokens import JWT_SECRET, token
from ws_service.settings import Settings
from ws_service.sockets.tokens import MAX_TOKEN_LENGTH, BadToken, Tokens

NOW = int(time.time())


def tokens(secret: str = JWT_SECRET) -> Tokens:
    return Tokens(Settings(emitter_secret=SecretStr("x" * 16), jwt_secret=SecretStr(secret)))


def unsigned(**header: Any) -> str:
    parts = [json.dumps(part).encode() for part in ({"typ": "JWT", **header}, {"sub": "ann", "exp": NOW + 60})]
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ""])


@pytest.mark.parametrize("sub", ["ann", "screen-7", "ann@shop.example", "a_b.c", "x" * 100])
def test_a_token_says_whose_it_is(sub: str) -> None:
    """What our secret signed is believed."""
    assert tokens().subject(token(sub)) == sub


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "nonsense",
        "a.b.c",
        "\ud800.\u00e4.\0",
        "." * MAX_TOKEN_LENGTH,
        token("ann", secret="another secret of thirty-two bytes"),
        token("ann", algorithm="HS512", secret=JWT_SECRET * 2),
        unsigned(alg="none"),
        unsigned(alg=["HS256"]),
        unsigned(),
        base64.urlsafe_b64encode(b"[" * 2_500).decode() + ".e30.e30",
        token("ann", exp=NOW - 1),
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
        tokens().subject(bad)
    assert len(str(refused.value)) < 100
    assert not any(part in str(refused.value) for part in bad.split(".") if part not in {"", "a", "b", "c"})


def test_without_a_secret_no_token_is_known() -> None:
    """Not even one that was signed with the empty secret."""
    with pytest.raises(BadToken, match="STORECAST_JWT_SECRET"):
        tokens("").subject(token("ann"))


def test_a_short_secret_ends_the_start() -> None:
    """A secret that can be guessed makes everybody whoever they like."""
    with pytest.raises(StartupError, match="STORECAST_JWT_SECRET"):
        tokens("x" * 31)
