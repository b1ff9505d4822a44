"""How long MLflow, or a gateway before it, asks to wait: a header that anybody may have written."""

from hypothesis import given
from hypothesis import strategies as st

from agent_feedback.mlflow_client import bounded_store
from tests.fuzz.texts import any_text, long_text

MAX_SECONDS = bounded_store._MAX_RETRY_AFTER_SECONDS
written = st.one_of(
    any_text,
    long_text,
    st.floats().map(str),
    st.integers().map(str),
    st.sampled_from(["nan", "-inf", "1e400", "Wed, 21 Oct 2026 07:28:00 GMT", "", " 5 ", "\u0665"]),
)


@given(st.one_of(st.none(), written))
def test_a_wait_is_within_reason(header: str | None) -> None:
    """Any header gives no wait, or one that ends: never a negative, endless or undefined one."""
    seconds = bounded_store._seconds(header)
    assert seconds is None or 0 <= seconds <= MAX_SECONDS


@given(st.integers(0, int(MAX_SECONDS)))
def test_a_wait_that_is_asked_for_is_kept(seconds: int) -> None:
    """Whole seconds, as RFC 9110 has them, are taken as they are."""
    assert bounded_store._seconds(str(seconds)) == seconds
