"""Structured logs: one JSON object a line, an event name and fields. What looks like a secret is cut out."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime

_SECRETS = re.compile(
    r"shp(?:at|rt|ss|ca|pa)_[A-Za-z0-9]+|Bearer\s+\S+|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*"
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """Cut tokens and mail addresses out of a text."""
    return _SECRETS.sub("[redacted]", text)


def _plain(value: object) -> object:
    """What JSON can hold, with secrets cut out of every text in it: cut afterwards, they would take quotes along."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {redact(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    return redact(str(value))


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON line with the fields of its `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a traceback keeps its frames and the kind of error, not the error's words."""
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = type(record.exc_info[1]).__name__
            fields["trace"] = [
                f"{frame.filename.rsplit('shopify_upsell/', 1)[-1]}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])[-12:]
            ]
        return json.dumps(_plain(fields), ensure_ascii=True)


def set_up_logging(level: str) -> None:
    """Send every logger's lines to standard error as JSON. Huey's own chatter is kept to warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("huey", "urllib3", "alembic", "_granian"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
