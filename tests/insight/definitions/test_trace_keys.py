"""What traces are grouped by."""

import pytest

from agent_feedback.errors import ConfigurationError
from agent_feedback.insight.definitions.trace_keys import NONE, trace_key

STARTED_AT = 1_772_368_200_250  # 2026-03-01T12:30:00.250Z
METADATA = {
    "mlflow.trace.session": "s-1",
    "mlflow.trace.user": "ada@example.com",
    "mlflow.source.type": "LOCAL",
    "APP_ENVIRONMENT": "production",
    "mlflow.source.git.commit": "abc123",
    "team": "from metadata",
}
TAGS = {"team": "blue", "app_version": "1.2"}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("day", "2026-03-01"),
        ("hour", "2026-03-01T12"),
        ("session", "s-1"),
        ("user", "ada@example.com"),
        ("environment", "LOCAL"),
        ("version", "abc123"),
        ("tag:team", "blue"),
        ("metadata:team", "from metadata"),
        ("tag:nothing", NONE),
    ],
)
def test_the_group_of_a_trace(name: str, group: str) -> None:
    """A trace's start in UTC, or the first of the places that the key stands for."""
    assert trace_key(name).of(STARTED_AT, METADATA, TAGS) == group


def test_a_version_is_the_model_else_the_commit_else_the_tag() -> None:
    """An empty value counts as none."""
    version = trace_key("version")
    assert version.of(0, METADATA | {"mlflow.modelId": "m-7"}, TAGS) == "m-7"
    assert version.of(0, {"mlflow.modelId": "", "mlflow.source.git.commit": ""}, TAGS) == "1.2"
    assert version.of(0, {}, {}) == NONE


@pytest.mark.parametrize("name", ["", "week", "tag:", "metadata", "Tag:x", "tags:x", ":x"])
def test_a_key_that_is_none_is_one_sentence(name: str) -> None:
    """It lists the keys that there are."""
    with pytest.raises(ConfigurationError, match="day, hour, version"):
        trace_key(name)
