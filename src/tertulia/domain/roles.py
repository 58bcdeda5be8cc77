"""Roles, what each may do, and the reasons for which things end: the only place that knows them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from tertulia.errors import ErrorKind, PermissionDeniedError, error_kind

__all__ = ["Capability", "Reason", "Role", "capabilities_of", "require"]


class Role(StrEnum):
    """What a token makes of its bearer."""

    SUBSCRIBER = "subscriber"
    PUBLISHER = "publisher"
    PUBLISHER_ONLY = "publisheronly"
    MODERATOR = "moderator"


class Reason(StrEnum):
    """Why a stream or a connection ended, as every client is told."""

    CLIENT_DISCONNECTED = "clientDisconnected"
    FORCE_DISCONNECTED = "forceDisconnected"
    NETWORK_DISCONNECTED = "networkDisconnected"
    FORCE_UNPUBLISHED = "forceUnpublished"
    MEDIA_STOPPED = "mediaStopped"
    MEDIA_IDLE = "mediaIdle"


class Capability(StrEnum):
    """One right; the values are the keys of a client's `capabilities`."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"
    SIGNAL = "signal"
    FORCE_DISCONNECT = "forceDisconnect"
    FORCE_UNPUBLISH = "forceUnpublish"
    FORCE_MUTE = "forceMute"


# A subscriber may signal: the vendor's texts leave it open and applications rely on it.
_RIGHTS: Mapping[Role, frozenset[Capability]] = MappingProxyType(
    {
        Role.SUBSCRIBER: frozenset({Capability.SUBSCRIBE, Capability.SIGNAL}),
        Role.PUBLISHER: frozenset({Capability.PUBLISH, Capability.SUBSCRIBE, Capability.SIGNAL}),
        Role.PUBLISHER_ONLY: frozenset({Capability.PUBLISH}),
        Role.MODERATOR: frozenset(Capability),
    }
)

_DENIALS: Mapping[Capability, ErrorKind] = MappingProxyType(
    {
        Capability.PUBLISH: error_kind("OT_PERMISSION_DENIED", 1500),
        Capability.SUBSCRIBE: error_kind("OT_PERMISSION_DENIED", 1501),
        Capability.SIGNAL: error_kind("OT_PERMISSION_DENIED", 1510),
        Capability.FORCE_DISCONNECT: error_kind("OT_PERMISSION_DENIED", 1520),
        Capability.FORCE_UNPUBLISH: error_kind("OT_PERMISSION_DENIED", 1530),
        Capability.FORCE_MUTE: error_kind("OT_PERMISSION_DENIED", 1540),
    }
)


def capabilities_of(role: Role) -> frozenset[Capability]:
    """Return the rights of a role."""
    return _RIGHTS[role]


def require(role: Role, capability: Capability) -> None:
    """Do nothing if the role has the right.

    Raises:
        PermissionDeniedError: With the code that OpenTok gives to this right, if it has not.
    """
    if capability not in _RIGHTS[role]:
        kind = _DENIALS[capability]
        raise PermissionDeniedError(f"The role {role.value} does not allow this: {kind.meaning}.", kind=kind)
