"""Runs the command in this process as an operator would, on the test's database, and puts back what it changes."""

import logging
import os
from contextlib import contextmanager

from builders_apps import ENVIRONMENT
from click.testing import CliRunner
from sqlalchemy import event
from sqlalchemy.pool import Pool

from shopify_upsell.cli.main import cli


class Command:
    """The command with its settings."""

    def __init__(self, database, folder, **environment):
        url = database.engine.url.render_as_string(hide_password=False)
        own = {"DATABASE_URL": url, "WELLPAIRED_VAR_DIR": str(folder), "LOG_LEVEL": "ERROR"}
        self.environment = ENVIRONMENT | own | environment

    def __call__(self, *words, **environment):
        """Run a subcommand; the result has `exit_code`, `stdout` and `stderr`."""
        given = {name: None for name in os.environ if name in SETTINGS} | self.environment | environment
        with _process_as_it_was(), _connections_closed():
            result = CliRunner().invoke(cli, [str(word) for word in words], env=given)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


SETTINGS = {*ENVIRONMENT, "DATABASE_URL", "REDIS_URL", "SHOPIFY_ORIGIN", "METRICS_TOKEN", "SHOPIFY_API_SECRET_OLD"}


@contextmanager
def _process_as_it_was():
    """The command sets up logging and the umask of its process, which here is the tests' own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    noisy = {name: logging.getLogger(name).level for name in ("huey", "urllib3", "alembic", "_granian")}
    umask = os.umask(0o022)
    root.handlers[:] = []
    try:
        yield
    finally:
        os.umask(umask)
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in noisy.items():
            logging.getLogger(name).setLevel(before)


@contextmanager
def _connections_closed():
    """A process takes its connections with it when it ends; this one goes on, so they are closed by hand."""
    opened = []

    def note(connection, _record):
        opened.append(connection)

    event.listen(Pool, "connect", note)
    try:
        yield
    finally:
        event.remove(Pool, "connect", note)
        for connection in opened:
            connection.close()


def lines_of(text):
    """Lines that say something."""
    return [line for line in text.splitlines() if line.strip()]
