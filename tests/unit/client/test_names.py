"""The names that the package gives away, and what giving them away costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tertulia
import tertulia.client

NAMES = {
    "AuthenticationError",
    "CallerError",
    "Capabilities",
    "CaptureError",
    "ConnectFailedError",
    "Connection",
    "ConnectionEvent",
    "DestroyedEvent",
    "DisconnectReason",
    "DisconnectedError",
    "Event",
    "InvalidParameterError",
    "InvalidSessionIdError",
    "LimitExceededError",
    "MediaFailedError",
    "MediaStoppedEvent",
    "MuteForcedEvent",
    "NotConnectedError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "Publisher",
    "RequestTimeoutError",
    "ServerError",
    "Session",
    "SessionConnectEvent",
    "SessionDisconnectEvent",
    "SessionError",
    "SignalEvent",
    "StateChangedEvent",
    "Stream",
    "StreamEvent",
    "StreamPropertyChangedEvent",
    "StreamReason",
    "Subscriber",
    "UnavailableError",
    "VideoDimensions",
    "VideoEnabledChangedEvent",
}


def test_the_exported_names_are_these() -> None:
    assert set(tertulia.client.__all__) == NAMES
    assert set(tertulia.__all__) == NAMES | {"__version__"}
    assert set(dir(tertulia)) == set(tertulia.__all__)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_package_gives_the_clients_own_objects(name: str) -> None:
    assert getattr(tertulia, name) is getattr(tertulia.client, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Sesion"):
        tertulia.Sesion  # noqa: B018 - the access is what is tested


def test_importing_the_package_loads_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import tertulia; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == ["tertulia"]
