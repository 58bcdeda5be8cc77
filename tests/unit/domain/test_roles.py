"""Roles and rights."""

import pytest

from tertulia.domain.roles import Capability, Role, capabilities_of, require
from tertulia.errors import PermissionDeniedError

RIGHTS = {
    Role.SUBSCRIBER: {"subscribe", "signal"},
    Role.PUBLISHER: {"publish", "subscribe", "signal"},
    Role.PUBLISHER_ONLY: {"publish"},
    Role.MODERATOR: {"publish", "subscribe", "signal", "forceDisconnect", "forceUnpublish", "forceMute"},
}


@pytest.mark.parametrize("role", list(Role))
def test_each_role_has_its_rights(role: Role) -> None:
    assert {right.value for right in capabilities_of(role)} == RIGHTS[role]


def test_a_denial_names_role_and_code() -> None:
    with pytest.raises(PermissionDeniedError, match="subscriber") as refusal:
        require(Role.SUBSCRIBER, Capability.FORCE_DISCONNECT)
    assert (refusal.value.kind.name, refusal.value.kind.code) == ("OT_PERMISSION_DENIED", 1520)
    require(Role.MODERATOR, Capability.FORCE_DISCONNECT)


@pytest.mark.parametrize("capability", list(Capability))
def test_every_right_that_a_request_needs_has_its_own_code(capability: Capability) -> None:
    denied = [role for role in Role if capability not in capabilities_of(role)]
    for role in denied:
        with pytest.raises(PermissionDeniedError):
            require(role, capability)
