"""The lines of the log that operators read about a session: one for each connection or stream that comes or goes."""

from structlog.typing import FilteringBoundLogger

from tertulia.domain.events import (
    ConnectionCreated,
    ConnectionDestroyed,
    ConnectionInterrupted,
    ConnectionRestored,
    Fact,
    StreamCreated,
    StreamDestroyed,
)

__all__ = ["log_fact"]


def log_fact(log: FilteringBoundLogger, fact: Fact) -> None:
    """Write the line that a fact deserves, if any; `log` is bound to the session."""
    match fact:
        case ConnectionCreated(connection):
            log.info("connection joined", connection_id=connection.connection_id, role=connection.role.value)
        case ConnectionDestroyed(connection_id, reason):
            log.info("connection left", connection_id=connection_id, reason=reason.value)
        case ConnectionInterrupted(connection_id):
            log.info("connection interrupted", connection_id=connection_id)
        case ConnectionRestored(connection_id):
            log.info("connection restored", connection_id=connection_id)
        case StreamCreated(stream):
            log.info("stream published", connection_id=stream.connection_id, stream_id=stream.stream_id)
        case StreamDestroyed(stream_id, connection_id, reason):
            log.info("stream ended", connection_id=connection_id, stream_id=stream_id, reason=reason.value)
        case _:
            pass
