import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Storecast

# To trace each line would cost a search half of its time; other tests come by all of them.
pytestmark = pytest.mark.usefixtures("untraced")

SETTINGS = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(600)  # a counterexample is worth the time that it takes to make it short
def test_every_promise_holds_whatever_goes_wrong() -> None:
    """No order of faults that hypothesis comes upon loses, doubles, reorders or forges an event."""
    run_state_machine_as_test(Storecast, settings=SETTINGS)
