"""One answer with all its ratings, and the check that the right ones remain in MLflow."""

import json
import random
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Assessment, AssessmentSource
from mlflow.tracing.client import TracingClient

from agent_feedback.errors import RatingNotFound
from agent_feedback.model import COMMENT, CORRECTION, THUMB, Content, Identity
from agent_feedback.service.receipts import Receipt
from agent_feedback.service.targets import Target
from tests.faults.audit import Audit
from tests.faults.expected_ratings import ExpectedRatings, Held, RatingKey
from tests.faults.killable_app import KillableApp
from tests.faults.unreliable_store import Faults
from tests.support.rating import stored_trace, value_of

DIMENSIONS = {"user_accuracy": "accuracy", "user_helpfulness": "helpfulness"}
SCALE = 5


@dataclass
class Totals:
    """What became of all answers together."""

    audit: Audit = field(default_factory=Audit)
    examples: int = 0
    operations: int = 0
    interruptions: int = 0
    restarts: int = 0

    def count(self, audit: Audit) -> None:
        """Add what one audit found."""
        self.audit.promised += audit.promised
        for wrong in ("lost", "doubled", "wrong", "resurrected"):
            getattr(self.audit, wrong).extend(getattr(audit, wrong))


class OneAnswer:
    """An answer that is rated through one process after another.

    Args:
        folder: Where the ledger goes.
        totals: Where to count.
    """

    def __init__(self, folder: Path, totals: Totals) -> None:
        totals.examples += 1
        self._totals = totals
        self._ledger = folder / f"example-{totals.examples}.db"
        self._others: dict[str, str] = {}
        self.faults = Faults()
        self.model = ExpectedRatings()
        self.app = self._start()
        # Hypothesis begins every example with the same seed, and MLflow would with the same id.
        random.seed(uuid.uuid4().int)
        self._trace_id = stored_trace()

    def _start(self) -> KillableApp:
        return KillableApp(self._ledger, self.faults, raters="anyone", wait_seconds=0.1)

    # -- what people send -------------------------------------------------------------------------

    def submit(self, person: str, contents: dict[str, Content], **form: Any) -> None:
        """State ratings as the contents say."""
        self._totals.operations += 1
        receipts = self.app.feedback.submit(trace_id=self._trace_id, user_id=person, **form)
        assert [receipt.name for receipt in receipts] == list(contents)
        for receipt in receipts:
            key = RatingKey(person, receipt.name)
            self.model[key].submitted(contents[receipt.name], receipt.assessment_id)
            self._check(key, receipt)

    def withdraw(self, key: RatingKey, assessment_id: str | None = None) -> None:
        """Withdraw by what is rated, or by an id that names it."""
        self._totals.operations += 1
        by_name = None if key.name == THUMB else DIMENSIONS.get(key.name, key.name)
        receipt = self.app.feedback.withdraw(
            trace_id=self._trace_id,
            user_id=key.person,
            dimension=by_name if assessment_id is None else None,
            assessment_id=assessment_id,
        )
        self.model[key].withdrawn(receipt.assessment_id)
        assert (receipt.value, receipt.rationale, receipt.reasons) == (None, None, ())
        if receipt.status == "ok":
            left = [i for i, each in self._on_mlflow().items() if _is_of(each, key)]
            assert set(left) <= set(self._others), f"withdrawn, and still there: {left}"

    def amend(self, key: RatingKey, assessment_id: str, changes: dict[str, Any]) -> None:
        """Change a part of a rating."""
        changes = _fitting(key.name, changes)
        (receipt,) = self._amend(key.person, assessment_id, changes)
        expected = self.model[key]
        expected.amended(assessment_id, lambda old: _amended(key.name, old, changes))
        self._check(key, receipt)

    def amend_withdrawn(self, key: RatingKey, assessment_id: str) -> None:
        """Try to amend what was withdrawn."""
        changes = _fitting(key.name, {"rationale": "again"})
        try:
            self._amend(key.person, assessment_id, changes)
        except RatingNotFound:
            return
        raise AssertionError(f"{assessment_id} was withdrawn, and could be amended")

    def _amend(self, person: str, assessment_id: str, changes: dict[str, Any]) -> list[Receipt]:
        self._totals.operations += 1
        who = Identity(person, "app", is_human=True)
        service, waiting = self.app.parts.service, self.app.parts.waiting
        submission = service.amend(Target(self._trace_id), assessment_id, changes, who)
        waiting.for_delivery_blocking(submission)
        return submission.receipts()

    # -- what is written elsewhere ----------------------------------------------------------------

    def rate_elsewhere(self, person: str, name: str, content: Content) -> None:
        """Rate through another program."""
        self.settle()
        made = mlflow.log_feedback(
            trace_id=self._trace_id,
            name=name,
            value=content.value,
            rationale=content.rationale,
            source=_human(person),
        )
        self.model[RatingKey(person.lower(), name)].rated_elsewhere(
            str(made.assessment_id), content
        )
        _let_mlflows_clock_move()

    def override_elsewhere(self, key: RatingKey, overridden: str, content: Content) -> None:
        """Override, in another program, what it shows; everything must be settled."""
        made = mlflow.override_feedback(
            trace_id=self._trace_id,
            assessment_id=overridden,
            value=content.value,  # type: ignore[arg-type]
            rationale=content.rationale,
            source=_human(key.person),
        )
        expected = self.model[key]
        expected.overridden_elsewhere(overridden, str(made.assessment_id), content)
        _let_mlflows_clock_move()

    def let_others_write(self, name: str, source_type: str, source_id: str) -> None:
        """Somebody writes what agent_feedback must never touch; a correction is an expectation."""
        source = AssessmentSource(source_type=source_type, source_id=source_id)
        where: dict[str, Any] = {"trace_id": self._trace_id, "name": name, "source": source}
        made: Assessment
        if name == CORRECTION:
            made = mlflow.log_expectation(value="theirs", **where)
        else:
            made = mlflow.log_feedback(value=True, rationale="theirs", **where)
        assessment_id = str(made.assessment_id)
        self._others[assessment_id] = str(self._on_mlflow()[assessment_id])

    # -- what happens -----------------------------------------------------------------------------

    def restart(self, *, killed: bool) -> None:
        """End the process, and begin another on the same ledger."""
        self._totals.restarts += 1
        if not killed:
            self.app.stop()
            self.app = self._start()
            return
        self.app.kill()
        self.app = self._start()
        self.app.let_leases_run_out()

    def let_leases_run_out(self) -> None:
        """Whoever is held was held for longer than a lease lasts, and does not know it."""
        self.app.wait_until_deliveries_rest()
        self.app.let_leases_run_out()

    def let_a_minute_pass(self) -> None:
        """Longer than any attempt may live: what was begun has landed."""
        self.faults.forget()
        self.faults.let_go_on()
        self.faults.land()
        self.app.let_attempts_be_over()

    def purge(self) -> None:
        """Let the ledger forget what is delivered: MLflow is the record."""
        self.settle()
        self.app.purge()
        assert not self.app.count(), "something that was delivered is still in the ledger"
        self.model.forget()

    def settle(self) -> None:
        """Let everything land and pass: MLflow then holds what the model says, and no more."""
        self.app.settle()
        self._audit()

    def end(self) -> None:
        """Settle, and end the process."""
        try:
            self.settle()
        finally:
            self._totals.interruptions += self.faults.met.total()
            self.app.stop()

    # -- what must hold ---------------------------------------------------------------------------

    def _audit(self) -> None:
        found, audit = self._on_mlflow(), Audit()
        for assessment_id, before in self._others.items():
            now = found.pop(assessment_id, None)
            if str(now) != before:
                audit.wrong.append(f"somebody else's {before} became {now}")
        for key, expected in self.model:
            audit.promised += 1
            there = {i: found.pop(i) for i, each in list(found.items()) if _is_of(each, key)}
            remains = expected.remains()
            extra = [str(each) for i, each in there.items() if i not in remains]
            (audit.doubled if expected.stands else audit.resurrected).extend(extra)
            audit.lost += [f"{key}: {held}" for i, held in remains.items() if i not in there]
            audit.wrong += [
                f"{key}: {held} became {there[i]}"
                for i, held in remains.items()
                if i in there and _held(there[i]) != held
            ]
        audit.resurrected += map(str, found.values())
        self._totals.count(audit)
        assert audit.is_clean(), audit
        self._compare_with_mine()

    def _compare_with_mine(self) -> None:
        for person in {key.person for key, _ in self.model}:
            mine = self.app.feedback.mine(trace_ids=[self._trace_id], user_id=person)
            shown = {RatingKey(person, receipt.name): receipt for receipt in mine}
            for key, expected in self.model:
                if key.person == person and expected.known:
                    assert (key in shown) == expected.stands, (key, mine)
                if key in shown and expected.stands:
                    self._check(key, shown[key])

    def _check(self, key: RatingKey, receipt: Receipt) -> None:
        """A receipt has what the person sent; its status is "ok" only where MLflow holds it."""
        expected = self.model[key]
        assert expected.content is not None
        content, shown = expected.content, expected.content.value
        if key.name in DIMENSIONS:
            shown = round(float(shown or 0) * SCALE, 6)
        elif key.name == COMMENT:
            shown = None
        assert (receipt.value, receipt.rationale, receipt.reasons) == (
            shown,
            content.rationale,
            content.reasons,
        )
        assert receipt.assessment_id in expected.ids, (receipt, expected)
        expected.named.add(receipt.assessment_id)
        if receipt.status == "ok":
            there = self._on_mlflow().get(receipt.assessment_id)
            assert there is not None, f"{receipt}: not there"
            assert _held(there).content == content, f"{receipt}: {there}"

    def _on_mlflow(self) -> dict[str, Assessment]:
        assessments = TracingClient().get_trace_info(self._trace_id).assessments
        return {str(each.assessment_id): each for each in assessments or ()}


def stored(name: str, value: bool | int) -> bool | float:
    """A value in MLflow's units."""
    return bool(value) if name == THUMB else value / SCALE


def _fitting(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes that make sense of this kind of rating."""
    text = changes.get("rationale") or "reworded"
    if name == CORRECTION:
        return {"correction": text}
    if name == COMMENT:
        return {"rationale": text}
    if name == THUMB and "value" in changes:
        return changes | {"value": changes["value"] > SCALE // 2}
    return changes


def _amended(name: str, old: Content, changes: dict[str, Any]) -> Content:
    """What a partial change makes of a content: absent keeps, null clears."""
    if name == CORRECTION:
        return Content(changes["correction"])
    new = old
    if "value" in changes:
        new = replace(new, value=stored(name, changes["value"]))
    if "rationale" in changes:
        new = replace(new, rationale=changes["rationale"])
        new = replace(new, value=changes["rationale"]) if name == COMMENT else new
    if "reasons" in changes:
        new = replace(new, reasons=tuple(changes["reasons"] or ()))
    return new


def _human(person: str) -> AssessmentSource:
    return AssessmentSource(source_type="HUMAN", source_id=person)


def _is_of(found: Assessment, key: RatingKey) -> bool:
    by = (found.source.source_type, str(found.source.source_id).lower())
    return found.name == key.name and by == ("HUMAN", key.person)


def _held(found: Assessment) -> Held:
    reasons = json.loads((found.metadata or {}).get("agent_feedback.reasons", "[]"))
    content = Content(value_of(found), found.rationale or None, tuple(reasons))
    return Held(content, found.valid is not False)


def _let_mlflows_clock_move() -> None:
    """Ratings by another program are ordered by MLflow's clock, in milliseconds."""
    time.sleep(0.002)
