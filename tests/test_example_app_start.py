"""How the example app starts and ends, and MLflow's own pages beside it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn

from examples.agent_app.__main__ import AnnouncingServer
from examples.agent_app.environment import PROJECT, read_address, take_port
from examples.agent_app.mlflow_pages import MlflowPages, free_port, port_to_try
from tests.support.example_app import ExampleApp, running_example_app
from tests.support.waiting import until
from tools import processes

VARIABLE = "AGENT_APP_MLFLOW_PAGES"
# A busy machine starts MLflow's server in a minute and more.
PATIENCE_SECONDS = 100.0
RUN_AND_SAY_WHAT_WAS_IMPORTED = """
import runpy, sys
try:
    runpy.run_module("examples.agent_app", run_name="__main__")
finally:
    print("mlflow" in sys.modules)
"""


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


def wait_until(holds: Callable[[], object]) -> None:
    """Wait for it; what never comes is a failure."""
    until(holds, "it did not come", within=PATIENCE_SECONDS)


class TestPort:
    def test_a_taken_port_ends_the_start_with_what_to_do(
        self, taken_port: int, tmp_path: Path
    ) -> None:
        """One sentence, no traceback, a failure for `make`, and before MLflow is imported."""
        done = subprocess.run(
            [sys.executable, "-c", RUN_AND_SAY_WHAT_WAS_IMPORTED],
            env=os.environ | {"PORT": str(taken_port), "AGENT_APP_HOME": str(tmp_path / "home")},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        (sentence,) = done.stderr.splitlines()
        assert f"Port {taken_port} is in use" in sentence
        assert f"`PORT={taken_port % 65_535 + 1} make run`" in sentence
        assert done.stdout == "False\n"
        assert not (tmp_path / "home").exists()

    def test_the_last_port_suggests_one_that_exists(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """After 65535 comes 1; a port that may not be opened is no reason for a traceback."""

        def refuse(address: object) -> socket.socket:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket, "create_server", refuse)
        with pytest.raises(SystemExit, match=r"Port 80 .*Permission denied.*`PORT=8000 make run`"):
            take_port(read_address({"PORT": "80"}))


class TestWhetherThereArePages:
    @pytest.mark.parametrize(
        ("environ", "port"),
        [
            ({}, 5000),
            ({VARIABLE: ""}, 5000),
            ({VARIABLE: "5001"}, 5001),
            ({VARIABLE: "off"}, None),
            ({"DATABRICKS_APP_PORT": "8000"}, None),
            ({"DATABRICKS_APP_PORT": "8000", VARIABLE: "5001"}, None),
            ({"AGENT_APP_MLFLOW_UI": "https://mlflow.example.com"}, None),
        ],
    )
    def test_the_environment_decides(self, environ: dict[str, str], port: int | None) -> None:
        """They come by themselves, unless nobody could reach them or they are elsewhere."""
        assert port_to_try(environ) == port

    @pytest.mark.parametrize("value", ["on", "0", "70000"])
    def test_what_is_neither_is_refused_in_a_sentence(self, value: str) -> None:
        """A slip ends the start instead of being guessed at."""
        with pytest.raises(SystemExit, match=f"{VARIABLE}.*'{value}'"):
            port_to_try({VARIABLE: value})

    def test_a_taken_port_is_left_to_who_has_it(self, taken_port: int) -> None:
        """The pages go to another port then, and to the usual one when it is free."""
        assert free_port(taken_port) not in (taken_port, 0)
        free = processes.free_port()
        assert free_port(free) == free

    async def test_the_app_answers_before_they_start(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Starting them takes seconds: the app is open, and has printed its address."""
        seen: list[tuple[bool, str]] = []

        class Pages(MlflowPages):
            def __init__(self) -> None:
                pass

            def start(self) -> None:
                seen.append((server.started, capsys.readouterr().out))

        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("nobody asks")

        config = uvicorn.Config(app, port=0, lifespan="off", log_config=None)
        config.load()
        server = AnnouncingServer(config, "open", Pages())
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        await server.shutdown()
        assert seen == [(True, "open\n")]


@pytest.fixture
def app(tmp_path: Path, empty_mlflow_store: Path, taken_port: int) -> Iterator[ExampleApp]:
    """Run the example app as `make run` does, where another program has MLflow's port."""
    pages = {VARIABLE: str(taken_port)}
    with running_example_app(tmp_path, empty_mlflow_store, **pages) as running:
        yield running


class TestPagesBesideTheApp:
    @pytest.mark.timeout(300)
    def test_they_show_the_store_and_end_with_the_app_however_it_ends(
        self, app: ExampleApp, taken_port: int
    ) -> None:
        """The links lead to them, they listen on this machine only, and SIGKILL leaves nothing."""
        about = httpx.get(f"{app.url}/about").json()
        assert about["trace_page"] is None
        assert "with their ratings, are at http" in app.printed("with their ratings, are at http")
        wait_until(lambda: httpx.get(f"{app.url}/about", timeout=30).json()["trace_page"])
        trace_page = httpx.get(f"{app.url}/about", timeout=30).json()["trace_page"]
        url = trace_page.split("/#/")[0]
        assert f"are at {url}/#/experiments/" in app.log.read_text()
        assert url.startswith("http://127.0.0.1:")
        assert not url.endswith(f":{taken_port}")
        assert "<title>MLflow" in httpx.get(url).text

        beside = psutil.Process(app.process.pid).children(recursive=True)
        listening = [
            at.laddr.ip
            for process in beside
            for at in process.net_connections("inet")
            if at.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}

        (keeper,) = psutil.Process(app.process.pid).children()
        for number in (signal.SIGINT, signal.SIGTERM):  # meant for the app: `pkill -f agent_app`
            keeper.send_signal(number)
        app.process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, beside)))

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)]
    )
    def test_a_stop_while_they_start_leaves_nothing(
        self, app: ExampleApp, number: signal.Signals, code: int
    ) -> None:
        """Ctrl-C is a clean end without a traceback; SIGTERM ends both, whatever is under way."""
        wait_until(lambda: psutil.Process(app.process.pid).children())
        beside = psutil.Process(app.process.pid).children(recursive=True)
        app.process.send_signal(number)
        assert app.process.wait(PATIENCE_SECONDS) == code
        assert "Traceback" not in app.log.read_text()
        wait_until(lambda: not any(map(is_alive, beside)))


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie only waits for somebody to notice."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
