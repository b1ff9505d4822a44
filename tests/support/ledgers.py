"""Empty databases, and ratings as tests of the ledger and of delivery make them."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import sqlalchemy

from agent_feedback.delivery.row_state import Outcome, next_row
from agent_feedback.ledger.ledger import Ledger
from agent_feedback.ledger.queue import Claim, DeliveryQueue
from agent_feedback.model import THUMB, Content, Rating, RatingKey, Turn, TurnState

OPENED_AT = 1_795_000_000_000


def trace_named(number: int) -> str:
    """Name a trace of an experiment, as long as MLflow's ids are."""
    return f"tr-{number:032x}"


KEY = RatingKey(trace_named(1), "ann@example.com", THUMB)


def assessment_named(key: RatingKey) -> str:
    """Name the assessment of a rating, as long as MLflow's ids are."""
    return f"a-{uuid.uuid5(uuid.NAMESPACE_OID, f'{key.trace_id} {key.name}').hex}"


def rating(value: bool = True, *, key: RatingKey = KEY, changed_at: int = 1) -> Rating:
    """Build a first rating."""
    return Rating(key, Content(value), assessment_named(key), changed_at=changed_at)


def flipped(old: Rating | None) -> Rating:
    """Turn a thumb over; a first one is up."""
    if old is None:
        return rating()
    return replace(old, content=Content(not old.content.value), revision=old.revision + 1)


def becomes(new: Rating) -> Callable[[Rating | None], Rating]:
    """Make a transition to this state from any."""
    return lambda _: new


def rated(ledger: Ledger, *keys: RatingKey, changed_at: int = 1) -> list[Rating]:
    """Write a first rating for each of these keys."""
    return ledger.ratings.change(
        {key: becomes(rating(key=key, changed_at=changed_at)) for key in keys or (KEY,)}
    )


def keys(count: int) -> list[RatingKey]:
    """Name ratings of as many traces."""
    return [RatingKey(trace_named(number), KEY.person, THUMB) for number in range(count)]


def turn(turn_id: str, **fields: object) -> Turn:
    """Build a closed turn of Ann's; the higher its number, the later it began."""
    plain = Turn(
        trace_id=trace_named(int(turn_id)),
        client_request_id="request-1",
        session_id="session-1",
        user_id=KEY.person,
        asker=KEY.person,
        state=TurnState.OK,
        turn_id=turn_id,
        opened_at=OPENED_AT + int(turn_id),
        closed_at=OPENED_AT + int(turn_id),
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


def end(queue: DeliveryQueue, claim: Claim, outcome: Outcome) -> None:
    """Write the outcome of a claim, as the dispatcher does."""
    queue.update(claim, lambda row, now: next_row(row, claim, outcome, now))


@contextmanager
def empty_schema(postgres_url: str) -> Iterator[str]:
    """Give the URL of an empty schema, which ends with the block."""
    schema = f"test_{uuid.uuid4().hex}"
    server = sqlalchemy.make_url(postgres_url)
    engine = sqlalchemy.create_engine(server)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"CREATE SCHEMA {schema}"))
    url = server.update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()
