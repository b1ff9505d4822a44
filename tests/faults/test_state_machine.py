"""Change, withdraw, rate again, in any order and interrupted anywhere: the last rating remains."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

from agent_feedback.model import THUMB, Content
from tests.faults.conftest import Scale
from tests.faults.expected_ratings import RatingKey
from tests.faults.killable_app import slow_down_clocks
from tests.faults.one_answer import OneAnswer, Totals
from tests.faults.scenario import Note
from tests.faults.state_machine import RatingMachine
from tests.faults.unreliable_store import Fault
from tests.support.rating import ANN
from tests.support.waiting import until

_STEPS = 30


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("tracking")
def test_the_last_ratings_remain_whatever_the_order_and_the_interruptions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: Scale, note: Note
) -> None:
    """Rated, changed and withdrawn in an order that Hypothesis draws, with faults at any call."""
    slow_down_clocks(monkeypatch)
    totals = Totals()
    # The short form is the same every time; of the full form the table says the seed.
    seed = random.randrange(2**32) if scale.full else None
    begin: Any = partial(RatingMachine, tmp_path, totals)
    try:
        run_state_machine_as_test(
            begin if seed is None else hypothesis.seed(seed)(begin),
            settings=hypothesis.settings(
                max_examples=scale.examples,
                stateful_step_count=_STEPS,
                derandomize=seed is None,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        note(
            "5",
            "rated, changed, withdrawn and interrupted in any order",
            totals.audit,
            examples=totals.examples,
            operations=totals.operations,
            interruptions=totals.interruptions,
            restarts=totals.restarts,
            **({} if seed is None else {"seed": seed}),
        )


@pytest.mark.usefixtures("tracking")
def test_a_create_of_a_killed_process_that_lands_after_the_withdrawal_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while MLflow holds its create, which takes effect after the person withdrew."""
    slow_down_clocks(monkeypatch)
    answer = OneAnswer(tmp_path, Totals())
    answer.faults.plan("create", Fault.HELD_BEFORE)
    answer.submit(ANN, {THUMB: Content(True)}, value=True)
    until(lambda: answer.faults.held, within=30, otherwise="nothing was sent")
    answer.restart(killed=True)
    answer.withdraw(RatingKey(ANN, THUMB))
    until(
        lambda: not answer.app.parts.status()["pending"],
        within=30,
        otherwise="the withdrawal is pending",
    )
    answer.faults.land()
    answer.end()
