"""Three weeks of an agent as people rate one: for the documentation's pictures and tests."""

import json
import random
from collections.abc import Iterator

from agent_feedback.assessment_format import CHANGED_AT_KEY, LEDGER_KEY, REASONS_KEY
from tests.insight.trace_specs import AssessmentSpec, TraceSpec

DAY = 86_400_000
_PEOPLE = 240
_COMPLAINTS = {
    "out of date": (
        "The travel policy it quotes is from last year",
        "Quotes the old travel policy, the new one is from March",
        "This is last year's policy",
        "Old policy again, please update the travel policy",
        "It cites the travel policy that was replaced in March",
    ),
    "incomplete": (
        "It does not say how to claim expenses for a train ticket",
        "Nothing about expenses below 20 euros",
        "Half of the expenses question is not answered",
        "What about expenses abroad? No answer to that",
        "Missing the form for expenses",
    ),
    "incorrect": (
        "The link in the answer is dead",
        "Both links lead to a page not found",
        "The link to the form is broken",
        "Dead link, page not found",
        "That link does not exist any more",
    ),
}
_PRAISE = ("Exactly what I needed", "Quick and clear, thank you", "Great, saved me a call")


def realistic_traces(until: int, traces: int = 4_200, seed: int = 7) -> Iterator[TraceSpec]:
    """Make the traces of the three weeks before a time (epoch milliseconds), oldest first.

    The second of two versions came a week ago, and is better.
    """
    dice = random.Random(seed)
    began = until - 21 * DAY
    for number in range(traces):
        started_at = began + (until - began) * number // traces + dice.randrange(60_000)
        version = "m-1" if started_at < until - 7 * DAY else "m-2"
        yield _trace(dice, number, min(started_at, until - 1), version)


def _trace(dice: random.Random, number: int, started_at: int, version: str) -> TraceSpec:
    trace_id = f"tr-{dice.getrandbits(128):032x}"
    person = f"person{int(_PEOPLE * dice.random() ** 2)}@example.com"
    goes_wrong = dice.random() < (0.34 if version == "m-1" else 0.2)
    duration = int(dice.lognormvariate(1.1, 0.5) * 1000)
    ended_at = started_at + duration
    assessments = []
    if dice.random() < (0.16 if goes_wrong else 0.09):
        assessments = list(_ratings(dice, trace_id, person, ended_at, goes_wrong))
    if dice.random() < 0.4:
        says_good = not goes_wrong if dice.random() < 0.85 else goes_wrong
        assessments.append(
            AssessmentSpec(
                assessment_id=f"a-{dice.getrandbits(128):032x}",
                name="correctness",
                source_type="LLM_JUDGE",
                source_id="judge-model",
                value="yes" if says_good else "no",
                created_at=ended_at + 60_000,
                updated_at=ended_at + 60_000,
            )
        )
    return TraceSpec(
        trace_id=trace_id,
        started_at=started_at,
        duration_ms=duration,
        state="ERROR" if dice.random() < 0.02 else "OK",
        metadata={
            "mlflow.modelId": version,
            "mlflow.trace.session": f"s-{number // 3}",
            "mlflow.trace.user": person,
        },
        assessments=tuple(assessments),
    )


def _ratings(
    dice: random.Random, trace_id: str, person: str, ended_at: int, goes_wrong: bool
) -> Iterator[AssessmentSpec]:
    at = ended_at + int(dice.lognormvariate(3.2, 1.2) * 1000)
    reason = (
        dice.choice(sorted(_COMPLAINTS)) if goes_wrong else dice.choice(["correct", "complete"])
    )
    words = dice.choice(_COMPLAINTS.get(reason, _PRAISE)) if dice.random() < 0.4 else None
    mark = {LEDGER_KEY: "l-1", CHANGED_AT_KEY: str(at)}
    reasons = [reason] if dice.random() < 0.6 else []

    def rating(name: str, value: object, rationale: str | None = None) -> AssessmentSpec:
        chosen = reasons if name == "user_feedback" else []
        return AssessmentSpec(
            assessment_id=f"a-{dice.getrandbits(128):032x}",
            name=name,
            source_type="HUMAN",
            source_id=person,
            value=value,
            created_at=at,
            updated_at=at,
            rationale=rationale,
            metadata={**mark, REASONS_KEY: json.dumps(chosen)},
        )

    # Some are content with a poor answer, and some are not with a good one.
    yield rating("user_feedback", dice.random() < (0.12 if goes_wrong else 0.94), words)
    if dice.random() < 0.35:
        for name in ("accuracy", "helpfulness", "relevance"):
            stars = dice.choice([1, 2, 2, 3] if goes_wrong else [3, 4, 4, 5, 5])
            yield rating(f"user_{name}", stars / 5)
