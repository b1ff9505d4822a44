"""The parts of the example app, each by itself."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mlflow.types.responses import ResponsesAgentRequest

from examples.agent_app.conversation import read_conversation, session_of
from examples.agent_app.environment import PROJECT, read_address, set_defaults
from examples.agent_app.extract import NOTHING_FOUND, compose
from examples.agent_app.model_writer import (
    writer_from_environment,
)
from examples.agent_app.page import STATIC
from examples.agent_app.passages import Passage, load_passages, split_markdown
from examples.agent_app.questions import context_of
from examples.agent_app.search import Hit, Search
from examples.agent_app.sentences import sentences
from examples.agent_app.sessions import PastTurn, Sessions
from examples.agent_app.tracking import where_to_look
from examples.agent_app.wording import terms
from examples.agent_app.writers import ExtractingWriter, Writer
from tests.support.fake_model import FakeModel, running_fake_model

LEDGER = Passage(
    "docs/ledger.md",
    ("Inside", "The ledger"),
    "Ratings wait in the ledger. It is a database. Nothing is ever lost.\n\n"
    "```sh\nsqlite3 feedback.db\n```\n",
)
WIDGET = Passage("docs/widget.md", ("The widget",), "Thumbs are two buttons on the page.")
SUGGESTED = re.findall(r"<li><button[^>]*>(.+?)</button>", (STATIC / "index.html").read_text())


class TestPassages:
    def test_a_document_is_cut_at_its_headings(self) -> None:
        """Each section is a passage that knows its trail; empty ones and images are left out."""
        found = split_markdown(
            "a.md", "intro\n# Title\n## `One` part\nfirst\n## Two\n![x](y.png)\n### Deep\nthird\n"
        )
        assert [(passage.headings, passage.text) for passage in found] == [
            ((), "intro"),
            (("Title", "One part"), "first"),
            (("Title", "Two", "Deep"), "third"),
        ]
        assert (found[-1].title, found[-1].page) == ("Deep (a.md)", "/sources/a.md#deep")

    def test_a_comment_in_code_is_no_heading(self) -> None:
        """A line of a shell example that starts with # stays in its passage."""
        (passage,) = split_markdown("a.md", "# Run\n```sh\n# start it\nmake run\n```\n")
        assert "# start it" in passage.text

    def test_the_projects_own_documents_are_found(self) -> None:
        """The agent knows this repository's README and what stands in `docs`."""
        sources = {passage.source for passage in load_passages(PROJECT)}
        assert {"README.md", "docs/http.md", "docs/questions.md"} <= sources


class TestSearch:
    @pytest.mark.parametrize(
        ("question", "expected"),
        [
            ("where do ratings wait?", LEDGER),
            ("Which database is it", LEDGER),
            ("a thumb on a page", WIDGET),
            ("feedback db", LEDGER),
        ],
    )
    def test_the_right_passage_comes_first(self, question: str, expected: Passage) -> None:
        """Words are matched in any form, in text, headings and code."""
        assert Search([WIDGET, LEDGER]).find(question)[0].passage == expected

    @pytest.mark.parametrize("question", ["", "the of and", "zebra"])
    def test_nothing_is_found_without_a_common_word(self, question: str) -> None:
        """A question that shares no word with the passages finds none of them."""
        assert Search([WIDGET, LEDGER]).find(question) == []

    def test_a_questions_own_words_count_more(self) -> None:
        """What a question is about helps to find a passage, and does not drown what it asks."""
        search = Search([WIDGET, LEDGER])
        assert search.find("why?", about="a thumb on a page")[0].passage == WIDGET
        assert search.find("is it a database?", about="a thumb")[0].passage == LEDGER

    def test_an_empty_index_finds_nothing(self) -> None:
        """An index over nothing answers every question with nothing."""
        assert Search([]).find("ratings") == []

    def test_real_passages_are_found_by_their_headings(self) -> None:
        """Asked in the words of its heading, a section of the real documents is found."""
        passages = [passage for passage in load_passages(PROJECT) if passage.headings]
        search = Search(passages)
        found = [
            passage in [hit.passage for hit in search.find(" ".join(passage.headings), limit=3)]
            for passage in passages
        ]
        assert sum(found) >= 0.9 * len(passages)

    @pytest.mark.parametrize("question", SUGGESTED)
    def test_what_the_page_suggests_has_an_answer(self, question: str) -> None:
        """Each question that the page suggests finds the answer that was written for it."""
        best = Search(load_passages(PROJECT)).find(question)[0].passage
        assert best.source == "docs/questions.md"
        assert len(set(terms(question)) & set(terms(best.headings[-1]))) > 1


def long(text: str) -> Passage:
    """Make a passage that is too long to be quoted whole."""
    return Passage("a.md", (), f"{text}\n\n{'Padding is here. ' * 40}")


class TestExtract:
    def test_a_short_passage_is_quoted_whole(self) -> None:
        """Text and code stay together, in order, and the passage is cited by its number."""
        assert compose("How do I read it?", [Hit(LEDGER, 1.0), Hit(WIDGET, 1.0)]) == (
            "Ratings wait in the ledger. It is a database. Nothing is ever lost. [1]\n\n"
            "```sh\nsqlite3 feedback.db\n```\n\n"
            "Thumbs are two buttons on the page. [2]"
        )

    def test_from_a_long_passage_the_fitting_sentence_is_quoted(self) -> None:
        """What shares most words with the question is quoted, but code only if it was asked for."""
        text = compose("What is never lost?", [Hit(long(LEDGER.text), 1.0)])
        assert text == "Nothing is ever lost. [1]"

    def test_a_question_how_gets_the_code(self) -> None:
        """Who asks how to do something gets the passage's example with it."""
        text = compose("How do I read the feedback?", [Hit(long(LEDGER.text), 1.0)])
        assert "sqlite3 feedback.db" in text

    def test_it_tells_that_nothing_was_found(self) -> None:
        """Without a passage the agent says that it knows nothing of it."""
        assert compose("Why?", []) == NOTHING_FOUND

    def test_lists_and_tables_are_one_sentence_a_line(self) -> None:
        """An item or a row is quoted whole; a table's first two lines are no row."""
        markdown = (
            "Start. Then end.\n\n- one. Really.\n- two\n\n| a | b |\n| --- | --- |\n| c | d |"
        )
        assert sentences(markdown) == [
            *("Start.", "Then end.", "- one. Really.", "- two", "| c | d |")
        ]

    def test_only_what_fits_is_quoted(self) -> None:
        """Sentences that fit far worse than the best one stay out, items stay a list."""
        text = (
            "Dogs bark. The cat sleeps all day.\n\n- A cat may sleep on a day off.\n- Birds sing."
        )
        quoted = compose("Does the cat sleep all day?", [Hit(long(text), 1.0)])
        assert quoted == "The cat sleeps all day. [1]\n\n- A cat may sleep on a day off."

    def test_a_row_brings_its_columns_names(self) -> None:
        """A row of a table is quoted as a table, and the citation stands outside of it."""
        table = "| pet | sound |\n|---|---|\n| dog | barks |\n| [cat](cat.md) | purrs |"
        quoted = compose("What sound does a cat make?", [Hit(long(table), 1.0)])
        assert quoted == "| pet | sound |\n|---|---|\n| cat | purrs |\n\n[1]"


class TestQuestions:
    @pytest.mark.parametrize(
        ("question", "is_follow_up"),
        [
            ("Can I undo it?", True),
            ("And on Databricks?", True),
            ("Why?", True),
            ("Which settings does the ledger have?", False),
        ],
    )
    def test_a_follow_up_takes_the_words_of_the_question_before(
        self, question: str, is_follow_up: bool
    ) -> None:
        """A question that points back is about the one that it points to."""
        before = ["What is a trace?", "What is a rating?"]
        assert context_of(question, before) == (before[-1] if is_follow_up else "")

    def test_a_first_question_stands_alone(self) -> None:
        """There is nothing to point back to at the start."""
        assert context_of("Why is it so?", []) == ""


class TestSessions:
    def test_each_session_has_its_own_memory(self) -> None:
        """The conversation of one session is not known in another, nor without any."""
        sessions = Sessions()
        sessions.remember("one", PastTurn("q", "a"))
        sessions.remember(None, PastTurn("lost", ""))
        assert sessions.recent("one") == (PastTurn("q", "a"),)
        assert sessions.recent("two") == sessions.recent(None) == ()

    def test_memory_is_bounded(self) -> None:
        """The oldest exchange of a session and the session used longest ago are forgotten."""
        sessions = Sessions(max_sessions=2, max_turns=2)
        for session in ("old", "kept", "old", "new"):
            sessions.remember(session, PastTurn(session, ""))
        for number in range(3):
            sessions.remember("new", PastTurn(str(number), ""))
        assert sessions.recent("kept") == ()
        assert [exchange.question for exchange in sessions.recent("new")] == ["1", "2"]
        assert len(sessions.recent("old")) == 2


class TestConversation:
    def test_the_last_question_and_what_came_before(self) -> None:
        """A client that sends the whole conversation is understood; parts of text are joined."""
        messages = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "First?"},
            {"role": "assistant", "content": "Yes."},
            {"role": "user", "content": [{"type": "input_text", "text": "Second?"}]},
        ]
        request = ResponsesAgentRequest.model_validate({"input": messages})
        conversation = read_conversation(request)
        assert conversation.question == "Second?"
        assert conversation.earlier == (PastTurn("First?", "Yes."),)

    def test_no_question(self) -> None:
        """A request without a message of the person has an empty question."""
        assert read_conversation(ResponsesAgentRequest(input=[])).question == ""

    @pytest.mark.parametrize(
        ("members", "session"),
        [
            ({"context": {"conversation_id": "c"}, "custom_inputs": {"session_id": "s"}}, "c"),
            ({"custom_inputs": {"session_id": "s", "thread_id": "t"}}, "s"),
            ({"custom_inputs": {"thread_id": "t"}}, "t"),
            ({"custom_inputs": {"session_id": 7}}, None),
            ({}, None),
        ],
    )
    def test_session(self, members: Mapping[str, Any], session: str | None) -> None:
        """The session is read where clients put it; what is no string is none."""
        assert session_of(ResponsesAgentRequest(input=[], **members)) == session


class TestEnvironment:
    def test_stores_are_embedded_by_default(self, tmp_path: Path) -> None:
        """Without settings the stores are SQLite files in the app's folder, which git ignores."""
        environ = {"AGENT_APP_HOME": str(tmp_path / "home")}
        artifacts = set_defaults(environ)
        assert environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/home/mlflow.db"
        assert environ["AGENT_FEEDBACK_LEDGER_URL"] == f"sqlite:///{tmp_path}/home/feedback.db"
        assert artifacts == (tmp_path / "home" / "artifacts").as_uri()
        assert (tmp_path / "home" / ".gitignore").read_text() == "*\n"

    def test_what_is_set_stays(self, tmp_path: Path) -> None:
        """Stores that the environment names are used, and no folder is made."""
        environ = {
            "AGENT_APP_HOME": str(tmp_path / "home"),
            "MLFLOW_TRACKING_URI": "databricks",
            "AGENT_FEEDBACK_LEDGER_URL": "postgresql+psycopg://",
        }
        assert set_defaults(environ) is None
        assert environ["MLFLOW_TRACKING_URI"] == "databricks"
        assert not (tmp_path / "home").exists()

    @pytest.mark.parametrize(
        ("environ", "host", "url"),
        [
            ({}, "127.0.0.1", "http://127.0.0.1:8000"),
            ({"PORT": "8010"}, "127.0.0.1", "http://127.0.0.1:8010"),
            ({"DATABRICKS_APP_PORT": "8001", "PORT": "1"}, "0.0.0.0", "http://localhost:8001"),
        ],
    )
    def test_address(self, environ: dict[str, str], host: str, url: str) -> None:
        """Only Databricks Apps is served beyond this machine."""
        address = read_address(environ)
        assert (address.host, address.url) == (host, url)

    @pytest.mark.parametrize("port", ["http", "0", "70000", "-1"])
    def test_a_bad_port_is_refused_in_a_sentence(self, port: str) -> None:
        """What is no port ends the start with its name."""
        with pytest.raises(SystemExit, match=port):
            read_address({"PORT": port})

    @pytest.mark.parametrize(
        ("uri", "expected"),
        [
            ("sqlite:////x y/m.db", "--backend-store-uri 'sqlite:////x y/m.db'"),
            ("sqlite:////m.db", f"{sys.executable} -m mlflow server --host 127.0.0.1 --port 5000"),
            ("http://mlflow:5000/", "http://mlflow:5000/#/experiments/7/traces"),
            ("databricks", "workspace"),
        ],
    )
    def test_where_to_look(self, uri: str, expected: str) -> None:
        """The person is told how to see the traces, in words that can be pasted."""
        assert expected in "\n".join(where_to_look(uri, "7"))


@pytest.fixture
def fake_model() -> Iterator[FakeModel]:
    """Serve a FAKE language model."""
    with running_fake_model() as model:
        yield model


async def written(writer: Writer, *, earlier: tuple[PastTurn, ...] = ()) -> str:
    """Let the writer answer from the passage about the ledger."""
    hits = writer.choose([Hit(LEDGER, 2.0), Hit(WIDGET, 0.1)])
    return "".join([piece async for piece in writer.write("Where?", hits, earlier)])


class TestWriters:
    async def test_the_extracting_writer_quotes_what_fits(self) -> None:
        """Without a model the words of the best passage come, piece by piece, and no others."""
        text = await written(ExtractingWriter(words_per_second=0))
        assert "Ratings wait in the ledger." in text
        assert "Thumbs" not in text

    async def test_the_model_gets_the_passages_and_the_session(self, fake_model: FakeModel) -> None:
        """A model server on one's own machine needs an address and no key."""
        writer = writer_from_environment(
            {"OPENAI_BASE_URL": f"{fake_model.url}/v1", "OPENAI_MODEL": "small"}
        )
        assert writer.description == f"small at {fake_model.url}/v1"
        assert await written(writer, earlier=(PastTurn("Who?", "You."),)) == "Two lines [1]."
        (request,) = fake_model.requests
        assert request["model"] == "small"
        roles = [message["role"] for message in request["messages"]]
        assert roles == ["system", "user", "assistant", "user"]
        last = request["messages"][-1]["content"]
        assert "[1] The ledger (docs/ledger.md)" in last
        assert "[2] The widget (docs/widget.md)" in last
        assert last.endswith("Question: Where?")

    async def test_a_databricks_endpoint_is_asked_as_the_app(
        self, fake_model: FakeModel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The endpoint is the model's name, and the workspace's credentials sign the request."""
        monkeypatch.setenv("DATABRICKS_HOST", fake_model.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", "app-token")
        writer = writer_from_environment(
            {"DATABRICKS_MODEL_ENDPOINT": "chat", "OPENAI_API_KEY": "not this one"}
        )
        assert await written(writer) == "Two lines [1]."
        assert fake_model.requests[0]["model"] == "chat"
        assert fake_model.keys == ["app-token"]

    def test_no_model_is_needed(self) -> None:
        """With nothing set the agent writes itself."""
        assert isinstance(writer_from_environment({}), ExtractingWriter)
