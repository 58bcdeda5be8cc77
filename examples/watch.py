"""Prints everything that happens in a session, until it is stopped or removed.

python examples/watch.py API_KEY SESSION_ID TOKEN [--server http://localhost:8080]
"""

from __future__ import annotations

import argparse
import asyncio

from tertulia import (
    ConnectionEvent,
    Event,
    Session,
    SessionDisconnectEvent,
    SessionError,
    SignalEvent,
    StreamEvent,
    StreamPropertyChangedEvent,
)


def words(event: Event) -> str:
    """One line about an event."""
    match event:
        case SignalEvent():
            sender = "the server" if event.from_ is None else event.from_.data or event.from_.connection_id
            return f"{event.type} from {sender}: {event.data}"
        case ConnectionEvent():
            return f"{event.type}: {event.connection.data or event.connection.connection_id} {event.reason or ''}"
        case StreamEvent():
            return f"{event.type}: {event.stream.name or event.stream.stream_id} {event.reason or ''}"
        case StreamPropertyChangedEvent():
            return f"{event.type}: {event.changed_property} from {event.old_value} to {event.new_value}"
        case SessionDisconnectEvent():
            return f"{event.type}: {event.reason}"
    return event.type


async def main() -> None:
    """Joins and prints."""
    parser = argparse.ArgumentParser(description="Prints everything that happens in a session.")
    parser.add_argument("api_key")
    parser.add_argument("session_id")
    parser.add_argument("token")
    parser.add_argument("--server", default="http://localhost:8080")
    arguments = parser.parse_args()
    async with Session(arguments.api_key, arguments.session_id, server=arguments.server) as session:
        events = session.events()
        try:
            await session.connect(arguments.token)
        except SessionError as error:
            raise SystemExit(str(error)) from error
        async for event in events:
            print(words(event))  # noqa: T201 - printing is what this program is for


if __name__ == "__main__":
    asyncio.run(main())
