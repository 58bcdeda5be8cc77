"""Rules of large sessions: when only the loudest streams are forwarded, to whom, and on which pairs.

While a session has more live audio streams than a threshold, each client that knows of audio slots and subscribes has
some of its pairs as audio slots: the router puts the loudest of what the client is bound to and wants to hear on their
audio lines. A pair that was made an audio slot stays one as long as its transport: nothing is bound to it.

Nothing of this is stored: clients say anew what they know when they resume, and the router lists what it does.
"""

from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import ChangeAudioSlot, FindTransport
from tertulia.domain.connection import SeatState
from tertulia.domain.events import AudioSlotChanged, SetAudioSlots
from tertulia.domain.limits import LOUDEST_HYSTERESIS
from tertulia.domain.state import SessionState
from tertulia.domain.subscription import PairState, SlotPair
from tertulia.ids import ConnectionId

__all__ = [
    "arrange",
    "change_audio_slot",
    "find_audio_slots",
    "follow",
    "free_pairs",
    "pairs_wanted",
    "remind_audio_slots",
]


def follow(state: SessionState) -> None:
    """Begin or end to forward only the loudest, if the number of live audio streams says so now."""
    if not state.sound_changed:
        return
    state.sound_changed = False
    lines = (stream.source.lines for stream in state.streams.values() if stream.has_audio and stream.source is not None)
    live = sum(line.audio_mid is not None for line in lines)
    above = state.limits.loudest_above
    loudest = live > (above - LOUDEST_HYSTERESIS if state.loudest else above)
    if loudest == state.loudest:
        return
    state.loudest = loudest
    for connection_id in state.connections:
        arrange(state, connection_id)


def arrange(state: SessionState, connection_id: ConnectionId) -> None:
    """Bring a connection's audio slots into line with the session, if it has a transport and pairs enough."""
    connection = state.connections[connection_id]
    if connection.transport_id is None or connection_id in state.unfound:
        return
    hears = connection_id in state.hears_loudest
    if hears and not state.loudest:
        state.hears_loudest.discard(connection_id)
        state.emit(SetAudioSlots(connection_id, connection.transport_id, ()))
    elif not hears and _is_due(state, connection_id):
        slots = state.audio_slots.get(connection_id, ())
        wanted = state.limits.loudest_streams
        if not slots:
            free = [pair.slot for pair in reversed(free_pairs(state, connection_id))]
            if len(free) < wanted:
                return
            slots = state.audio_slots[connection_id] = tuple(sorted(free[:wanted]))
        state.hears_loudest.add(connection_id)
        state.emit(SetAudioSlots(connection_id, connection.transport_id, slots))


def free_pairs(state: SessionState, connection_id: ConnectionId) -> list[SlotPair]:
    """Return the free pairs of a connection that are no audio slots, by index."""
    taken = state.audio_slots.get(connection_id, ())
    return [pair for pair in state.pairs_of(connection_id) if pair.state is PairState.FREE and pair.slot not in taken]


def pairs_wanted(state: SessionState, connection_id: ConnectionId) -> int:
    """Return how many pairs a connection's subscriptions and audio slots need together."""
    slots = len(state.audio_slots.get(connection_id, ()))
    if not slots and _is_due(state, connection_id):
        slots = state.limits.loudest_streams
    return len(state.subscriptions_of(connection_id)) + slots


def change_audio_slot(state: SessionState, command: ChangeAudioSlot, now: MonotonicTime) -> None:
    """Tell a client which subscription an audio slot carries now."""
    connection = state.connections[command.connection_id]
    if connection.transport_id != command.transport_id:
        return
    changed = AudioSlotChanged(command.connection_id, connection.epoch, command.slot, None, None)
    pair = state.pairs.get(command.connection_id, {}).get(command.of.slot) if command.of is not None else None
    alive = pair is not None and pair.state in (PairState.BINDING, PairState.BOUND)
    if pair is not None and command.of is not None and alive and pair.generation == command.of.generation:
        changed = replace(
            changed, subscription_id=pair.subscription_id, audio_rtp_timestamp=command.audio_rtp_timestamp
        )
    state.carried.setdefault(command.connection_id, {})[command.slot] = changed
    if connection.state is SeatState.CONNECTED:
        state.emit(changed)


def find_audio_slots(state: SessionState, command: FindTransport, now: MonotonicTime) -> None:
    """Take over what the router's list says of a connection's audio slots."""
    connection_id = command.connection_id
    state.unfound.discard(connection_id)
    if not command.audio_slots:
        state.hears_loudest.discard(connection_id)
        return
    state.hears_loudest.add(connection_id)
    state.audio_slots[connection_id] = tuple(sorted(found.slot for found in command.audio_slots))
    for found in command.audio_slots:
        change_audio_slot(
            state,
            ChangeAudioSlot(connection_id, command.transport_id, found.slot, found.of, found.audio_rtp_timestamp),
            now,
        )


def remind_audio_slots(state: SessionState, connection_id: ConnectionId) -> None:
    """Say again what the audio slots of a client carry."""
    for changed in state.carried.get(connection_id, {}).values():
        state.emit(changed)


def _is_due(state: SessionState, connection_id: ConnectionId) -> bool:
    subscribes = bool(state.subscriptions.get(connection_id))
    return state.loudest and subscribes and connection_id in state.knows_audio_slots
