"""Rules of muting by force: one stream, all streams, and whether later ones begin without sound.

The publishing client stops its sound when it is told; the session announces the stream as silent at once. A publisher
may unmute itself afterwards, as in OpenTok; the mute state only decides how streams begin.
"""

from dataclasses import replace

from tertulia.clock import MonotonicTime
from tertulia.domain.commands import DisableForceMute, ForceMuteAll, ForceMuteStream
from tertulia.domain.connection import Origin
from tertulia.domain.events import All, Answered, Done, MuteForced, One, StreamMuted, StreamPropertyChanged
from tertulia.domain.roles import Capability, require
from tertulia.domain.state import SessionState
from tertulia.domain.stream import Stream, StreamProperty
from tertulia.errors import StreamNotFoundError

__all__ = ["disable_force_mute", "force_mute_all", "force_mute_stream", "mute_new"]


def force_mute_stream(state: SessionState, command: ForceMuteStream, now: MonotonicTime) -> None:
    """Mute one stream."""
    _check(state, command.origin)
    stream = state.streams.get(command.stream_id)
    if stream is None:
        raise StreamNotFoundError()
    _answer(state, command.origin)
    _mute(state, stream)


def force_mute_all(state: SessionState, command: ForceMuteAll, now: MonotonicTime) -> None:
    """Mute every stream that is not excluded, and those that will come; ids of no stream exclude nothing."""
    _check(state, command.origin)
    _answer(state, command.origin)
    state.save_mute_state(True)
    state.happen(MuteForced(True), All())
    for stream in list(state.streams.values()):
        if stream.stream_id not in command.excluded:
            _mute(state, stream)


def disable_force_mute(state: SessionState, command: DisableForceMute, now: MonotonicTime) -> None:
    """Let later streams begin with sound; nobody is unmuted."""
    _check(state, command.origin)
    _answer(state, command.origin)
    if state.muted:
        state.save_mute_state(False)
        state.happen(MuteForced(False), All())


def mute_new(state: SessionState, stream: Stream) -> None:
    """Tell the publisher of a stream that has just begun in a muted session; it began without sound already."""
    if state.muted:
        state.happen(StreamMuted(stream.stream_id), One(stream.connection_id))


def _mute(state: SessionState, stream: Stream) -> None:
    state.happen(StreamMuted(stream.stream_id), One(stream.connection_id))
    if stream.has_audio:
        state.save_stream(replace(stream, has_audio=False))
        state.happen(StreamPropertyChanged(stream.stream_id, StreamProperty.HAS_AUDIO, True, False), All())


def _check(state: SessionState, origin: Origin | None) -> None:
    if origin is not None:
        require(state.connections[origin.connection_id].role, Capability.FORCE_MUTE)


def _answer(state: SessionState, origin: Origin | None) -> None:
    if origin is not None:
        state.emit(Answered(origin, Done()))
