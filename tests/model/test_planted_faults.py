"""Tests of the test: a model that does not find a fault that is known would not find an unknown one."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.faults import FAULTS
from tests.model.machine import Storecast

# To trace each line would cost a search half of its time; other tests come by all of them.
pytestmark = pytest.mark.usefixtures("untraced")

SEARCH = settings(
    max_examples=2000,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # that there is a counterexample is what counts, not how short it can be made
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    """Hypothesis comes upon an order of events in which the planted fault breaks a promise."""

    class Faulty(Storecast):
        design = FAULTS[fault]

    with pytest.raises(AssertionError):
        run_state_machine_as_test(Faulty, settings=SEARCH)
