"""Change, withdraw, rate again, in any order and interrupted anywhere: the last word remains."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis.stateful import run_state_machine_as_test

from agent_feedback.model import THUMB, Content
from tests.faults.conftest import Note, Scale
from tests.faults.histories import History
from tests.faults.mortal_app import MortalApp, slow_down_clocks
from tests.faults.one_answer import OneAnswer, Told
from tests.faults.processes import until
from tests.faults.remaining import Name
from tests.faults.unreliable_store import Fault
from tests.support.rating import ANN

_STEPS = 30


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("tracking")
def test_every_history_leaves_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: Scale, note: Note
) -> None:
    """Whatever people say in whatever order, and wherever delivery is interrupted."""
    slow_down_clocks(monkeypatch)
    told = Told()
    # The short form is the same every time; of the full form the table says the seed.
    seed = random.randrange(2**32) if scale.full else None
    begin: Any = partial(History, tmp_path, told)
    try:
        run_state_machine_as_test(
            begin if seed is None else hypothesis.seed(seed)(begin),
            settings=hypothesis.settings(
                max_examples=scale.histories,
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
            "said, changed, withdrawn and interrupted in any order",
            told.audit,
            histories=told.histories,
            words=told.words,
            interruptions=told.interruptions,
            restarts=told.restarts,
            **({} if seed is None else {"seed": seed}),
        )


@pytest.mark.usefixtures("tracking")
def test_what_a_killed_process_had_sent_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while MLflow holds its create, which takes effect after the person withdrew."""
    slow_down_clocks(monkeypatch)
    answer = OneAnswer(tmp_path, Told())
    answer.faults.plan("create", Fault.HELD_BEFORE)
    answer.submit(ANN, {THUMB: Content(True)}, value=True)
    until(lambda: answer.faults.held, within=30, otherwise="nothing was sent")
    answer.restart(killed=True)
    answer.withdraw(Name(ANN, THUMB))
    everything_delivered(answer.app)
    answer.faults.land()
    answer.end()


def everything_delivered(app: MortalApp) -> None:
    """Wait until MLflow holds what it should, as far as the ledger knows."""
    until(
        lambda: not app.parts.status()["pending"], within=30, otherwise="the withdrawal is pending"
    )
