"""The example app over HTTP, as a person starts it."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow.entities import SpanType

from examples.agent_app.extract import NOTHING_FOUND
from tests.support.example_app import PROJECT, ExampleApp, running_example_app
from tests.support.fake_model import FakeModel, running_fake_model


@pytest.fixture
def fake_model() -> Iterator[FakeModel]:
    """Serve a FAKE language model."""
    with running_fake_model() as model:
        yield model


QUESTION = "What happens to a rating when MLflow is away?"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path) -> Iterator[ExampleApp]:
    """Run the example app without a model."""
    folder = tmp_path_factory.mktemp("example-app")
    with running_example_app(folder, empty_mlflow_store, AGENT_APP_WORDS_PER_SECOND="0") as running:
        yield running


def ask(app: ExampleApp, question: str, **members: Any) -> dict[str, Any]:
    """Ask over JSON and return the answer's object."""
    body = {"input": [{"role": "user", "content": question}], **members}
    response = httpx.post(f"{app.url}/responses", json=body, timeout=30)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def ask_streaming(app: ExampleApp, question: str, **members: Any) -> list[dict[str, Any]]:
    """Ask over SSE and return the events before `[DONE]`."""
    body = {"input": [{"role": "user", "content": question}], "stream": True, **members}
    response = httpx.post(f"{app.url}/responses", json=body, timeout=30)
    frames = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert frames[-1] == "[DONE]"
    return [json.loads(frame) for frame in frames[:-1]]


def text_of(answer: Mapping[str, Any]) -> str:
    """Return the text of a Responses answer."""
    return str(answer["output"][0]["content"][0]["text"])


class TestOverHttp:
    def test_an_answer_in_json(self, app: ExampleApp) -> None:
        """The answer names its sources and its trace, which shows the search and the writing."""
        answer = ask(app, QUESTION)
        assert "It is kept, and delivered later." in text_of(answer)
        citation = answer["output"][0]["content"][0]["annotations"][0]
        assert httpx.get(app.url + citation["url"]).status_code == 200
        trace = app.trace(answer["trace_id"])
        spans = {span.name: span for span in trace.data.spans}
        search, write = spans["search_documentation"], spans["write_answer"]
        assert search.parent_id == write.parent_id == spans["answer"].span_id
        assert search.span_type == SpanType.RETRIEVER
        assert citation["title"] in {found["id"] for found in search.outputs}
        assert write.outputs == text_of(answer)

    def test_an_answer_as_a_stream(self, app: ExampleApp) -> None:
        """The trace and the sources come first, the pieces add up, one `done` ends the stream."""
        events = ask_streaming(app, QUESTION)
        kinds = [event["type"] for event in events]
        assert kinds[:2] == ["response.created", "response.output_text.annotation.added"]
        assert events[0]["response"]["metadata"] == {"trace_id": events[-1]["trace_id"]}
        assert kinds[-2:] == ["response.output_item.done", "done"]
        assert kinds.count("done") == 1
        pieces = [event["delta"] for event in events if "delta" in event]
        assert len(pieces) > 5
        assert "".join(pieces) == events[-2]["item"]["content"][0]["text"]
        trace = app.trace(events[-1]["trace_id"])
        assert trace.info.state == "OK"
        assert {span.name for span in trace.data.spans} == {
            *("answer_stream", "search_documentation", "write_answer")
        }

    def test_a_follow_up_uses_its_session(self, app: ExampleApp) -> None:
        """A question that points back finds what it points to, in its own session only."""
        session = {"custom_inputs": {"session_id": "s-1"}}
        first = ask(app, QUESTION, **session)
        follow_up = ask_streaming(app, "Why is that so?", **session)
        assert NOTHING_FOUND not in follow_up[-2]["item"]["content"][0]["text"]
        assert "away" in self._searched(app, follow_up[-1]["trace_id"])
        elsewhere = ask(app, "Why is that so?", custom_inputs={"session_id": "s-2"})
        assert "away" not in self._searched(app, elsewhere["trace_id"])
        assert app.trace(first["trace_id"]).info.trace_metadata["mlflow.trace.session"] == "s-1"

    @staticmethod
    def _searched(app: ExampleApp, trace_id: str) -> str:
        spans = app.trace(trace_id).data.spans
        (search,) = [span for span in spans if span.name == "search_documentation"]
        return str(search.inputs["about"])

    def test_a_question_about_nothing_known(self, app: ExampleApp) -> None:
        """The agent says so, cites nothing, and the answer still has a trace to rate."""
        answer = ask(app, "zebra?")
        assert text_of(answer).startswith(NOTHING_FOUND)
        assert answer["output"][0]["content"][0]["annotations"] == []
        assert answer["trace_id"]

    def test_the_page_may_load_nothing_from_elsewhere(self, app: ExampleApp) -> None:
        """The page and its files come with a policy that allows this app and no inline code."""
        for path in ("/", "/static/chat.js", "/static/chat.css", "/sources/README.md"):
            response = httpx.get(app.url + path)
            assert response.status_code == 200
            policy = response.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy

    @pytest.mark.parametrize("path", ["pyproject.toml", "../README.md", "docs/../.git/config"])
    def test_only_documents_are_shown(self, app: ExampleApp, path: str) -> None:
        """The address for sources gives the agent's documents and no other file."""
        quoted = path.replace("/", "%2F")
        assert httpx.get(f"{app.url}/sources/{quoted}").status_code == 404

    def test_the_start_prints_the_pages_address_and_mlflows_command(self, app: ExampleApp) -> None:
        """The start prints the page's address, and a command that can be pasted for MLflow's."""
        log = app.log.read_text()
        assert f"rate the answer at {app.url}" in log
        (command,) = re.findall(r"^    (.+ -m mlflow server .+)$", log, re.MULTILINE)
        assert command.endswith(f"--backend-store-uri {app.tracking_uri}")
        program, *rest = shlex.split(command)
        assert subprocess.run([program, *rest, "--help"], stdout=subprocess.DEVNULL).returncode == 0

    def test_the_start_prints_the_reports_command(self, app: ExampleApp) -> None:
        """It can be pasted as it is; without ratings the report says how to get some."""
        (command,) = re.findall(
            r"^    (\S+ \S*agent-feedback report .+)$", app.log.read_text(), re.M
        )
        ask(app, QUESTION)
        printed = subprocess.run(
            command, shell=True, cwd=PROJECT, capture_output=True, text=True, timeout=100
        )
        assert printed.returncode == 0, printed.stderr
        assert "agent-feedback" in printed.stdout


def test_with_a_model(tmp_path: Path, empty_mlflow_store: Path, fake_model: FakeModel) -> None:
    """A model that the environment names writes the answer, on the trace; its errors stay there."""
    with running_example_app(
        tmp_path, empty_mlflow_store, OPENAI_BASE_URL=f"{fake_model.url}/v1", OPENAI_API_KEY="key"
    ) as app:
        *_, item, done = ask_streaming(app, QUESTION)
        assert item["item"]["content"][0]["text"] == "Two lines [1]."
        assert fake_model.keys == ["key"]
        spans = {span.name: span for span in app.trace(done["trace_id"]).data.spans}
        assert spans["write_answer"].span_type == SpanType.CHAT_MODEL

        fake_model.refuses = True
        *_, error, failed = ask_streaming(app, QUESTION)
        assert (error["type"], failed["status"]) == ("error", "error")
        assert "sk-secret" not in json.dumps(error)
        trace = app.trace(failed["trace_id"])
        assert trace.info.state == "ERROR"
        assert "sk-secret" in str(trace.data.spans[0].events)
