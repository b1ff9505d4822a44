"""A key that tells people apart and names nobody."""

import pytest

from agent_feedback.identity.person_key import person_key_of

ANN = "ann@example.com"


def test_it_is_stable_and_opaque() -> None:
    """The same person gets the same key, of which nothing of the name is left."""
    key = person_key_of("secret", ANN)
    assert key == person_key_of("secret", ANN)
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
def test_it_depends_on_the_person_and_the_secret(secret: str, user_id: str, is_same: bool) -> None:
    """The case of an e-mail does not count; another person or another secret does."""
    assert (person_key_of(secret, user_id) == person_key_of("secret", ANN)) is is_same


def test_the_case_of_a_plain_name_counts() -> None:
    """Names that are no e-mail addresses are as they are, as everywhere else."""
    assert person_key_of("secret", "Ann") != person_key_of("secret", "ann")
