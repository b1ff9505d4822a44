"""Ratings of one answer in any order, interrupted wherever delivery can be, as Hypothesis draws it.

No example waits for a clock: pauses pass when a step says so. So one second of a test holds the
minutes that retries, leases and rechecks take.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from agent_feedback.model import COMMENT, CORRECTION, THUMB, Content
from tests.faults.expected_ratings import RatingKey
from tests.faults.one_answer import DIMENSIONS, SCALE, OneAnswer, Totals, stored
from tests.faults.unreliable_store import FAULTS, Fault
from tests.support.rating import ANN, BOB

CallFaults = list[tuple[str, Fault]]

# Ratings of one person under one name can disturb each other: most are of the same.
persons = st.sampled_from([ANN, ANN, ANN, ANN, BOB])
rated = st.sampled_from([THUMB, THUMB, THUMB, *DIMENSIONS])
rated_or_written = st.sampled_from([THUMB, THUMB, THUMB, *DIMENSIONS, COMMENT, CORRECTION])
stars = st.integers(1, SCALE)
texts = st.sampled_from(["too long", "so clear", "wrong", "just right"])
reasons = st.lists(st.sampled_from(["correct", "incorrect", "unsafe"]), max_size=2, unique=True)
any_of_them = st.integers(0, 11)
faults_of_calls = st.lists(st.sampled_from(FAULTS), max_size=3)
changes = st.fixed_dictionaries(
    {},
    optional={"value": stars, "rationale": st.none() | texts, "reasons": st.none() | reasons},
).filter(bool)


class RatingMachine(RuleBasedStateMachine):
    """One answer, the people who rate it, and what happens to their ratings on the way.

    Args:
        folder: Where the ledger goes.
        totals: Where to count.
    """

    def __init__(self, folder: Path, totals: Totals) -> None:
        super().__init__()
        self._answer = OneAnswer(folder, totals)
        self._model = self._answer.model

    def teardown(self) -> None:
        """Every example ends settled."""
        self._answer.end()

    # -- what people send -------------------------------------------------------------------------

    @rule(
        person=persons,
        name=rated,
        up=st.booleans(),
        stars=stars,
        why=st.none() | texts,
        reasons=reasons,
        faults=faults_of_calls,
    )
    def rate(
        self,
        person: str,
        name: str,
        up: bool,
        stars: int,
        why: str | None,
        reasons: list[str],
        faults: CallFaults,
    ) -> None:
        """A thumb or stars: the whole rating is stated."""
        self._expect(faults)
        value: Any = up if name == THUMB else stars
        content = Content(stored(name, value), why, tuple(reasons))
        form = {"value": value, "dimension": DIMENSIONS.get(name)}
        self._answer.submit(person, {name: content}, rationale=why, reasons=reasons, **form)

    @rule(person=persons, ratings=st.tuples(stars, stars), why=texts, faults=faults_of_calls)
    def rate_dimensions(
        self, person: str, ratings: tuple[int, int], why: str, faults: CallFaults
    ) -> None:
        """Several dimensions at once; the first one has the rationale."""
        self._expect(faults)
        by_name = dict(zip(DIMENSIONS, ratings, strict=True))
        contents = {name: Content(stored(name, given)) for name, given in by_name.items()}
        first = next(iter(contents))
        contents[first] = replace(contents[first], rationale=why)
        form = {DIMENSIONS[name]: given for name, given in by_name.items()}
        self._answer.submit(person, contents, ratings=form, rationale=why)

    @rule(person=persons, text=texts)
    def comment(self, person: str, text: str) -> None:
        """A comment alone."""
        self._answer.submit(person, {COMMENT: Content(text, text)}, rationale=text)

    @rule(person=persons, up=st.booleans(), text=texts, faults=faults_of_calls)
    def correct(self, person: str, up: bool, text: str, faults: CallFaults) -> None:
        """A thumb with a correction, which is a rating of its own."""
        self._expect(faults)
        contents = {THUMB: Content(up), CORRECTION: Content(text)}
        self._answer.submit(person, contents, value=up, correction=text)

    @rule(key=st.builds(RatingKey, persons, rated_or_written), faults=faults_of_calls)
    def withdraw(self, key: RatingKey, faults: CallFaults) -> None:
        """Whatever there was, and whether there was anything."""
        self._expect(faults)
        self._answer.withdraw(key)

    @rule(person=persons, up=st.booleans(), before=st.booleans(), faults=faults_of_calls)
    def rate_again(self, person: str, up: bool, before: bool, faults: CallFaults) -> None:
        """Withdrawn and rated again, also where MLflow has not yet received the first rating."""
        if before:
            self._answer.submit(person, {THUMB: Content(not up)}, value=not up)
        self._expect(faults)
        self._answer.withdraw(RatingKey(person, THUMB))
        self._answer.submit(person, {THUMB: Content(up)}, value=up)

    @precondition(lambda self: self._model.amendable())
    @rule(which=any_of_them, by=any_of_them, faults=faults_of_calls)
    def withdraw_by_id(self, which: int, by: int, faults: CallFaults) -> None:
        """Any id that names the rating will do."""
        self._expect(faults)
        self._answer.withdraw(*self._choose(which, by))

    @precondition(lambda self: self._model.amendable())
    @rule(which=any_of_them, by=any_of_them, changes=changes, faults=faults_of_calls)
    def amend(self, which: int, by: int, changes: dict[str, Any], faults: CallFaults) -> None:
        """A part changes: what is absent is kept, null clears."""
        self._expect(faults)
        self._answer.amend(*self._choose(which, by), changes)

    @precondition(lambda self: self._model.dead())
    @rule(which=any_of_them)
    def use_a_withdrawn_id(self, which: int) -> None:
        """An id that was withdrawn names nothing any more."""
        dead = self._model.dead()
        self._answer.amend_withdrawn(*dead[which % len(dead)])

    # -- what is written elsewhere ----------------------------------------------------------------

    @rule(
        person=st.sampled_from([ANN, ANN, BOB, "Ann@Example.COM"]),
        name=rated,
        up=st.booleans(),
        stars=stars,
        why=st.none() | texts,
    )
    def rate_elsewhere(self, person: str, name: str, up: bool, stars: int, why: str | None) -> None:
        """The same person rates through another program."""
        content = Content(stored(name, up if name == THUMB else stars), why)
        self._answer.rate_elsewhere(person, name, content)

    @precondition(lambda self: self._model.shown([THUMB, *DIMENSIONS]))
    @rule(which=any_of_them, up=st.booleans(), stars=stars, why=texts)
    def override_elsewhere(self, which: int, up: bool, stars: int, why: str) -> None:
        """The same person overrides, in another program, what it shows."""
        self._answer.settle()
        shown = self._model.shown([THUMB, *DIMENSIONS])
        key, overridden = shown[which % len(shown)]
        content = Content(stored(key.name, up if key.name == THUMB else stars), why)
        self._answer.override_elsewhere(key, overridden, content)

    @rule(name=rated, who=st.sampled_from(["judge", "program", "expert", "expert's correction"]))
    def others_write(self, name: str, who: str) -> None:
        """Under the same name; an expert's correction is just like the person's own."""
        write = self._answer.let_others_write
        {
            "judge": partial(write, name, "LLM_JUDGE", ANN),
            "program": partial(write, name, "CODE", ANN),
            "expert": partial(write, name, "HUMAN", "expert@example.com"),
            "expert's correction": partial(write, CORRECTION, "HUMAN", ANN),
        }[who]()

    # -- what happens -----------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(
            ["away", "back", "goes on", "lands", "pause", "lease", "minute", "an hour"]
        )
    )
    def meanwhile(self, what: str) -> None:
        """Something happens to MLflow, to a delivery, or to the clock."""
        faults = self._answer.faults
        {
            "away": faults.go_away,
            "back": faults.come_back,
            "goes on": faults.let_go_on,
            "lands": faults.land,
            "pause": self._answer.app.let_pauses_pass,
            "lease": self._answer.let_leases_run_out,
            "minute": self._answer.let_a_minute_pass,
            "an hour": self._answer.settle,
        }[what]()

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        """The process ends, and another begins on the same ledger."""
        self._answer.restart(killed=killed)

    @rule()
    def purge(self) -> None:
        """What is delivered leaves the ledger."""
        self._answer.purge()

    def _expect(self, faults: CallFaults) -> None:
        for call, fault in faults:
            self._answer.faults.plan(call, fault)

    def _choose(self, which: int, by: int) -> tuple[RatingKey, str]:
        amendable = self._model.amendable()
        key = amendable[which % len(amendable)]
        ids = self._model[key].amendable()
        return key, ids[by % len(ids)]
