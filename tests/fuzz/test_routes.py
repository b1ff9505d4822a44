"""The feedback routes, as their OpenAPI document describes them, under generated requests."""

from collections import Counter
from contextlib import suppress
from typing import Any

import hypothesis
import schemathesis
from hypothesis import Phase, given
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.stateful import initialize
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction, load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from tests.fuzz.fuzzed_app import PEOPLE, FuzzedApp, feedback_part, naming_answers, rating_answers
from tests.fuzz.rounds import seeds

load_all_checks()

Statuses = Counter[tuple[str, int]]

OPERATIONS = (
    "POST /feedback",
    "POST /feedback/detailed",
    "GET /feedback",
    "PATCH /feedback/{assessment_id}",
    "DELETE /feedback/{assessment_id}",
    "DELETE /feedback",
)
# The seed is ours: with `derandomize`, every round would be the same.
REQUESTS = hypothesis.settings(
    max_examples=12, derandomize=False, database=None, phases=[Phase.generate]
)
EXAMPLES = hypothesis.settings(REQUESTS, max_examples=2, stateful_step_count=12)
# Which members go together is more than a JSON schema says: what is well-formed may be refused.
NOT_IN_SCHEMA = checks.positive_data_acceptance
# Chains send whole ratings only, and so call less than the app a good request.
NARROWED = checks.negative_data_rejection
MUST_BE_THERE = checks.ensure_resource_availability


def _schema(document: dict[str, Any], *modes: GenerationMode) -> Any:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.generation.update(modes=list(modes))
    refused = schema.config.checks.negative_data_rejection.expected_statuses
    schema.config.checks.negative_data_rejection.expected_statuses = [*refused, "413"]
    return schema


class _Client:
    """Who sends a chain's requests, and what comes back."""

    app: FuzzedApp
    seen: Statuses
    found: list[FailureGroup]
    recorder: Any

    @initialize(person=st.sampled_from(PEOPLE))
    def begin(self, person: str) -> None:
        self.person = self.acting = person
        self.raters: dict[str, str] = {}
        self.steps = 0
        self.may_be_gone = False
        self.app.begin_example(person)

    def before_call(self, case: Case[Any]) -> None:
        case.query, case.body = self.app.with_ids(case.query), self.app.with_ids(case.body)
        # Now and then somebody else goes on, with the ids that this person was given.
        self.steps += 1
        self.acting = self.person if self.steps % 5 else PEOPLE[self.steps // 5 % 3]

    def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
        headers = self.app.headers_of(self.acting)
        return {"base_url": self.app.site.url, "headers": headers}

    def after_call(self, response: Any, case: Case[Any]) -> None:
        super().after_call(response, case)  # type: ignore[misc]
        self.seen[case.operation.label, response.status_code] += 1
        # A rating has more ways to go than by its own id: by its trace, and by an earlier answer's.
        self.may_be_gone |= case.method == "DELETE"
        if case.method == "POST" and response.status_code < 300:
            answer = response.json()
            for rating in (answer, *answer.get("ratings", ())):
                self.raters[rating.get("assessment_id", "")] = self.acting

    def validate_response(self, response: Any, case: Case[Any], **_: Any) -> None:
        rater = self.raters.get((case.path_parameters or {}).get("assessment_id", ""))
        excluded: list[CheckFunction] = [NOT_IN_SCHEMA, NARROWED]
        if self.may_be_gone or rater != self.acting:
            excluded.append(MUST_BE_THERE)
        try:
            case.validate_response(response, excluded_checks=excluded, recorder=self.recorder)
        except FailureGroup as found:
            self.found.append(found)
            raise


def _chains(app: FuzzedApp, seen: Statuses, found: list[FailureGroup]) -> Any:
    """The state machine of what clients do one after the other."""
    document = rating_answers(app.document)
    machine = _schema(document, GenerationMode.POSITIVE, GenerationMode.NEGATIVE).as_state_machine()
    return type("Chain", (_Client, machine), {"app": app, "seen": seen, "found": found})


def test_after_any_chain_of_requests_mlflow_holds_what_people_read_back(app: FuzzedApp) -> None:
    """Chains of requests get documented answers, and what each reads back is what is stored."""
    seen: Statuses = Counter()
    found: list[FailureGroup] = []
    chains = _chains(app, seen, found)
    for seed in seeds(at_least=5):
        # An example need not go the same way twice, since MLflow's timing is no part of what is
        # drawn: two of them, the simplest and another, seldom meet.
        with suppress(FlakyStrategyDefinition):
            hypothesis.seed(seed)(chains).run(settings=EXAMPLES)
        assert not found, f"FUZZ_SEED={seed}"
    assert app.pending() == 0
    assert app.read_back() == app.held_by_mlflow()
    assert app.others_assessments() == app.others_assessments_at_first
    # Not only refusals: every operation did what it is for.
    for operation in OPERATIONS:
        assert sum(seen[operation, status] for status in (200, 201, 202)) > 0, (operation, seen)


def test_every_route_answers_as_documented_to_good_and_to_bad_requests(app: FuzzedApp) -> None:
    """No status, header or body that the document does not name, and what it forbids is refused."""
    app.begin_example(PEOPLE[0])
    seen: Statuses = Counter()
    documents = {
        GenerationMode.POSITIVE: naming_answers(app.document, app.names),
        # As it is served: an id of nothing is no error where one reads.
        GenerationMode.NEGATIVE: feedback_part(app.document),
    }
    for seed in seeds(at_least=1):
        for mode, document in documents.items():
            for operation in _schema(document, *GenerationMode).get_all_operations():
                _ask_anything(app, operation.ok(), mode, seen, seed)
    assert app.pending() == 0
    assert app.read_back() == app.held_by_mlflow()
    assert app.others_assessments() == app.others_assessments_at_first
    assert {operation for operation, _ in seen} >= {*OPERATIONS}


def _ask_anything(
    app: FuzzedApp, operation: Any, mode: GenerationMode, seen: Statuses, seed: int
) -> None:
    if mode.is_negative and not (operation.body or [*operation.iter_parameters()]):
        return  # nothing can be wrong with it
    strategy = operation.as_strategy(generation_mode=mode)

    @hypothesis.seed(seed)
    @hypothesis.settings(REQUESTS)
    @given(case=strategy, person=st.sampled_from(PEOPLE))
    def ask(case: Case[Any], person: str) -> None:
        response = case.call(base_url=app.site.url, headers=app.headers_of(person))
        seen[operation.label, response.status_code] += 1
        case.validate_response(response, excluded_checks=[NOT_IN_SCHEMA])

    ask()
