"""What the example app's server does for its page: documents to read, the way to MLflow."""

import os
from pathlib import Path

import mlflow
import pytest

from examples.agent_app.documents import DocumentPages
from examples.agent_app.mlflow_ui import MlflowUi
from tests.support.fake_workspace import FakeWorkspace
from tests.support.mlflow_store import MlflowServer, tracking_at
from tools.processes import free_port

PAGE = "traces?selectedEvaluationId={trace_id}"


class TestDocumentPages:
    PAGES = DocumentPages({"README.md", "docs/http.md"})

    def test_headings_can_be_linked_to(self) -> None:
        """A heading's name is GitHub's, so that the documents' own links work here as there."""
        page = self.PAGES.page("README.md", "# Why not `log_feedback`?\n\n[See](#why-not)\n")
        assert '<h1 id="why-not-log_feedback">' in page
        assert '<a href="#why-not">' in page

    @pytest.mark.parametrize(
        ("written", "shown"),
        [
            ("[http](http.md)", '<a href="/sources/docs/http.md">http</a>'),
            ("[top](../README.md#adopt)", '<a href="/sources/README.md#adopt">top</a>'),
            ("[out](https://mlflow.org/)", '<a href="https://mlflow.org/">out</a>'),
            ("[code](../agent.py) ends", "<p>code ends</p>"),
            ("[up](../../../etc/passwd)", "<p>up</p>"),
            ("[bad](javascript:alert(1))", "<p>[bad](javascript:alert(1))</p>"),
            ("![a picture](images/chat.png)x", "<p>x</p>"),
            ('<picture>\n<img src="x" alt="y">\n</picture>z', "<p>z</p>"),
            ("<script>x</script>", "&lt;script&gt;"),
            ("a <!-- hidden --> b", "<p>a  b</p>"),
        ],
    )
    def test_links_lead_to_pages_or_nowhere(self, written: str, shown: str) -> None:
        """Links between documents lead to their pages, others out; the rest is words."""
        page = self.PAGES.page("docs/python.md", written)
        assert shown in page
        assert "<script" not in page
        assert "hidden" not in page


class TestMlflowUi:
    async def test_what_the_environment_says_is_believed(self) -> None:
        """Browsers may reach MLflow by another name than the app: nobody is asked."""
        ui = MlflowUi(
            {
                "MLFLOW_EXPERIMENT_ID": "7",
                "MLFLOW_TRACKING_URI": "http://mlflow:5000",
                "AGENT_APP_MLFLOW_UI": "https://mlflow.example.com/",
            }
        )
        assert await ui.trace_page() == f"https://mlflow.example.com/#/experiments/7/{PAGE}"

    async def test_a_workspace_has_pages(
        self, fake_workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On Databricks the traces are in the workspace."""
        monkeypatch.setenv("DATABRICKS_HOST", fake_workspace.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", "token")
        ui = MlflowUi({"MLFLOW_EXPERIMENT_ID": "7", "MLFLOW_TRACKING_URI": "databricks"})
        assert await ui.trace_page() == f"{fake_workspace.url}/ml/experiments/7/{PAGE}"
        app = {"DATABRICKS_HOST": "adb-1.example.com", "MLFLOW_TRACKING_URI": "databricks"}
        ui = MlflowUi(app | {"MLFLOW_EXPERIMENT_ID": "7"})
        assert await ui.trace_page() == f"https://adb-1.example.com/ml/experiments/7/{PAGE}"

    async def test_without_an_experiment_there_is_no_page(self) -> None:
        """Where nothing says which experiment has the traces, there is nothing to lead to."""
        assert await MlflowUi({"AGENT_APP_MLFLOW_UI": "http://127.0.0.1:1"}).trace_page() is None

    async def test_a_tracking_server_has_pages_while_it_answers(
        self, mlflow_server: MlflowServer
    ) -> None:
        """The tracking server shows its traces itself; one that does not answer shows nothing."""
        environ = {"MLFLOW_EXPERIMENT_ID": "7", "MLFLOW_TRACKING_URI": f"{mlflow_server.url}/"}
        page = f"{mlflow_server.url}/#/experiments/7/{PAGE}"
        assert await MlflowUi(environ).trace_page() == page
        away = environ | {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
        assert await MlflowUi(away).trace_page() is None

    async def test_a_slow_server_is_not_away(self, own_mlflow_server: MlflowServer) -> None:
        """The links stay while MLflow takes its time, and go when it is gone."""
        own_mlflow_server.start()
        environ = {"MLFLOW_EXPERIMENT_ID": "7", "MLFLOW_TRACKING_URI": own_mlflow_server.url}
        ui = MlflowUi(environ, cache_seconds=0)
        page = await ui.trace_page()
        assert page is not None
        own_mlflow_server.freeze()
        assert await ui.trace_page() == page
        own_mlflow_server.thaw()
        own_mlflow_server.stop()
        assert await ui.trace_page() is None

    async def test_an_embedded_store_has_pages_where_a_server_shows_it(
        self, tmp_path: Path, empty_mlflow_store: Path, own_mlflow_server: MlflowServer
    ) -> None:
        """The server that the start suggests is believed when it shows the very same store."""
        own_mlflow_server.start()
        with tracking_at(f"sqlite:///{tmp_path}/mlflow.db") as same:
            ui = MlflowUi(os.environ, own_mlflow_server.url)
            page = f"{own_mlflow_server.url}/#/experiments/{same.experiment_id}/{PAGE}"
            assert os.environ["MLFLOW_EXPERIMENT_ID"] == same.experiment_id
            assert await ui.trace_page() == page
        with tracking_at(f"sqlite:///{empty_mlflow_store}"):
            other = mlflow.set_experiment("elsewhere").experiment_id
            assert await MlflowUi(os.environ, own_mlflow_server.url).trace_page() is None
            nobody = f"http://127.0.0.1:{free_port()}"
            environ = {"MLFLOW_EXPERIMENT_ID": other, "MLFLOW_TRACKING_URI": "sqlite:///x"}
            assert await MlflowUi(environ, nobody).trace_page() is None
