"""The client's limits against `contract/signalling.yaml`."""

from __future__ import annotations

from tertulia.client import session
from tests.unit.client.conftest import contract


def test_the_client_refuses_what_the_server_would_refuse() -> None:
    limits = contract("signalling.yaml")["limits"]
    assert limits["signal_data_bytes"] == session.SIGNAL_DATA_BYTES
    assert limits["signal_type_bytes"] == session.SIGNAL_TYPE_BYTES
