"""How the body of a rating is read, whatever its bytes."""

import asyncio
import json
import math
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Message

from agent_feedback import Settings
from agent_feedback.errors import FeedbackError, InvalidFeedback
from agent_feedback.model import CORRECTION
from agent_feedback.service.forms import Forms, RatingForm
from agent_feedback.text import clean
from agent_feedback.web.request_guard import RequestGuard
from agent_feedback.web.schemas import MAX_BODY, AmendBody, DetailedBody, FeedbackBody
from tests.fuzz.texts import ANY_CHARACTER, NASTY, SECRET, any_text, attempt, json_of, long_text

SETTINGS = Settings(implicit_signals=("copy",))
MODELS = (FeedbackBody, DetailedBody, AmendBody)
MEMBERS = sorted({name for model in MODELS for name in model.model_fields} | {"accuracy"})
STATUSES = {400, 413, 415, 422}

models = st.sampled_from(MODELS)
bodies = st.one_of(
    st.binary(max_size=200),
    json_of(st.sampled_from(MEMBERS)).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(MEMBERS), json_of(st.sampled_from(MEMBERS))).map(
        lambda value: json.dumps(value).encode()
    ),
    st.integers(MAX_BODY - 40, MAX_BODY + 40).map(
        lambda size: b'{"rationale": "' + b"x" * (size - 17) + b'"}'
    ),
    st.integers(1, 8000).map(lambda depth: b'{"a":' + b"[" * depth + b"]" * depth + b"}"),
    st.integers(1, 6000).map(lambda digits: b'{"value":' + b"9" * digits + b"}"),
)


class Sender:
    """A client that sends a body in pieces, and counts those that were asked for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self.read = 0
        self.largest = max(map(len, pieces), default=0)

    async def receive(self) -> Message:
        piece = next(self._pieces, None)
        self.read += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}


def outcome(model: type[BaseModel], sender: Sender, kind: str = "application/json") -> Any:
    """Read a body as the routes do: the model, or the error."""
    headers = [(b"content-type", kind.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "headers": headers}, sender.receive)
    return attempt(lambda: asyncio.run(RequestGuard(SETTINGS).read(request, model)))


def cut(body: bytes, places: list[int]) -> list[bytes]:
    """A body in pieces."""
    ends = sorted({place % (len(body) + 1) for place in places} | {len(body)})
    return [body[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@given(models, bodies, st.lists(st.integers(min_value=0), max_size=5))
def test_a_body_is_read_or_refused_in_a_sentence_that_repeats_nothing(
    model: type[BaseModel], body: bytes, places: list[int]
) -> None:
    """Any bytes in any pieces give a body of ours, or one of four statuses and one sentence."""
    sender = Sender(cut(body, places))
    found = outcome(model, sender)
    if isinstance(found, FeedbackError):
        assert found.status_code in STATUSES
        assert SECRET not in str(found)
        assert "\n" not in str(found)
        assert str(found).isascii()
    else:
        members = json.loads(body)
        assert isinstance(members, dict)
        assert found.model_fields_set <= members.keys() | {"value"}
    assert (getattr(found, "status_code", None) == 413) == (len(body) > MAX_BODY)
    assert sender.read <= MAX_BODY + sender.largest


@given(models, bodies, st.lists(st.integers(min_value=0), max_size=8))
def test_how_a_body_is_cut_does_not_count(
    model: type[BaseModel], body: bytes, places: list[int]
) -> None:
    """A body in pieces is what it is in one."""
    whole, pieces = outcome(model, Sender([body])), outcome(model, Sender(cut(body, places)))
    assert repr(whole) == repr(pieces)


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_only_json_is_read(kind: str) -> None:
    """Whatever the content type, nothing is read that is not declared as JSON."""
    sender = Sender([b"{}"])
    found = outcome(FeedbackBody, sender, kind)
    if kind.partition(";")[0].strip().lower() == "application/json":
        assert isinstance(found, FeedbackBody)
    else:
        assert found.status_code == 415
        assert sender.read == 0


texts = st.one_of(st.none(), any_text, long_text)
reasons = st.lists(st.one_of(st.sampled_from(SETTINGS.reasons), any_text), max_size=4)
numbers = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from([1, 5]))
dimensions = st.one_of(st.none(), st.sampled_from([*SETTINGS.dimensions, SECRET]), any_text)
forms = st.builds(
    RatingForm,
    value=numbers,
    dimension=dimensions,
    rationale=texts,
    reasons=reasons,
    correction=texts,
    signal=st.one_of(st.none(), st.sampled_from(["copy", "stop", SECRET])),
    ratings=st.dictionaries(st.sampled_from([*SETTINGS.dimensions, SECRET]), numbers, max_size=3),
)


@given(forms)
def test_what_is_stored_is_within_every_limit(form: RatingForm) -> None:
    """A form is refused, or all of its contents fit their names, their scale and their stores."""
    shop = Forms(SETTINGS)
    contents = attempt(lambda: shop.contents(form))
    if isinstance(contents, FeedbackError):
        assert isinstance(contents, InvalidFeedback)
        assert SECRET not in str(contents)
        return
    assert contents
    assert set(contents) <= shop.names()
    for name, content in contents.items():
        longest = 8_000 if name == CORRECTION else 4_000
        for text in (content.rationale, content.value):
            assert not isinstance(text, str) or 0 < len(text) <= longest
            assert not isinstance(text, str) or clean(text, longest) == text
        if isinstance(content.value, float):
            assert math.isfinite(content.value)
            assert 1 / SETTINGS.scale <= content.value <= 1
        assert set(content.reasons) <= set(SETTINGS.reasons)
        assert len(set(content.reasons)) == len(content.reasons)
        assert shop.shown_value(name, content.value) is not None or isinstance(content.value, str)


@given(st.floats(1, SETTINGS.scale), st.sampled_from(SETTINGS.dimensions))
def test_stars_come_back_as_they_were_given(stars: float, dimension: str) -> None:
    """What a person reads back is what they sent, to a millionth of a star."""
    shop = Forms(SETTINGS)
    name = shop.name_of(dimension)
    shown = shop.shown_value(name, shop.stored_value(name, stars))
    assert shown == pytest.approx(stars, abs=1e-6)


@given(st.text(st.one_of(ANY_CHARACTER, NASTY)))
def test_a_clean_text_is_clean(typed: str) -> None:
    """What is kept can be stored anywhere, in one form, shows what it is, and stays as it is."""
    kept = clean(typed)
    kept.encode()
    assert kept == unicodedata.normalize("NFC", kept) == clean(kept)
    unwanted = [c for c in kept if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert unwanted == []
    assert not set(kept) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60))
def test_an_ordinary_text_loses_nothing(typed: str) -> None:
    """Letters, digits, marks and emoji are kept, in their normal form."""
    assert clean(typed).strip() == unicodedata.normalize("NFC", typed).strip()
