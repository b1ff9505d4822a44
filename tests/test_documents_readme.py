"""README.md, followed to the letter: its agent is served, asked, and rated, and MLflow is read."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.adopter import Adopter, running_adopter
from tests.support.documents import PROJECT, Command, blocks, commands, run_curl, says
from tests.support.waiting import until


@pytest.fixture(scope="module")
def adopter(
    tmp_path_factory: pytest.TempPathFactory, empty_mlflow_store: Path
) -> Iterator[Adopter]:
    """Write the README's files into an empty folder and start them by the README's command."""
    folder = tmp_path_factory.mktemp("adopter")
    (start,) = (each.line for each in commands("README.md") if each.line.startswith("uvicorn"))
    with running_adopter(folder, empty_mlflow_store, server="README.md", start=start) as running:
        yield running


def test_from_a_question_to_its_assessment(adopter: Adopter) -> None:
    """Every command of the README, in its order, shows what the README shows."""
    for command in commands("README.md"):
        if command.line.startswith("uvicorn"):
            continue  # it runs
        real = run(command, adopter)
        assert says(command.shown, real), f"{command.line}\nsays\n{real}\nand not\n{command.shown}"


def run(command: Command, adopter: Adopter) -> str:
    """Run one of the README's commands against the adopter's server and folder."""
    if command.line.startswith("curl"):
        return run_curl(command.line, adopter.address)
    program = [sys.executable, "-"]
    if command.line.startswith("agent-feedback"):
        program = [str(Path(sys.executable).with_name("agent-feedback")), *command.line.split()[1:]]
    else:
        assert command.line.startswith("python - <<")
    wait_until_delivered(adopter)
    done = subprocess.run(
        program,
        input=command.typed,
        cwd=adopter.folder,
        env=adopter.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_delivered(adopter: Adopter) -> None:
    """Wait for what the README calls "some seconds"."""
    status = f"http://{adopter.address}/feedback/status"
    until(
        lambda: httpx.get(status).json()["pending"] == 0,
        "a rating did not reach MLflow",
        within=60,
    )


def test_the_ledger_lies_where_the_readme_says(adopter: Adopter) -> None:
    """Without a setting it is a file in the folder where the app was started."""
    assert "the file `agent_feedback.db` in the folder" in (PROJECT / "README.md").read_text()
    assert (adopter.folder / "agent_feedback.db").is_file()


def test_the_six_edits_are_numbered() -> None:
    """The two files mark six edits, four in one and two in the other, as the text counts them."""
    files = [each.text for each in blocks("README.md") if each.language == "python"]
    marks = [re.findall(r"# (\d)\. ", text) for text in files]
    assert marks == [["1", "2", "3", "4"], ["5", "6"]]
