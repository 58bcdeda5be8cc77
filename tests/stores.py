"""The databases of tests: files of SQLite, and a PostgreSQL server of the test run's own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

DEADLINE_S = 30
_EMPTY = """
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
    FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
); END $$;
"""
_COUNT = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
_ROOM = 4 << 30
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",  # nobody needs the data after the run
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # in its folder, which goes with it
    "max_connections": "60",
    "max_wal_size": "256MB",
}


class Postgres:
    """A server on a Unix socket in a temporary folder. It can be stopped and started again; entering starts it."""

    def __init__(self) -> None:
        # Not in the test's own folder: the server runs as a user who could not enter it. In memory where there is room:
        # a database is a thousand files.
        self.folder = Path(tempfile.mkdtemp(prefix="tertulia-postgres-", dir=_memory()))
        self._user = _unprivileged()
        self._programs = _programs()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._names = itertools.count(1)
        self._idle: list[str] = []
        self._tables: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        made = subprocess.run(
            [
                *(self._programs / "initdb", "-D", self.folder / "data", "-U", "tertulia"),
                *("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            user=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert made.returncode == 0, made.stderr
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGQUIT)  # at once: nobody needs what it would still write
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the server; on return it takes connections."""
        assert self._process is None, "it runs already"
        options = {**_OPTIONS, "unix_socket_directories": str(self.folder)}
        # Should the test run be killed, the server goes with it.
        command = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        command += [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        process = subprocess.Popen(
            command, user=self._user, cwd=self.folder, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert process.stderr is not None
        self._process, ready = process, threading.Event()
        said: list[str] = []
        self._reader = threading.Thread(target=_listen, args=(process.stderr, said, ready), daemon=True)
        self._reader.start()
        assert ready.wait(DEADLINE_S), "\n".join(said)
        assert process.poll() is None, "\n".join(said)

    def stop(self) -> None:
        """Stop the server and cut its connections, as a restart does."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            process.wait()
            assert self._reader is not None
            self._reader.join()
            assert process.stderr is not None
            process.stderr.close()

    def url(self, name: str) -> str:
        """Return the address of a database, as the setting `store.url` takes it."""
        return f"postgresql://tertulia@/{name}?host={self.folder}"

    def make_database(self, template: str | None = None) -> str:
        """Make a new database, empty or a copy of another that nobody uses; return its name."""
        name = f"test_{next(self._names)}"
        self.run(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    @contextmanager
    def lend_database(self, template: str) -> Iterator[str]:
        """Lend a database like the template, which has tables and nothing in them.

        One that came back with all of its tables is emptied for the next: that takes a quarter of the time of a copy.
        """
        name = self._idle.pop() if self._idle else self.make_database(template)
        yield name
        if self.run(_EMPTY + _COUNT, name) == self._tables_of(template):
            self._idle.append(name)

    def _tables_of(self, template: str) -> str:
        if template not in self._tables:
            self._tables[template] = self.run(_COUNT, template)
        return self._tables[template]

    def run(self, statement: str, name: str = "postgres") -> str:
        """Run a statement on a database and return what is printed."""
        done = subprocess.run(
            [
                *(self._programs / "psql", "-h", self.folder, "-U", "tertulia", "-d", name),
                *("-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement),
            ],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _memory() -> str | None:
    folder = "/dev/shm"
    has_room = os.path.isdir(folder) and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM
    return folder if has_room else None


def _listen(lines: IO[str], said: list[str], ready: threading.Event) -> None:
    for line in lines:
        said.append(line)
        del said[:-50]
        if "ready to accept connections" in line:
            ready.set()
    ready.set()  # it ended; whoever waits looks why


def _unprivileged() -> str | None:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _programs() -> Path:
    """Debian keeps the server's programs out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    assert initdb is not None, "PostgreSQL is not installed; Debian's package is postgresql"
    return Path(initdb).resolve().parent
