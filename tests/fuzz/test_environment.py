"""Settings, from any environment."""

import dataclasses
import math
import os
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_feedback import Settings
from agent_feedback.errors import ConfigurationError
from tests.fuzz.texts import attempt

FIELDS = [field.name for field in dataclasses.fields(Settings)]
HOOKS = ("redact", "on_rating")
LISTS = ("dimensions", "reasons", "user_id_source", "trusted_proxies", "implicit_signals")

# What the operating system can hold; hooks name modules, which must not be met by chance.
raw_values = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40),
    st.sampled_from(
        ["", " ", ",", "none", "*", "true", "NaN", "inf", "-1", "0", "1e400", "1_0", "/"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.lists(st.sampled_from(["accuracy", "tone", "obo", "none", "copy", "x-auth-user"])).map(
        ",".join
    ),
)
hook_names = st.text("._:q ", max_size=8)
environments = st.fixed_dictionaries(
    {},
    optional={name: hook_names if name in HOOKS else raw_values for name in FIELDS},
)


def read(environment: dict[str, str]) -> Settings:
    """Read the settings of an environment."""
    variables = {f"AGENT_FEEDBACK_{name.upper()}": raw for name, raw in environment.items()}
    with mock.patch.dict(os.environ, variables):
        return Settings()


@given(environments)
def test_settings_work_or_are_refused_by_name(environment: dict[str, str]) -> None:
    """Any environment gives settings that can work, or a sentence that names what cannot."""
    settings = attempt(lambda: read(environment))
    if isinstance(settings, ConfigurationError):
        assert any(name in str(settings).lower() for name in environment), str(settings)
        return
    assert isinstance(settings, Settings)
    for seconds in (settings.unknown_wait_seconds, settings.wait_seconds, settings.retention_days):
        assert math.isfinite(seconds)
        assert seconds >= 0
    assert settings.scale >= 2
    assert settings.writes_per_minute >= 1
    assert settings.raters in ("asker", "anyone")
    assert settings.prefix.startswith("/")
    assert all(isinstance(getattr(settings, name), tuple) for name in LISTS)
    assert all(name.strip() == name for each in LISTS for name in getattr(settings, each))
    assert not settings.expose_errors or environment["expose_errors"].strip().lower() in (
        "true",
        "1",
        "yes",
    )


@given(st.sampled_from(FIELDS), environments)
def test_what_is_not_set_stays_as_it_is(field: str, environment: dict[str, str]) -> None:
    """A variable changes its own field and no other."""
    only = {name: raw for name, raw in environment.items() if name == field}
    changed = attempt(lambda: read(only))
    for name in FIELDS:
        refused = isinstance(changed, ConfigurationError)
        assert refused or name == field or getattr(changed, name) == getattr(Settings(), name)


@given(
    st.integers(2, 100),
    st.lists(st.from_regex(r"[a-z]{3,9}_q", fullmatch=True), unique=True, min_size=1, max_size=5),
    st.booleans(),
    st.floats(0, 1e6),
)
def test_what_is_written_is_read(scale: int, names: list[str], flag: bool, seconds: float) -> None:
    """Values come back from the environment in their own types."""
    settings = read(
        {
            "scale": str(scale),
            "dimensions": " , ".join(names),
            "require_user": str(flag),
            "wait_seconds": repr(seconds),
        }
    )
    assert settings == Settings(
        scale=scale, dimensions=tuple(names), require_user=flag, wait_seconds=seconds
    )


@pytest.mark.parametrize("hook", [".module:function", "..:f", ":", ":f", "math:", "no colon"])
def test_a_hook_that_names_nothing_is_refused(hook: str) -> None:
    """Whatever Python's import says of a name, the sentence names the variable."""
    with pytest.raises(ConfigurationError, match="AGENT_FEEDBACK_REDACT"):
        read({"redact": hook})
