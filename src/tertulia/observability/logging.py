"""Log records as one JSON object on one line of standard error, from our own code and from libraries alike."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any

import msgspec
import structlog

from tertulia.observability.redact import redact

__all__ = ["configure", "join_host"]

_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]


class _Lines:
    """Writes finished lines to standard error; `logging` would look through the stack for every record of ours."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line; where it cannot be written, because a disk is full or a terminal gone, the work goes on."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = msg


def configure(level: str) -> None:
    """Send every record from `level` up (`debug`, `info`, `warning`, `error`) to standard error."""
    render: list[structlog.typing.Processor] = [redact, structlog.processors.JSONRenderer(serializer=_serialize)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[*_SHARED, *render],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        cache_logger_on_first_use=True,
    )
    # Libraries are chatty at our level of detail.
    for name in ("uvicorn", "websockets", "alembic", "sqlalchemy", "asyncio", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def join_host() -> None:
    """Send our records to the `logging` of the application that we are part of, unless it has set up structlog."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            redact,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _serialize(record: Any, **_options: Any) -> str:
    return msgspec.json.encode(record, enc_hook=repr).decode()
