"""Strategies for what nobody should send: texts of any characters, JSON of any shape."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from agent_feedback.errors import FeedbackError

T = TypeVar("T")

SECRET = "s3cret-of-the-persons-own"
"""Stands in everything that is sent; no refusal may hold it."""

ANY_CHARACTER = st.characters(exclude_categories=())
NASTY = st.sampled_from(
    "\x00\t\n\r\x1b\x7f\x85\u00ad\u200b\u200d\u2028\u202e\u2066\u212a\ufeff\ud800\udc80\uff1d"
    "eé\u0301\u0345\u1e9e\ufb01\ufb03\u0130\u0131\u0178@,.:/?#%'\"\\{}[]"
)
any_text = st.text(st.one_of(ANY_CHARACTER, NASTY), max_size=60)
long_text = st.builds(
    lambda text, times: text * times, st.text(NASTY, min_size=1), st.integers(1, 900)
)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 5, 6, -1, 10**30, 10**400, float("nan"), float("inf"), 1e308, 4.999999]),
    st.floats(),
    any_text,
    st.just(SECRET),
)


def json_of(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """JSON of any shape, whose objects have members of these names and of others."""
    members = st.one_of(names, any_text, st.just(SECRET))
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(members, inner, max_size=5)
        ),
        max_leaves=12,
    )


def attempt(call: Callable[[], T]) -> T | FeedbackError:
    """Call, and return what comes of it: a value, or an error that is one of ours."""
    try:
        return call()
    except FeedbackError as refused:
        return refused
