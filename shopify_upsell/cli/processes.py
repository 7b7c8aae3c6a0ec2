"""Start the demo's processes on the embedded defaults, wait for them, and stop them."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import requests

from shopify_upsell.core import UpsellError

ROOT = Path(__file__).resolve().parents[2]
Found = TypeVar("Found")


class DemoFailed(UpsellError):
    """A step of the demo was not observed."""

    code = "demo_failed"


class Stack:
    """Web, worker, clock and dev store as child processes with a folder and ports of their own."""

    def __init__(self, folder: Path, *, app_port: int, devstore_port: int, devstore_options: tuple[str, ...]) -> None:
        self.folder = folder
        self.app_url = f"http://127.0.0.1:{app_port}"
        self.devstore_url = f"http://127.0.0.1:{devstore_port}"
        self._app_port, self._devstore_port = app_port, devstore_port
        self._devstore_options = devstore_options
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        """Keys made for this run only; what the caller set for databases is kept."""
        own = {
            "WELLPAIRED_ENV": "development",
            "WELLPAIRED_VAR_DIR": str(self.folder),
            "APP_URL": self.app_url,
            "SHOPIFY_ORIGIN": self.devstore_url,
            "SHOPIFY_API_KEY": secrets.token_hex(16),
            "SHOPIFY_API_SECRET": "shpss_" + secrets.token_hex(16),
            "ENCRYPTION_KEYS": secrets.token_urlsafe(32),
            "LOG_LEVEL": "WARNING",
        }
        return {**os.environ, **own}

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.stop()

    def command(self, *words: str) -> str:
        """Run a subcommand to its end and return what it printed. Raises: DemoFailed."""
        done = subprocess.run(  # noqa: S603 our own command
            [*_OURSELVES, *words], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DemoFailed(f"{' '.join(words[:2])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def stop(self) -> None:
        """Ask every process to end, and make it end where it does not."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                process.kill()
        self._processes.clear()

    def check(self) -> None:
        """Raises: DemoFailed when a process has ended by itself, with the end of its log."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                tail = (self.folder / f"{name}.log").read_text(errors="replace")[-800:]
                raise DemoFailed(f"{name} ended by itself: {tail}")

    def _start(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._migrate()
        devstore = ("devstore", "--port", str(self._devstore_port), "--app-url", self.app_url, *self._devstore_options)
        self._spawn("devstore", *devstore)
        self._spawn("web", "web", "--port", str(self._app_port))
        self._spawn("worker", "worker")
        self._spawn("clock", "clock")
        self.wait_for("the app", lambda: _answers(f"{self.app_url}/readyz"))
        self.wait_for("the dev store", lambda: _answers(f"{self.devstore_url}/_dev/state"))

    def _migrate(self) -> None:
        migration = [sys.executable, "-m", "alembic", "upgrade", "head"]
        done = subprocess.run(migration, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise DemoFailed(f"the migration failed: {done.stderr[-500:]}")

    def _spawn(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as output:
            self._processes[name] = subprocess.Popen(  # noqa: S603 our own command
                [*_OURSELVES, *words], env=self.environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_for(self, what: str, look: Callable[[], Found | None], *, seconds: float = 60) -> Found:
        """Look until there is an answer. Raises: DemoFailed naming what did not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            found = look()
            if found:
                return found
            time.sleep(0.2)
        raise DemoFailed(f"{what} did not come within {seconds:.0f} s")


_OURSELVES = (sys.executable, "-m", "shopify_upsell.cli.main")


def free_port(preferred: int) -> int:
    """The preferred port if nobody has it, else any free one."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("no free port")


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
