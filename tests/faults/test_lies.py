"""MLflow, or what stands before it, lies: says no and did it, says yes and did not, or waits."""

import logging
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy
from mlflow.entities import AssessmentSource, Feedback
from mlflow.tracing.client import TracingClient

from agent_feedback.ledger.tables import ratings
from tests.faults.conftest import FULL, SHORT, GatherPeople, Note, Scale, new_experiment
from tests.faults.fault_proxy import FaultProxy, Lie, Request, at_random, fault_proxy, honest
from tests.faults.people import Answer, Audit, Key, People, audit, ratings_in
from tests.faults.processes import Replica, until
from tests.support.mlflow_store import MlflowServer

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

# In the full form nothing is shortened: 60 s for what is unsettled, 20 s for other last looks.
_SHORTER = {"FAULTS_UNSETTLED_SECONDS": "8", "FAULTS_RECHECK_SECONDS": "6"}
_LAST_LOOKS_SECONDS = 180.0
_SETTLES_WITHIN_SECONDS = 120.0


@dataclass(frozen=True)
class LiedTo:
    """An app that reaches MLflow only through a proxy, and MLflow as it is."""

    app: Replica
    proxy: FaultProxy
    mlflow_url: str
    experiment_id: str

    def audit(self, crowd: People) -> Audit:
        """Compare what this crowd was promised with what MLflow holds of it, the proxy aside."""
        traces = {answer.trace_id for answer in crowd.answers}
        return audit(self.mlflow_url, self.experiment_id, crowd.promises(), traces=traces)

    def held(self, answers: list[Answer]) -> int:
        """How many assessments MLflow holds of these."""
        traces = {answer.trace_id for answer in answers}
        found = ratings_in(self.mlflow_url, self.experiment_id)
        return sum(len(there) for key, there in found.items() if key.trace_id in traces)

    def wait_for_the_last_looks(self) -> None:
        """Wait until the app has no rating left at which it means to look once more."""
        engine = sqlalchemy.create_engine(self.app.ledger_url, poolclass=sqlalchemy.NullPool)
        unsettled = sqlalchemy.select(sqlalchemy.func.count()).where(ratings.c.state == "pending")

        def nothing_is_left() -> bool:
            with engine.connect() as connection:
                return not connection.scalar(unsettled)

        until(nothing_is_left, within=_LAST_LOOKS_SECONDS, otherwise="ratings are still unsettled")


@pytest.fixture(scope="module")
def lied_to(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_server: MlflowServer,
) -> Iterator[LiedTo]:
    """Start an app behind a proxy that is honest until a test lets it lie."""
    scale = FULL if request.config.getoption("--full") else SHORT
    folder = tmp_path_factory.mktemp("lies")
    experiment_id = new_experiment(mlflow_server.url)
    with fault_proxy(mlflow_server.url, hold_seconds=30 if scale.full else 6) as proxy:
        variables: dict[str, Any] = {} if scale.full else _SHORTER
        app = Replica(
            folder,
            tracking_uri=proxy.url,
            experiment_id=experiment_id,
            ledger_url=f"sqlite:///{folder}/ledger.db",
            **variables,
        )
        try:
            app.start()
            yield LiedTo(app, proxy, mlflow_server.url, experiment_id)
        finally:
            app.close()


@pytest.fixture
def proxy(lied_to: LiedTo) -> Iterator[FaultProxy]:
    """Give the proxy, which is honest before and after each test."""
    lied_to.proxy.told.clear()
    yield lied_to.proxy
    lied_to.proxy.schedule = honest


def test_what_was_stored_and_denied_is_not_doubled(
    lied_to: LiedTo, proxy: FaultProxy, people: GatherPeople, note: Note
) -> None:
    """Every first create is stored and answered with 500: MLflow's client doubles, we do not."""
    crowd = people(lied_to.app)
    answers = crowd.ask_many(20)
    denied: set[bytes] = set()

    def deny_the_first(request: Request) -> Lie:
        if not request.creates or request.body in denied:
            return Lie.NONE
        denied.add(request.body)
        return Lie.FAIL_DONE

    proxy.schedule = deny_the_first
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(crowd.rate, answers))
    lied_to.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    seen = lied_to.audit(crowd)
    assert proxy.told[Lie.FAIL_DONE] == len(answers)
    by_mlflows_client = _logged_by_mlflows_client(lied_to, answers[0])
    note(
        "6",
        "stored, and answered 500",
        seen,
        denied=len(answers),
        copies_by_mlflows_own_client=by_mlflows_client,
    )
    assert seen.is_clean(), str(seen)
    assert by_mlflows_client == 2, "the fault would harm nobody"


def test_a_create_that_lands_after_the_withdrawal_does_not_stay(
    lied_to: LiedTo, proxy: FaultProxy, people: GatherPeople, note: Note
) -> None:
    """Cut off, withdrawn, and stored afterwards: the last look finds it and removes it."""
    crowd = people(lied_to.app)
    answers = crowd.ask_many(10)
    cut_off: set[str] = set()

    def cut_off_creates(request: Request) -> Lie:
        if request.creates:
            cut_off.add(request.path.removesuffix("/assessments"))
            return Lie.LATE
        return Lie.FAIL if request.path in cut_off else Lie.NONE

    proxy.late_seconds = None
    proxy.schedule = cut_off_creates
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(crowd.rate, answers))
    until(lambda: len(cut_off) == len(answers), within=60, otherwise="not every create was tried")
    proxy.schedule = _nothing_but_500
    until(lambda: lied_to.app.status()["mlflow"] == "away", within=60, otherwise="still there")
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(crowd.withdraw, answers))
    proxy.schedule = honest
    lied_to.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    assert lied_to.held(answers) == 0
    proxy.land()
    landed = lied_to.held(answers)
    lied_to.wait_for_the_last_looks()
    seen = lied_to.audit(crowd)
    note("6", "a create lands after its withdrawal", seen, landed=landed)
    assert landed == len(answers), "the fault would harm nobody"
    assert seen.is_clean(), str(seen)


def test_lies_at_random_change_nothing(
    lied_to: LiedTo, proxy: FaultProxy, people: GatherPeople, scale: Scale, note: Note
) -> None:
    """People rate, change and withdraw while every third answer is a lie: the last word stays."""
    seed = random.randrange(2**32) if scale.full else 6
    logger.warning("lies by chance, with seed %s", seed)
    crowd = people(lied_to.app, seed=seed)
    answers = crowd.ask_many(40)
    proxy.late_seconds = 5 if scale.full else 2
    proxy.schedule = at_random(seed, share=0.35)
    _rate_and_withdraw(crowd, answers, per_second=15, seconds=scale.lies_seconds)
    proxy.schedule = honest
    begun = time.monotonic()
    proxy.wait_until_quiet(within=90)
    lied_to.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    settled = time.monotonic() - begun
    lied_to.wait_for_the_last_looks()
    seen = lied_to.audit(crowd)
    lies = {lie.name: times for lie, times in proxy.told.items() if lie is not Lie.NONE}
    note(
        "6",
        "wrong answers at random",
        seen,
        words=sum(map(len, crowd.made.values())),
        undeliverable=lied_to.app.status()["undeliverable"],
        wrong_answers=sum(lies.values()),
        kinds_of_wrong_answers=len(lies),
        settled_within_seconds=round(settled, 1),
        seed=seed,
    )
    assert seen.is_clean(), str(seen)
    assert crowd.refused == []
    assert sum(lies.values()) > 10, lies


def _rate_and_withdraw(
    crowd: People, answers: list[Answer], *, per_second: float, seconds: float
) -> None:
    """Say something at this pace, by chance: one word in four takes another back."""
    begun = time.monotonic()
    with ThreadPoolExecutor(48) as pool:
        said = []
        for number in range(int(per_second * seconds)):
            time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            say = crowd.withdraw if crowd.random.random() < 0.25 else crowd.rate
            said.append(pool.submit(say, crowd.random.choice(answers)))
    for each in said:
        each.result()


def _nothing_but_500(request: Request) -> Lie:
    return Lie.FAIL


def _logged_by_mlflows_client(lied_to: LiedTo, answer: Answer) -> int:
    """How many assessments MLflow's own client makes of one, under the same lie."""
    source = AssessmentSource(source_type="HUMAN", source_id="control@example.com")
    TracingClient(lied_to.proxy.url).log_assessment(
        answer.trace_id, Feedback(name="control", value=True, source=source)
    )
    found = ratings_in(lied_to.mlflow_url, lied_to.experiment_id)
    return len(found[Key(answer.trace_id, "control@example.com", "control")])
