"""The checks of the clean rooms: what passes, and what fails."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from tools import clean_rooms
from tools.clean_rooms import Room, check_wheel, declared_environment, package_files
from tools.processes import free_port
from tools.served_app import Failed, ask_and_rate, serving

WHOLE = package_files()
DESCRIPTION = "mlflow_agent_feedback-0.1.0.dist-info/METADATA"


def wheel(folder: Path, *names: str) -> Path:
    """Build an archive with these names in it."""
    path = folder / "a.whl"
    with ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


class TestTheWheel:
    def test_a_whole_one_passes(self, tmp_path: Path) -> None:
        """The package, its static files and its description are all there is."""
        check_wheel(wheel(tmp_path, *WHOLE, DESCRIPTION))

    @pytest.mark.parametrize(
        "missing",
        [
            "agent_feedback/py.typed",
            "agent_feedback/plugin.py",
            "agent_feedback/static/agent-feedback.d.ts",
            "agent_feedback/static/agent-feedback/appearance.js",
        ],
    )
    def test_a_missing_file_is_named(self, tmp_path: Path, missing: str) -> None:
        """Without its types or its component the wheel is refused."""
        with pytest.raises(Failed, match=f"not in a.whl: {missing}$"):
            check_wheel(wheel(tmp_path, *WHOLE - {missing}, DESCRIPTION))

    def test_what_does_not_belong_is_named(self, tmp_path: Path) -> None:
        """Tests and examples are nobody's installation."""
        with pytest.raises(Failed, match="tests"):
            check_wheel(wheel(tmp_path, *WHOLE, DESCRIPTION, "tests/__init__.py"))


class TestAppYaml:
    def test_ours_has_a_stand_in_for_everything(self, tmp_path: Path) -> None:
        """The stores are embedded, the rest is as declared, and the database's name is left out."""
        ours = yaml.safe_load((clean_rooms.PROJECT / "app.yaml").read_text())
        declared = declared_environment(ours, tmp_path)
        assert declared["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/mlflow.db"
        assert declared["AGENT_FEEDBACK_LEDGER_URL"] == f"sqlite:///{tmp_path}/feedback.db"
        assert "LAKEBASE_ENDPOINT" not in declared

    @pytest.mark.parametrize(
        ("entry", "declared"),
        [
            ({"name": "AGENT_FEEDBACK_RATERS", "value": "anyone"}, "anyone"),
            ({"name": "SECRET", "valueFrom": "a-new-resource"}, None),
        ],
    )
    def test_a_new_entry_is_used_or_refused(
        self, tmp_path: Path, entry: dict[str, str], declared: str | None
    ) -> None:
        """A value is taken as it stands; a resource that nothing stands in for is reported."""
        app_yaml: Mapping[str, Any] = {"env": [entry]}
        if declared:
            assert declared_environment(app_yaml, tmp_path) == {entry["name"]: declared}
        else:
            with pytest.raises(Failed, match=r"SECRET.*a-new-resource"):
                declared_environment(app_yaml, tmp_path)


class TestVerdict:
    @pytest.mark.parametrize(
        ("why", "code", "line"),
        [(None, 0, "2 passed, 0 failed"), ("no httpx", 1, "1 passed, 1 failed")],
    )
    def test_one_failure_fails_all_and_the_others_still_run(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        why: str | None,
        code: int,
        line: str,
    ) -> None:
        """The last line counts, the one before says how long it took, and `make` fails."""

        def first() -> None:
            if why:
                raise Failed(why)

        monkeypatch.setattr(
            clean_rooms, "_checks", lambda folder: {"first": first, "second": lambda: None}
        )
        assert clean_rooms.main() == code
        *_, second, total, last = capsys.readouterr().out.splitlines()
        assert second.startswith("second: passed")
        assert total.endswith(" s of 360 s")
        assert last == line

    def test_a_command_that_fails_is_a_failure(self, tmp_path: Path) -> None:
        """Its own words are in the verdict; a code that was expected is none."""
        room = Room(Path(sys.executable), tmp_path)
        failing = ["python", "-c", "raise SystemExit('no httpx')"]
        with pytest.raises(Failed, match="no httpx"):
            room.run(*failing)
        assert "no httpx" in room.run(*failing, code=1)

    def test_the_environment_leads_to_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the checks inherit cannot stand in for what a wheel forgot to require."""
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        inside = Room(tmp_path / "bin" / "python", tmp_path).environment()
        assert not {"PYTHONPATH", "MLFLOW_TRACKING_URI"} & inside.keys()
        assert inside["PATH"] == f"{tmp_path}/bin:{os.defpath}"


class TestServedApp:
    def serve(self, folder: Path, answers: Mapping[str, str]) -> Any:
        """Run a FAKE app that answers each path with this JSON."""
        program = (
            "import http.server, sys\n"
            f"answers = {dict(answers)!r}\n"
            "class Handler(http.server.BaseHTTPRequestHandler):\n"
            "    def do_GET(self):\n"
            "        body = answers[self.path.split('?')[0]].encode()\n"
            "        self.send_response(200); self.end_headers(); self.wfile.write(body)\n"
            "    do_POST = do_GET\n"
            "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
        )
        port = free_port()
        return serving([sys.executable, "-c", program, str(port)], folder, {}, port)

    @pytest.mark.parametrize(
        ("mine", "undeliverable", "why"),
        [
            ('[{"value": true}]', 0, None),
            ("[]", 0, "reads back as"),
            ('[{"value": true}]', 1, "MLflow refused"),
        ],
    )
    def test_a_rating_must_arrive(
        self, tmp_path: Path, mine: str, undeliverable: int, why: str | None
    ) -> None:
        """It reads back, and MLflow took it: otherwise the room fails."""
        answers = {
            "/invocations": '{"trace_id": "tr-1"}',
            "/feedback": mine,
            "/feedback/settings": "{}",
            "/feedback/status": f'{{"pending": 0, "undeliverable": {undeliverable}}}',
        }
        with self.serve(tmp_path, answers) as app:
            if why is None:
                ask_and_rate(app, "/invocations", {})
            else:
                with pytest.raises(Failed, match=why):
                    ask_and_rate(app, "/invocations", {})

    def test_an_app_that_ends_says_why(self, tmp_path: Path) -> None:
        """Its log is in the verdict."""
        command = [sys.executable, "-c", "raise SystemExit('no uvicorn')"]
        with (
            pytest.raises(Failed, match="no uvicorn"),
            serving(command, tmp_path, {}, free_port()),
        ):
            raise AssertionError("it did not start")


@pytest.mark.parametrize(
    ("target", "extras"),
    [("run", {".[example]"}), ("test", {".[example]", ".[postgres,example,test]"})],
)
def test_make_installs_what_is_asked_for(tmp_path: Path, target: str, extras: set[str]) -> None:
    """Who runs the example waits for what it needs; the tests' own needs come with the tests."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((clean_rooms.PROJECT / name).read_text())
    command = ["make", "--dry-run", target]
    planned = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    words = planned.stdout.replace("'", " ").split()
    assert {word for word in words if word.startswith(".[")} == extras
    assert planned.stdout.count("MB") == len(extras)
