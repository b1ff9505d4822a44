"""A simple model of what should remain in MLflow of everything that people rated and withdrew.

It knows nothing of ledgers, leases and attempts: the last rating of each person counts, once, under
an id that stays until the rating is withdrawn.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace

from agent_feedback.model import Content


@dataclass(frozen=True)
class Held:
    """One assessment as MLflow holds it; an overridden one is not valid."""

    content: Content
    valid: bool = True


@dataclass
class ExpectedRating:
    """What one person rated under one name.

    Attributes:
        content: The last that agent_feedback was sent; ``None`` where it is withdrawn.
        assessment_id: The id under which MLflow must hold it.
        ids: The ids under which answers may show it.
        named: Those of them that an answer has shown, by which it can be changed.
        known: Whether agent_feedback remembers it, or would have to ask MLflow.
        elsewhere: What the person rated through another program since, by id, oldest first.
        gone: Ids that must never come back.
        overridden: The person has overridden it in another program.
    """

    content: Content | None = None
    assessment_id: str = ""
    ids: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    known: bool = False
    elsewhere: dict[str, Held] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    overridden: bool = False

    @property
    def stands(self) -> bool:
        """Whether agent_feedback has a rating that can be amended by its id."""
        return self.known and self.content is not None

    def amendable(self) -> list[str]:
        """The ids by which this can be amended."""
        return sorted(self.named) if self.stands else [] if self.known else list(self.elsewhere)

    def submitted(self, content: Content, answered_id: str) -> None:
        """The whole rating was sent, and the answer named an id.

        Raises:
            AssertionError: that id cannot be right.
        """
        if self.stands:
            assert answered_id in self.ids, "the id changed though nothing was withdrawn"
        else:
            assert answered_id not in self.gone, "the id of something that was withdrawn"
            own = [each for each, held in self.elsewhere.items() if held.valid]
            self._starts(own[-1] if own else answered_id, answered_id)
        self._settles(content)

    def amended(self, by_id: str, amendment: Callable[[Content], Content]) -> None:
        """A part of it changed."""
        if self.stands:
            assert self.content is not None
            content = amendment(self.content)
            if content != self.content:
                self._settles(content)
            return
        before = self.elsewhere[by_id].content
        self._starts(by_id)
        self._settles(amendment(before))

    def withdrawn(self, answered_id: str) -> None:
        """It is gone, whatever there was."""
        self._settles(None)
        self.gone |= self.ids | {answered_id}
        self.ids, self.named = set(), set()
        self.known = True

    def rated_elsewhere(self, assessment_id: str, content: Content) -> None:
        """The person used another program, which knows nothing of this one."""
        self.elsewhere[assessment_id] = Held(content)

    def overridden_elsewhere(self, overridden: str, assessment_id: str, content: Content) -> None:
        """The person's other program overrode one of these, whoever had written it."""
        if overridden in self.elsewhere:
            self.elsewhere[overridden] = replace(self.elsewhere[overridden], valid=False)
        else:
            self.overridden = True
        self.elsewhere[assessment_id] = Held(content)

    def forgotten(self) -> None:
        """agent_feedback has purged it: what MLflow holds is as if rated elsewhere."""
        if self.stands:
            assert self.content is not None
            mine = {self.assessment_id: Held(self.content, valid=not self.overridden)}
            self.elsewhere = mine | self.elsewhere
        self.content, self.known, self.overridden = None, False, False
        self.ids, self.named = set(), set()

    def remains(self) -> dict[str, Held]:
        """What MLflow must hold."""
        mine = {}
        if self.stands:
            assert self.content is not None
            mine[self.assessment_id] = Held(self.content, valid=not self.overridden)
        return mine | self.elsewhere

    def valid(self) -> list[str]:
        """The ids of what another program shows of it."""
        return [each for each, held in self.remains().items() if held.valid]

    def _starts(self, assessment_id: str, answered_id: str | None = None) -> None:
        self.assessment_id = assessment_id
        self.ids = {assessment_id, answered_id or assessment_id}
        self.known = True

    def _settles(self, content: Content | None) -> None:
        """The newest rating replaces everything that was rated elsewhere."""
        self.content, self.overridden = content, False
        self.gone |= self.elsewhere.keys() - self.ids
        self.elsewhere = {}


@dataclass(frozen=True)
class RatingKey:
    """What there is one rating of."""

    person: str
    name: str


class ExpectedRatings:
    """The model of one trace."""

    def __init__(self) -> None:
        self._ratings: dict[RatingKey, ExpectedRating] = defaultdict(ExpectedRating)

    def __getitem__(self, key: RatingKey) -> ExpectedRating:
        return self._ratings[key]

    def __iter__(self) -> Iterator[tuple[RatingKey, ExpectedRating]]:
        return iter(self._ratings.items())

    def amendable(self) -> list[RatingKey]:
        """What has an id by which it can be amended."""
        return [key for key, rating in self if rating.amendable()]

    def dead(self) -> list[tuple[RatingKey, str]]:
        """The ids that must not name anything any more."""
        return [(key, each) for key, rating in self for each in sorted(rating.gone)]

    def shown(self, names: Collection[str]) -> list[tuple[RatingKey, str]]:
        """What another program shows under these names."""
        return [(key, each) for key, rating in self if key.name in names for each in rating.valid()]

    def forget(self) -> None:
        """agent_feedback forgets what MLflow holds."""
        for _, rating in self:
            rating.forgotten()
