"""Run a command with a throwaway PostgreSQL and Redis beside it, on free ports of the loopback address.

Usage: python tools/with_services.py [--postgres] [--redis] -- command…
Sets TEST_POSTGRES_URL and TEST_REDIS_URL for the command. As root, PostgreSQL runs as the `postgres` user, because
it refuses to run as root. Everything is stopped and erased afterwards.
"""

import argparse
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

MISSING = 77


def main() -> int:
    """Parse, start, run, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args()
    environment = dict(os.environ)
    with ExitStack() as stack:
        if wanted.postgres:
            environment["TEST_POSTGRES_URL"] = start_postgres(stack)
        if wanted.redis:
            environment["TEST_REDIS_URL"] = start_redis(stack)
        return subprocess.run(wanted.command, env=environment, check=False).returncode


def start_postgres(stack: ExitStack) -> str:
    """Make a cluster in a temporary folder and start it. Exits with 77 where there is no PostgreSQL."""
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: int(p.split("/")[4]))
    initdb = programs[-1] if programs else shutil.which("initdb")
    if not initdb:
        leave("PostgreSQL is not installed: apt-get install postgresql")
    binaries, folder, port = Path(initdb).parent, Path(tempfile.mkdtemp(prefix="wellpaired-pg-")), free_port()
    user = as_postgres(folder)
    quiet = {"stdout": subprocess.DEVNULL, "user": user, "cwd": folder, "check": True}
    subprocess.run([initdb, "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync"], **quiet)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
    control = [binaries / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w"]
    subprocess.run([*control, "-o", options, "start"], **quiet)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    stack.callback(subprocess.run, [*control, "-m", "immediate", "stop"], **(quiet | {"check": False}))
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def start_redis(stack: ExitStack) -> str:
    """Start a Redis that keeps nothing. Exits with 77 where there is none."""
    server = shutil.which("redis-server")
    if not server:
        leave("Redis is not installed: apt-get install redis-server")
    port = free_port()
    process = subprocess.Popen(
        [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    wait_for_port(port)
    return f"redis://127.0.0.1:{port}/0"


def as_postgres(folder: Path) -> str | None:
    """The user to run PostgreSQL as: another one only when we are root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        leave("PostgreSQL needs the user `postgres`: apt-get install postgresql")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return "postgres"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, seconds: float = 10) -> None:
    """Return once something listens. Raises: TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def leave(reason: str) -> None:
    """Say what is missing and end."""
    sys.stderr.write(reason + "\n")
    raise SystemExit(MISSING)


if __name__ == "__main__":
    sys.exit(main())
