"""A key that tells people apart and names nobody."""

import pytest

from agent_feedback.identity.opaque_key import opaque_key

ANN = "ann@example.com"


def test_it_is_stable_and_opaque() -> None:
    """The same person gets the same key, of which nothing of the name is left."""
    key = opaque_key("secret", ANN)
    assert key == opaque_key("secret", ANN)
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("secret", "user_id", "is_same"),
    [
        ("secret", "ANN@Example.com", True),
        ("secret", "bob@example.com", False),
        ("another", ANN, False),
        ("", ANN, False),
        ("secretann", "@example.com", False),
    ],
)
def test_whose_key_it_is(secret: str, user_id: str, is_same: bool) -> None:
    """The case of an e-mail does not count; another person or another secret does."""
    assert (opaque_key(secret, user_id) == opaque_key("secret", ANN)) is is_same


def test_the_case_of_a_plain_name_counts() -> None:
    """Names that are no e-mail addresses are as they are, as everywhere else."""
    assert opaque_key("secret", "Ann") != opaque_key("secret", "ann")
