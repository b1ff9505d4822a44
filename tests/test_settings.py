"""Settings: from arguments, from the environment, and refused."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from agent_feedback import AgentFeedback, ConfigurationError, Settings
from tests.fuzz.texts import attempt


def shout(text: str) -> str:
    """Redact nothing, loudly."""
    return text.upper()


FROM_ENVIRONMENT: list[tuple[str, str, Any]] = [
    ("ledger_url", "sqlite:////tmp/other.db", "sqlite:////tmp/other.db"),
    ("prefix", "/api/feedback", "/api/feedback"),
    ("dimensions", "clarity, tone ,,", ("clarity", "tone")),
    ("scale", "10", 10),
    ("reasons", "wrong,too long", ("wrong", "too long")),
    ("raters", "anyone", "anyone"),
    ("user_id_source", "x-user,obo", ("x-user", "obo")),
    ("trusted_proxies", "1@2, 3@4", ("1@2", "3@4")),
    ("require_user", "true", True),
    ("implicit_signals", "copy,stop", ("copy", "stop")),
    ("unknown_wait_seconds", "2.5", 2.5),
    ("allowed_origins", "https://a.example", ("https://a.example",)),
    ("writes_per_minute", "7", 7),
    ("wait_seconds", "0", 0.0),
    ("retention_days", "1", 1.0),
    ("expose_errors", "yes", True),
    ("redact", f"{__name__}:shout", shout),
    ("on_rating", f"{__name__}:shout", shout),
]


def test_every_field_has_a_row_here() -> None:
    """No setting is left out of the tests below."""
    assert {row[0] for row in FROM_ENVIRONMENT} == {f.name for f in dataclasses.fields(Settings)}


@pytest.mark.parametrize(("field", "raw", "value"), FROM_ENVIRONMENT)
def test_a_field_comes_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, field: str, raw: str, value: Any
) -> None:
    """AGENT_FEEDBACK_<FIELD> sets a field, in its own type."""
    monkeypatch.setenv(f"AGENT_FEEDBACK_{field.upper()}", raw)
    assert getattr(Settings(), field) == value


@pytest.mark.parametrize(("field", "raw", "value"), FROM_ENVIRONMENT)
def test_an_explicit_argument_wins(
    monkeypatch: pytest.MonkeyPatch, field: str, raw: str, value: Any
) -> None:
    """The environment does not override what the code says."""
    default = getattr(Settings(), field)
    monkeypatch.setenv(f"AGENT_FEEDBACK_{field.upper()}", raw)
    assert getattr(Settings(**{field: default}), field) == default


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("ledger_url", "sqlite:///agent_feedback.db"),
        ("prefix", "/feedback"),
        ("dimensions", ("accuracy", "helpfulness", "relevance")),
        ("scale", 5),
        ("raters", "asker"),
        ("user_id_source", ("x-forwarded-email", "x-forwarded-preferred-username", "obo")),
        ("trusted_proxies", ()),
        ("require_user", False),
        ("implicit_signals", ()),
        ("unknown_wait_seconds", 8),
        ("allowed_origins", ()),
        ("writes_per_minute", 120),
        ("wait_seconds", 1.0),
        ("retention_days", 30),
        ("expose_errors", False),
        ("redact", None),
        ("on_rating", None),
    ],
)
def test_defaults_are_the_contracts(field: str, default: Any) -> None:
    """Without arguments and variables, settings are what the contract's table says."""
    assert getattr(Settings(), field) == default


def test_settings_do_not_change() -> None:
    """A setting cannot be assigned once it was checked, and lists became tuples."""
    settings = Settings(dimensions=["tone"])  # type: ignore[arg-type]
    assert settings.dimensions == ("tone",)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.scale = 1  # type: ignore[misc]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"dimensions": ("feedback",)}, "dimensions"),
    ({"dimensions": ("accuracy", "comment")}, "dimensions"),
    ({"dimensions": ("expected_response",)}, "dimensions"),
    ({"dimensions": ("user_feedback",)}, "dimensions"),
    ({"dimensions": ("implicit_copy",)}, "dimensions"),
    ({"dimensions": ("accuracy", "accuracy")}, "dimensions"),
    ({"dimensions": ("Accuracy",)}, "dimensions"),
    ({"dimensions": ("too " * 20,)}, "dimensions"),
    ({"dimensions": "accuracy"}, "dimensions"),
    ({"dimensions": 5}, "dimensions"),
    ({"dimensions": None}, "dimensions"),
    ({"dimensions": ("accuracy", 5)}, "dimensions"),
    ({"dimensions": b"accuracy"}, "dimensions"),
    ({"reasons": ("x" * 101,)}, "reasons"),
    ({"reasons": ("",)}, "reasons"),
    ({"reasons": [None]}, "reasons"),
    ({"user_id_source": {"obo": 1, 2: 3}}, "user_id_source"),
    ({"trusted_proxies": 5}, "trusted_proxies"),
    ({"trusted_proxies": (5,)}, "trusted_proxies"),
    ({"implicit_signals": ([],)}, "implicit_signals"),
    ({"allowed_origins": (5,)}, "allowed_origins"),
    ({"ledger_url": None}, "ledger_url"),
    ({"ledger_url": Path("ledger.db")}, "ledger_url"),
    ({"prefix": 5}, "prefix"),
    ({"raters": ["asker"]}, "raters"),
    ({"raters": None}, "raters"),
    ({"scale": "5"}, "scale"),
    ({"scale": float("nan")}, "scale"),
    ({"scale": 10**400}, "scale"),
    ({"scale": numpy.int64(5)}, "scale"),
    ({"require_user": "yes"}, "require_user"),
    ({"require_user": 1}, "require_user"),
    ({"require_user": numpy.True_}, "require_user"),
    ({"expose_errors": "false"}, "expose_errors"),
    ({"expose_errors": None}, "expose_errors"),
    ({"scale": 1}, "scale"),
    ({"scale": 2.5}, "scale"),
    ({"scale": True}, "scale"),
    ({"prefix": "feedback"}, "prefix"),
    ({"prefix": "/"}, "prefix"),
    ({"prefix": ""}, "prefix"),
    ({"prefix": "/feedback/"}, "prefix"),
    ({"prefix": "/feed back"}, "prefix"),
    ({"prefix": "/{x}"}, "prefix"),
    ({"raters": "everyone"}, "raters"),
    ({"implicit_signals": ("scroll",)}, "implicit_signals"),
    ({"user_id_source": ()}, "user_id_source"),
    ({"user_id_source": ("none", "obo")}, "user_id_source"),
    ({"user_id_source": ("X-Forwarded-Access-Token",)}, "user_id_source"),
    ({"user_id_source": ("x-forwarded-email", "Authorization")}, "user_id_source"),
    ({"writes_per_minute": 0}, "writes_per_minute"),
    ({"writes_per_minute": "120"}, "writes_per_minute"),
    ({"writes_per_minute": 2.5}, "writes_per_minute"),
    ({"writes_per_minute": True}, "writes_per_minute"),
    ({"unknown_wait_seconds": None}, "unknown_wait_seconds"),
    ({"unknown_wait_seconds": numpy.float32(1)}, "unknown_wait_seconds"),
    ({"unknown_wait_seconds": numpy.array([1.0, 2.0])}, "unknown_wait_seconds"),
    ({"wait_seconds": "1"}, "wait_seconds"),
    ({"wait_seconds": True}, "wait_seconds"),
    ({"wait_seconds": 10**400}, "wait_seconds"),
    ({"retention_days": 1 + 0j}, "retention_days"),
    ({"retention_days": 1e300}, "retention_days"),
    ({"redact": "x"}, "redact"),
    ({"unknown_wait_seconds": -1}, "unknown_wait_seconds"),
    ({"wait_seconds": -0.1}, "wait_seconds"),
    ({"wait_seconds": float("nan")}, "wait_seconds"),
    ({"retention_days": -1}, "retention_days"),
    ({"retention_days": float("inf")}, "retention_days"),
    ({"allowed_origins": ("chat.example.com",)}, "allowed_origins"),
    ({"allowed_origins": ("https://chat.example.com/path",)}, "allowed_origins"),
    ({"allowed_origins": ("*",)}, "allowed_origins"),
    ({"redact": "module:function"}, "redact"),
    ({"on_rating": 5}, "on_rating"),
]


@pytest.mark.parametrize(("chosen", "field"), REFUSED, ids=map(str, range(len(REFUSED))))
def test_a_value_that_cannot_work_is_refused(chosen: dict[str, Any], field: str) -> None:
    """Construction fails with one sentence that names the field."""
    with pytest.raises(ConfigurationError, match=field) as refused:
        Settings(**chosen)
    assert str(refused.value).count(". ") == 0


@pytest.mark.parametrize("field", [row[0] for row in FROM_ENVIRONMENT])
@pytest.mark.parametrize(
    "value",
    [None, 5, "x", b"x", [], {}, object(), float("nan"), numpy.int64(5), numpy.array([1, 2])],
    ids=lambda value: type(value).__name__,
)
def test_any_value_works_or_is_refused_by_name(field: str, value: Any) -> None:
    """No field fails in another way than the others, whatever it is given."""
    made = attempt(lambda: Settings(**{field: value}))
    assert isinstance(made, Settings) or str(made).startswith(f"{field} must ")


@pytest.mark.parametrize(
    ("field", "raw"),
    [
        ("scale", "five"),
        ("scale", "4.5"),
        ("require_user", "perhaps"),
        ("wait_seconds", "1s"),
        ("redact", "no_such_module:function"),
        ("redact", f"{__name__}:no_such_function"),
        ("redact", ".relative:function"),
        ("on_rating", ""),
    ],
)
def test_a_variable_that_cannot_be_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, field: str, raw: str
) -> None:
    """The sentence names the variable."""
    monkeypatch.setenv(f"AGENT_FEEDBACK_{field.upper()}", raw)
    with pytest.raises(ConfigurationError, match=f"AGENT_FEEDBACK_{field.upper()}"):
        Settings()


def _at_construction(url: str) -> None:
    AgentFeedback(Settings(ledger_url=url))


def _at_start(url: str) -> None:
    AgentFeedback(Settings(ledger_url=url))._parts.start()


@pytest.mark.parametrize(
    ("url", "when", "names"),
    [
        ("nonsense", _at_construction, "SQLAlchemy URL"),
        ("oracle9://host/db", _at_construction, "SQLAlchemy URL"),
        ("mysql+no_such_driver://host/db", _at_construction, "SQLAlchemy URL"),
        ("postgresql+psycopg2://host/db", _at_construction, "psycopg2"),
        ("sqlite://", _at_construction, "in memory"),
        ("sqlite:///:memory:", _at_construction, "in memory"),
        ("sqlite:////no/such/folder/ledger.db", _at_construction, "folder /no/such/folder"),
        ("sqlite:////proc", _at_start, "cannot be opened"),
        ("postgresql+psycopg://me:s3cret@127.0.0.1:1/db", _at_start, "cannot be opened"),
    ],
)
def test_a_ledger_that_cannot_work_fails_before_the_first_rating(
    url: str, when: Callable[[str], None], names: str
) -> None:
    """A bad ledger URL is one sentence at construction or start, and never shows a password."""
    with pytest.raises(ConfigurationError, match=names) as refused:
        when(url)
    assert "s3cret" not in str(refused.value)


def test_a_file_that_is_no_database_fails_at_start(tmp_path: Path) -> None:
    """A ledger URL that names some other file is refused, and the file is left alone."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database, and longer than the header of one" * 10)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        _at_start(f"sqlite:///{file}")
    assert file.read_text().startswith("not a database")


def test_nothing_is_opened_before_the_start(tmp_path: Path) -> None:
    """Building the object makes no file and no thread: importing an agent stays harmless."""
    AgentFeedback(Settings(ledger_url=f"sqlite:///{tmp_path}/ledger.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_cannot_be_had_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No such module, no function named, or a module that fails while it is imported: its form is
    said, and the kind of what was raised, never its text."""
    (tmp_path / "failing_hooks.py").write_text("raise RuntimeError('secret')")
    monkeypatch.syspath_prepend(tmp_path)
    for raw, kind in (
        ("nothere", "ModuleNotFoundError"),
        ("json:nothing", "AttributeError"),
        ("failing_hooks:redact", "RuntimeError"),
    ):
        monkeypatch.setenv("AGENT_FEEDBACK_REDACT", raw)
        with pytest.raises(ConfigurationError) as refused:
            Settings()
        assert str(refused.value) == (
            f"AGENT_FEEDBACK_REDACT cannot be read ({kind}): it should be like module:function."
        )
