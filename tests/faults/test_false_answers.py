"""MLflow, or a proxy before it, answers wrongly: it fails and did it, or succeeds and did not."""

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
from tests.faults.audit import Audit, audit, ratings_in
from tests.faults.conftest import FULL, SHORT, Scale
from tests.faults.fault_proxy import (
    FaultProxy,
    ProxyFault,
    Request,
    at_random,
    fault_proxy,
    forward,
)
from tests.faults.processes import Replica
from tests.faults.scenario import Note, UsersOf, new_experiment
from tests.faults.users import Answer, Key, Users
from tests.support.mlflow_store import MlflowServer
from tests.support.waiting import until

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

# In the full form nothing is shortened: 60 s for what is unsettled, 20 s for other rechecks.
_SHORTER = {"FAULTS_UNSETTLED_SECONDS": "8", "FAULTS_RECHECK_SECONDS": "6"}
_RECHECK_SECONDS = 180.0
_SETTLES_WITHIN_SECONDS = 120.0


@dataclass(frozen=True)
class ProxiedApp:
    """An app that reaches MLflow only through a proxy, and MLflow as it is."""

    app: Replica
    proxy: FaultProxy
    mlflow_url: str
    experiment_id: str

    def audit(self, users: Users) -> Audit:
        """Compare what these users were promised with what MLflow holds of it, the proxy aside."""
        traces = {answer.trace_id for answer in users.answers}
        return audit(self.mlflow_url, self.experiment_id, users.promises(), traces=traces)

    def held(self, answers: list[Answer]) -> int:
        """How many assessments MLflow holds of these."""
        traces = {answer.trace_id for answer in answers}
        found = ratings_in(self.mlflow_url, self.experiment_id)
        return sum(len(there) for key, there in found.items() if key.trace_id in traces)

    def wait_for_rechecks(self) -> None:
        """Wait until the app has no rating left that it means to fetch once more."""
        engine = sqlalchemy.create_engine(self.app.ledger_url, poolclass=sqlalchemy.NullPool)
        unsettled = sqlalchemy.select(sqlalchemy.func.count()).where(ratings.c.state == "pending")

        def nothing_is_left() -> bool:
            with engine.connect() as connection:
                return not connection.scalar(unsettled)

        until(nothing_is_left, within=_RECHECK_SECONDS, otherwise="ratings are still unsettled")


@pytest.fixture(scope="module")
def proxied(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mlflow_server: MlflowServer,
) -> Iterator[ProxiedApp]:
    """Start an app behind a proxy that forwards everything until a test says otherwise."""
    scale = FULL if request.config.getoption("--full") else SHORT
    folder = tmp_path_factory.mktemp("false-answers")
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
            yield ProxiedApp(app, proxy, mlflow_server.url, experiment_id)
        finally:
            app.close()


@pytest.fixture
def proxy(proxied: ProxiedApp) -> Iterator[FaultProxy]:
    """Give the proxy, which forwards everything before and after each test."""
    proxied.proxy.counts.clear()
    yield proxied.proxy
    proxied.proxy.schedule = forward


def test_a_create_that_is_stored_and_answered_500_is_not_doubled(
    proxied: ProxiedApp, proxy: FaultProxy, users_of: UsersOf, note: Note
) -> None:
    """Every first create is stored and answered with 500: MLflow's client doubles, we do not."""
    users = users_of(proxied.app)
    answers = users.ask_many(20)
    denied: set[bytes] = set()

    def deny_the_first(request: Request) -> ProxyFault:
        if not request.creates or request.body in denied:
            return ProxyFault.NONE
        denied.add(request.body)
        return ProxyFault.FAIL_DONE

    proxy.schedule = deny_the_first
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(users.rate, answers))
    proxied.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    found = proxied.audit(users)
    assert proxy.counts[ProxyFault.FAIL_DONE] == len(answers)
    by_mlflows_client = _logged_by_mlflows_client(proxied, answers[0])
    note(
        "6",
        "stored, and answered 500",
        found,
        denied=len(answers),
        copies_by_mlflows_own_client=by_mlflows_client,
    )
    assert found.is_clean(), str(found)
    assert by_mlflows_client == 2, "the fault would harm nobody"


def test_a_create_that_lands_after_the_withdrawal_does_not_stay(
    proxied: ProxiedApp, proxy: FaultProxy, users_of: UsersOf, note: Note
) -> None:
    """Cut off, withdrawn, and stored afterwards: the last recheck finds it and removes it."""
    users = users_of(proxied.app)
    answers = users.ask_many(10)
    cut_off: set[str] = set()

    def cut_off_creates(request: Request) -> ProxyFault:
        if request.creates:
            cut_off.add(request.path.removesuffix("/assessments"))
            return ProxyFault.LATE
        return ProxyFault.FAIL if request.path in cut_off else ProxyFault.NONE

    proxy.late_seconds = None
    proxy.schedule = cut_off_creates
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(users.rate, answers))
    until(lambda: len(cut_off) == len(answers), within=60, otherwise="not every create was tried")
    proxy.schedule = _nothing_but_500
    until(lambda: proxied.app.status()["mlflow"] == "away", within=60, otherwise="still there")
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(users.withdraw, answers))
    proxy.schedule = forward
    proxied.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    assert proxied.held(answers) == 0
    proxy.land()
    landed = proxied.held(answers)
    proxied.wait_for_rechecks()
    found = proxied.audit(users)
    note("6", "a create lands after its withdrawal", found, landed=landed)
    assert landed == len(answers), "the fault would harm nobody"
    assert found.is_clean(), str(found)


def test_false_answers_at_random_change_nothing(
    proxied: ProxiedApp, proxy: FaultProxy, users_of: UsersOf, scale: Scale, note: Note
) -> None:
    """Every third answer of MLflow is false while users rate and withdraw: the last stays."""
    seed = random.randrange(2**32) if scale.full else 6
    logger.warning("false answers by chance, with seed %s", seed)
    users = users_of(proxied.app, seed=seed)
    answers = users.ask_many(40)
    proxy.late_seconds = 5 if scale.full else 2
    proxy.schedule = at_random(seed, share=0.35)
    _rate_and_withdraw(users, answers, per_second=15, seconds=scale.false_answers_seconds)
    proxy.schedule = forward
    begun = time.monotonic()
    proxy.wait_until_quiet(within=90)
    proxied.app.wait_until_settled(within=_SETTLES_WITHIN_SECONDS)
    settled = time.monotonic() - begun
    proxied.wait_for_rechecks()
    found = proxied.audit(users)
    proxy.counts.pop(ProxyFault.NONE, None)
    note(
        "6",
        "wrong answers at random",
        found,
        operations=sum(map(len, users.made.values())),
        undeliverable=proxied.app.status()["undeliverable"],
        wrong_answers=proxy.counts.total(),
        kinds_of_wrong_answers=len(proxy.counts),
        settled_within_seconds=round(settled, 1),
        seed=seed,
    )
    assert found.is_clean(), str(found)
    assert users.refused == []
    assert proxy.counts.total() > 10, proxy.counts


def _rate_and_withdraw(
    users: Users, answers: list[Answer], *, per_second: float, seconds: float
) -> None:
    """Rate at this pace, by chance; one request in four withdraws."""
    begun = time.monotonic()
    with ThreadPoolExecutor(48) as pool:
        sent = []
        for number in range(int(per_second * seconds)):
            time.sleep(max(0.0, begun + number / per_second - time.monotonic()))
            send = users.withdraw if users.random.random() < 0.25 else users.rate
            sent.append(pool.submit(send, users.random.choice(answers)))
    for each in sent:
        each.result()


def _nothing_but_500(request: Request) -> ProxyFault:
    return ProxyFault.FAIL


def _logged_by_mlflows_client(proxied: ProxiedApp, answer: Answer) -> int:
    """How many assessments MLflow's own client makes of one, under the same fault."""
    source = AssessmentSource(source_type="HUMAN", source_id="control@example.com")
    TracingClient(proxied.proxy.url).log_assessment(
        answer.trace_id, Feedback(name="control", value=True, source=source)
    )
    found = ratings_in(proxied.mlflow_url, proxied.experiment_id)
    return len(found[Key(answer.trace_id, "control@example.com", "control")])
