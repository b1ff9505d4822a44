"""Agents in processes of their own, under uvicorn's command line, to be stopped and killed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.agent.hosting import Host
from tests.support.mlflow_store import Tracking
from tests.support.processes import answers, wait_until_started
from tools.processes import free_port

SLOW_AGENT = "tests.agent.slow_agent:app"
SLOW_AGENT_INSIDE = "tests.agent.slow_agent:outer"
Run = Callable[..., "AgentProcess"]


class AgentProcess:
    """A running agent: the process, what it logs, and the host that it serves.

    Args:
        process: The server's.
        host: Where it answers.
        log: What it and its server log.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", host: Host, log: Path) -> None:
        self.process = process
        self.host = host
        self.log = log


@contextmanager
def running_agent(
    tracking: Tracking,
    folder: Path,
    *arguments: str,
    app: str = SLOW_AGENT,
    path: str = "",
    variables: Mapping[str, str] | None = None,
) -> Iterator[AgentProcess]:
    """Run an agent, and kill it at the end if it still runs.

    Args:
        tracking: Where its traces go.
        folder: Where its ledger lies, which outlives the process.
        arguments: More of uvicorn's.
        app: What to serve.
        path: Where the agent lives in it.
        variables: More of the environment.
    """
    port, log = free_port(), folder / "log"
    environment = {
        "MLFLOW_TRACKING_URI": tracking.uri,
        "MLFLOW_EXPERIMENT_ID": tracking.experiment_id,
        "AGENT_FEEDBACK_LEDGER_URL": f"sqlite:///{folder}/ledger.db",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", app, "--port", str(port), *arguments],
            env=os.environ | environment | dict(variables or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        host = Host(f"http://127.0.0.1:{port}{path}", tracking)
        settings = f"{host.url}/feedback/settings"
        wait_until_started(partial(answers, settings), log, process, "the agent")
        yield AgentProcess(process, host, log)
    finally:
        process.kill()
        process.wait()
