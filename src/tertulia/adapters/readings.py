"""Where the numbers that operators read are kept anyway: joins the metrics to sessions, router, gate and supervisor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tertulia.adapters.gate import Gate
from tertulia.adapters.router import RouterLink
from tertulia.ids import TransportId
from tertulia.observability.metrics import Readings
from tertulia.services.sessions import Sessions
from tertulia.supervisor.leftovers import count_starts

__all__ = ["readings_of", "transports_of"]


def readings_of(sessions: Sessions, router: RouterLink, gate: Gate, run_folder: Path) -> Readings:
    """What the metrics read when somebody asks."""
    return Readings(
        sessions=lambda: sessions.census().sessions,
        streams=lambda: sessions.census().streams,
        connections=lambda: sessions.census().connections,
        pending_sockets=lambda: len(gate),
        expelled_sockets=lambda: gate.expelled,
        router_link=lambda: router.hello is not None,
        shards=router.statistics.shards,
        starts=lambda: count_starts(run_folder),
    )


def transports_of(sessions: Sessions, router: RouterLink) -> list[Mapping[str, object]]:
    """What the router has counted for each transport, with the connection and the session that it belongs to."""
    found: list[Mapping[str, object]] = []
    for transport, counted in router.statistics.transports.items():
        owner = sessions.owner_of(TransportId(transport))
        session_id, connection_id = owner if owner is not None else (None, None)
        values = msgspec.to_builtins(counted)
        found.append({"session_id": session_id, "connection_id": connection_id, **values})
    return found
