"""Variables that no setting reads."""

import logging

import pytest

from agent_feedback import AgentFeedback, ConfigurationError
from agent_feedback.environment_variables import check_variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("AGENT_FEEDBACK_RATER", "AGENT_FEEDBACK_RATERS"),
        ("AGENT_FEEDBACK_REQUIRE_USR", "AGENT_FEEDBACK_REQUIRE_USER"),
        ("AGENT_FEEDBACK_USERID_SOURCE", "AGENT_FEEDBACK_USER_ID_SOURCE"),
        ("AGENT_FEEDBACK_LEDGERURL", "AGENT_FEEDBACK_LEDGER_URL"),
        ("AGENT_FEEDBACK_REASON", "AGENT_FEEDBACK_REASONS"),
    ],
)
def test_a_misspelt_name_is_refused_and_named(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """An app that is not configured as its owner believes does not start; no value is repeated."""
    monkeypatch.setenv(name, "secret-value")
    with pytest.raises(ConfigurationError) as refused:
        AgentFeedback()
    assert str(refused.value) == f"{name} is not read by anything: {meant} is what it is called."


def test_a_name_like_no_setting_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """It may be somebody's own, or of a newer release: the app starts, and the log says it."""
    with caplog.at_level(logging.WARNING):
        check_variables(["AGENT_FEEDBACK_TEAM_COLOUR", "AGENT_FEEDBACK_SERVICE_HOST"])
    (record,) = caplog.records
    assert "AGENT_FEEDBACK_SERVICE_HOST, AGENT_FEEDBACK_TEAM_COLOUR" in record.getMessage()


def test_what_is_a_setting_or_not_ours_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged of the settings' own variables and of other programs'."""
    check_variables(["AGENT_FEEDBACK_RATERS", "AGENT_FEEDBACK_REDACT", "PATH", "AGENT_APP_HOME"])
    assert not caplog.records
