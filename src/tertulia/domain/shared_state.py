"""Rules of the shared state: keys and texts of a session that every client reads and may set.

Every setting stands in the session's log under its number, so whoever is here, comes later or comes back has the same
state after the same number. What begins with `publisher_` or `moderator_` belongs to these roles; the rest may be set
by whoever may signal. The limits and the codes of the errors are those of OpenTok's StateManager.
"""

from collections.abc import Mapping

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import SetState
from tertulia.domain.events import All, Answered, Done, StateChanged
from tertulia.domain.limits import (
    STATE_BYTES,
    STATE_KEY_CHARACTERS,
    STATE_KEYS,
    STATE_VALUE_CHARACTERS,
    STATE_VALUES_PER_REQUEST,
)
from tertulia.domain.roles import Capability, Role, capabilities_of
from tertulia.domain.state import SessionState
from tertulia.errors import PermissionDeniedError, StateKeyError, StateSizeError, StateValueError, error_kind

__all__ = ["set_state"]

_DENIED = error_kind("OT_PERMISSION_DENIED", 401)

_OWNED = {"moderator_": Capability.FORCE_DISCONNECT, "publisher_": Capability.PUBLISH}
"""What a role must be able to do for keys that begin so."""


def set_state(state: SessionState, command: SetState, now: MonotonicTime) -> None:
    """Set or remove keys, all or none of them, and tell everybody, the caller included, what is different now."""
    values = command.values
    if len(values) > STATE_VALUES_PER_REQUEST:
        raise StateSizeError(f"At most {STATE_VALUES_PER_REQUEST} keys can be set at once.")
    role = state.connections[command.origin.connection_id].role
    for key, value in values.items():
        _check(role, key, value)
    changed = {key: value for key, value in values.items() if state.shared.get(key) != value}
    _check_size(state.shared, changed)
    state.emit(Answered(command.origin, Done()))
    if not changed:
        return
    for key, value in changed.items():
        state.save_shared(key, value)
    state.happen(StateChanged(changed), All())


def _check(role: Role, key: str, value: str | None) -> None:
    # NUL would come back from some stores as another character.
    if not 0 < len(key) <= STATE_KEY_CHARACTERS or any(each.isspace() or each == "\0" for each in key):
        raise StateKeyError(f"A key has 1 to {STATE_KEY_CHARACTERS} characters and no space.")
    if value is not None and (len(value) > STATE_VALUE_CHARACTERS or "\0" in value):
        raise StateValueError(f"A value has at most {STATE_VALUE_CHARACTERS} characters, none of them NUL.")
    needed = next((right for prefix, right in _OWNED.items() if key.startswith(prefix)), Capability.SIGNAL)
    if needed not in capabilities_of(role):
        raise PermissionDeniedError(f"The role {role.value} may not set this key.", kind=_DENIED)


def _check_size(before: Mapping[str, str], changed: Mapping[str, str | None]) -> None:
    after = {key: value for key, value in {**before, **changed}.items() if value is not None}
    if len(after) > max(STATE_KEYS, len(before)):
        raise StateSizeError(f"The state of a session has at most {STATE_KEYS} keys.")
    size = _bytes_of(after)
    if size > STATE_BYTES and size > _bytes_of(before):
        raise StateSizeError(f"The state of a session has at most {STATE_BYTES} bytes.")


def _bytes_of(values: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in values.items())
