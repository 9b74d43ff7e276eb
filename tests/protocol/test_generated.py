"""The same as test_protocol.py with scripts by chance."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.protocol.generators import Generated, asked, framed, posted, said
from tests.protocol.script import Script, play_all
from tests.protocol.servers import Servers

# Those of one example are played at a time: most of a script is waiting.
_LEAST, _MOST = 10, 20

_sometimes = settings(
    max_examples=8,
    # What differs is a script of a few steps, and is shown alone: there is no need to shrink it, which takes minutes.
    phases=[Phase.generate],
    report_multiple_bugs=False,
    derandomize=True,  # a run says something about the change that it tests, not about chance
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def _some(scripts: st.SearchStrategy[Generated]) -> st.SearchStrategy[list[Generated]]:
    return st.lists(scripts, min_size=_LEAST, max_size=_MOST)


async def _compare(servers: Servers, scripts: list[Generated]) -> None:
    named = {f"{number}: {script!r}": Script(script.play, "calm") for number, script in enumerate(scripts)}
    outcomes = await play_all(named, servers.pairs, lambda _, outcome: outcome.same)
    assert not {name: outcome for name, outcome in outcomes.items() if not outcome.same}


@given(scripts=_some(said))
@_sometimes
async def test_packets_over_a_websocket(servers: Servers, scripts: list[Generated]) -> None:
    """Whatever packets a client sends over a websocket, it is answered as by the reference."""
    await _compare(servers, scripts)


@given(scripts=_some(posted))
@_sometimes
async def test_packets_by_polling(servers: Servers, scripts: list[Generated]) -> None:
    """Whatever a client posts, it is answered as by the reference."""
    await _compare(servers, scripts)


@given(scripts=_some(asked))
@_sometimes
async def test_requests(servers: Servers, scripts: list[Generated]) -> None:
    """Whatever a client asks for, it is answered as by the reference."""
    await _compare(servers, scripts)


@given(scripts=_some(framed))
@_sometimes
async def test_frames(servers: Servers, scripts: list[Generated]) -> None:
    """Whatever frames a client sends, the websocket is kept or closed as by the reference."""
    await _compare(servers, scripts)


def test_bad_input_leaves_no_traceback(servers: Servers) -> None:
    """What a client sends is never an error of the emitter's."""
    assert not servers.tracebacks()
