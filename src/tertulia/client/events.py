"""The events of a session. Fields and defaults are those of `contract/events.yaml`, in the second era's semantics.

The texts inside events (types, reasons, names of properties) are OpenTok's own; the names of fields are Python's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

from tertulia.client.values import Connection, DisconnectReason, Stream, StreamReason

if TYPE_CHECKING:
    from tertulia.client.emitter import Emitter
    from tertulia.client.errors import SessionError

_log = logging.getLogger("tertulia.client")


class Event:
    """Something that happened, as handlers get it.

    Attributes:
        type: the name under which it is dispatched, for example `sessionDisconnected`.
        target: the Session, Publisher or Subscriber that dispatches it.
    """

    types: ClassVar[tuple[str, ...]] = (
        "sessionReconnecting",
        "sessionReconnected",
        "connected",
        "disconnected",
        "videoDisableWarning",
        "videoDisableWarningLifted",
    )
    """The types that this class is dispatched as. A signal has `signal:<type>` as well."""

    cancelable_types: ClassVar[frozenset[str]] = frozenset()

    target: Emitter

    __slots__ = ("_prevented", "_settled", "default", "target", "type")

    def __init__(self, type: str) -> None:
        self.type = type
        self._prevented = False
        self._settled = False
        self.default: Callable[[], None] | None = None
        """What happens after the last handler, prevented or not; it asks. The client's own."""

    @property
    def cancelable(self) -> bool:
        """Whether the event has a default behaviour that `prevent_default()` can prevent."""
        return self.type in self.cancelable_types

    def prevent_default(self) -> None:
        """Prevents the default behaviour. It counts only until the last handler has returned.

        On an event that is not cancelable it does nothing but log a warning.
        """
        if not self.cancelable:
            _log.warning("%s has no default behaviour to prevent", self.type)
        elif not self._settled:
            self._prevented = True

    def is_default_prevented(self) -> bool:
        """Whether a handler has prevented the default behaviour."""
        return self._prevented

    def settle(self) -> None:
        """Ends the time in which the default can be prevented, and does it. Called after the last handler."""
        self._settled = True
        if self.default is not None:
            self.default()

    def __repr__(self) -> str:
        slots = (name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ()))
        fields = (f"{name}={getattr(self, name)!r}" for name in slots if name not in _UNPRINTED)
        return f"{type(self).__name__}({', '.join([f'type={self.type!r}', *fields])})"


_UNPRINTED = frozenset({"default", "target", "type", "_prevented", "_settled"})


class SessionConnectEvent(Event):
    """The client is connected. Who and what is there already follows as events of its own.

    Attributes:
        connections: always empty; kept for compatibility.
        streams: always empty; kept for compatibility.
    """

    types = ("sessionConnected",)
    __slots__ = ("connections", "streams")

    def __init__(self) -> None:
        super().__init__("sessionConnected")
        self.connections: list[Connection] = []
        self.streams: list[Stream] = []


class SessionDisconnectEvent(Event):
    """The connection is over. Dispatched exactly once for every connection, whatever ended it.

    When handlers run, the session has no connection and no streams any more, and can be connected again.

    Attributes:
        reason: why the connection ended.
    """

    types = ("sessionDisconnected",)
    cancelable_types = frozenset(types)
    __slots__ = ("reason",)

    def __init__(self, reason: DisconnectReason) -> None:
        super().__init__("sessionDisconnected")
        self.reason = reason


class ConnectionEvent(Event):
    """A client joined the session or left it.

    On joining, one `connectionCreated` comes for the own connection first, then one for everybody present.

    Attributes:
        connection: the client's connection.
        connections: a list of just that connection.
        reason: why it left; None on `connectionCreated`.
    """

    types = ("connectionCreated", "connectionDestroyed")
    __slots__ = ("connection", "reason")

    def __init__(self, type: str, connection: Connection, reason: DisconnectReason | None = None) -> None:
        super().__init__(type)
        self.connection = connection
        self.reason = reason

    @property
    def connections(self) -> list[Connection]:
        """A list of just that connection."""
        return [self.connection]


class StreamEvent(Event):
    """A stream began or ended: on the Session one of another client, on a Publisher its own.

    Attributes:
        stream: the stream.
        streams: a list of just that stream.
        reason: why it ended; None on `streamCreated`.
    """

    types = ("streamCreated", "streamDestroyed")
    cancelable_types = frozenset({"streamDestroyed"})
    __slots__ = ("reason", "stream")

    def __init__(self, type: str, stream: Stream, reason: StreamReason | None = None) -> None:
        super().__init__(type)
        self.stream = stream
        self.reason = reason

    @property
    def streams(self) -> list[Stream]:
        """A list of just that stream."""
        return [self.stream]


class StreamPropertyChangedEvent(Event):
    """A property of a stream changed; the Stream has the new value already.

    Attributes:
        stream: the stream.
        changed_property: `hasAudio`, `hasVideo`, `hasCaptions`, `videoDimensions` or `videoType`.
        old_value: the value before.
        new_value: the value now.
    """

    types = ("streamPropertyChanged",)
    __slots__ = ("changed_property", "new_value", "old_value", "stream")

    def __init__(self, stream: Stream, changed_property: str, old_value: object, new_value: object) -> None:
        super().__init__("streamPropertyChanged")
        self.stream = stream
        self.changed_property = changed_property
        self.old_value = old_value
        self.new_value = new_value


class MuteForcedEvent(Event):
    """A moderator or the server muted everybody, or ended that.

    Attributes:
        active: whether streams that begin from now on begin without sound.
    """

    types = ("muteForced",)
    __slots__ = ("active",)

    def __init__(self, active: bool) -> None:
        super().__init__("muteForced")
        self.active = active


class StateChangedEvent(Event):
    """Somebody, perhaps this program, changed the shared state of the session; `Session.state` has it already.

    Attributes:
        values: what is different from before; None for a key that is gone.
    """

    types = ("stateChanged",)
    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, str | None]) -> None:
        super().__init__("stateChanged")
        self.values = dict(values)


class SignalEvent(Event):
    """A signal arrived. Its type is `signal`, or `signal:<type>` if the sender gave one.

    Handlers of `signal` get every signal, handlers of `signal:<type>` those of that type.

    Attributes:
        data: the sender's text; empty if it gave none.
        from_: the sender's connection; None for a signal that the REST API sent.
    """

    types = ("signal",)
    __slots__ = ("data", "from_")

    def __init__(self, signal_type: str, data: str, from_: Connection | None) -> None:
        super().__init__(f"signal:{signal_type}" if signal_type else "signal")
        self.data = data
        self.from_ = from_


class MediaStoppedEvent(Event):
    """The source of a Publisher's audio or video came to its end, or failed.

    Unless prevented, the Publisher is destroyed once none of its sources is left.

    Attributes:
        track: `audio` or `video`.
        error: why the source failed; None if it came to its end.
    """

    types = ("mediaStopped",)
    cancelable_types = frozenset(types)
    __slots__ = ("error", "track")

    def __init__(self, track: str, error: SessionError | None = None) -> None:
        super().__init__("mediaStopped")
        self.track = track
        self.error = error


class DestroyedEvent(Event):
    """A Publisher or Subscriber is over: it sends or hands over nothing more, and cannot be used again.

    Attributes:
        reason: the reason of the event that caused it; `unsubscribed`, `mediaStopped` or `clientDisconnected`
        otherwise.
    """

    types = ("destroyed",)
    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        super().__init__("destroyed")
        self.reason = reason


class VideoEnabledChangedEvent(Event):
    """The video of a Subscriber stops coming, or comes again.

    Attributes:
        reason: `publishVideo`, `subscribeToVideo`, `quality`, `codecNotSupported` or `codecChanged`.
    """

    types = ("videoDisabled", "videoEnabled")
    __slots__ = ("reason",)

    def __init__(self, type: str, reason: str) -> None:
        super().__init__(type)
        self.reason = reason


SESSION_EVENTS = frozenset(
    {
        "sessionConnected",
        "sessionDisconnected",
        "sessionReconnecting",
        "sessionReconnected",
        "connectionCreated",
        "connectionDestroyed",
        "streamCreated",
        "streamDestroyed",
        "streamPropertyChanged",
        "muteForced",
        "stateChanged",
        "signal",
    }
)
"""What a Session dispatches, beside `signal:<type>`."""

PUBLISHER_EVENTS = frozenset({"streamCreated", "streamDestroyed", "muteForced", "mediaStopped", "destroyed"})
"""What a Publisher dispatches."""

SUBSCRIBER_EVENTS = frozenset(
    {
        "connected",
        "disconnected",
        "videoDisabled",
        "videoEnabled",
        "videoDisableWarning",
        "videoDisableWarningLifted",
        "destroyed",
    }
)
"""What a Subscriber dispatches."""

EVENT_CLASSES: tuple[type[Event], ...] = (
    Event,
    SessionConnectEvent,
    SessionDisconnectEvent,
    ConnectionEvent,
    StreamEvent,
    StreamPropertyChangedEvent,
    MuteForcedEvent,
    StateChangedEvent,
    SignalEvent,
    MediaStoppedEvent,
    DestroyedEvent,
    VideoEnabledChangedEvent,
)
"""Every class that is dispatched; `Event` itself stands for those that carry nothing."""
