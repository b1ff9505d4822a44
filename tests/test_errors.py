"""The error tree."""

import inspect

import pytest

import agent_feedback
from agent_feedback import FeedbackError, errors

CLASSES = [
    each
    for each in vars(errors).values()
    if inspect.isclass(each) and issubclass(each, FeedbackError)
]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_says_one_sentence_by_itself(error: type[FeedbackError]) -> None:
    """Without a message of its own, an error reads as its class's docstring: one sentence."""
    sentence = str(error())
    assert sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_package_exports_every_public_error() -> None:
    """Every public error class can be imported from the package itself."""
    assert set(errors.__all__) <= set(agent_feedback.__all__)
