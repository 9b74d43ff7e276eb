"""The soak in its short form: half an hour of it is for `make soak`."""

import pytest
from rich.console import Console

from tests.soak import __main__ as command
from tests.soak.soak import MOST_GROWTH, Options, Sample, Soaked, soak


async def test_clients_come_and_go_in_every_way() -> None:
    """Visitors subscribe, hear, recover and go; whatever goes wrong with one of them fails the run."""
    told: list[Sample] = []
    soaked = await soak(Options(seconds=5, warm_up_s=2, clients=12, events_per_s=25), told.append)

    assert soaked.visits >= 12
    assert soaked.events_heard > 100
    assert soaked.samples == told
    assert soaked.growth < 0.5


@pytest.mark.parametrize(("last", "too_much"), [(100, False), (104, False), (106, True)])
def test_growth_is_that_from_the_warm_up_to_the_end(last: int, too_much: bool) -> None:  # noqa: FBT001  # a parameter
    """One sample that stands out says nothing; a rise that stays does."""
    memory = [100] * 40 + [500] + [last] * 40
    soaked = Soaked([Sample(second, size) for second, size in enumerate(memory)], visits=1, events_heard=2)

    console = Console(width=80)
    with console.capture() as capture:
        command.show(soaked, console)

    assert (soaked.growth > MOST_GROWTH) is too_much
    assert f"growth {last - 100:+.1f}%" in capture.get()
