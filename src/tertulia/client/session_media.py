"""The media side of a Session: its Publishers and Subscribers, and the engine that carries them.

Without a Publisher or Subscriber there is no engine, no peer and no import of a media library.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from tertulia.client.errors import (
    SessionError,
    invalid_parameter,
    media_not_installed,
    not_connected,
    stream_destroyed,
)
from tertulia.client.events import StreamEvent
from tertulia.client.exchange import MediaNews, Request
from tertulia.client.presence import Presence, stream_reason
from tertulia.client.publisher import RIDS, Publisher
from tertulia.client.retry import retry_delay_s
from tertulia.client.subscriber import Subscriber
from tertulia.client.values import DisconnectReason, Stream, StreamReason, VideoDimensions
from tertulia.wire import signalling as wire

if TYPE_CHECKING:
    from tertulia.client.media.engine import Media, Publication
    from tertulia.client.media.peer import Peer, PeerState
    from tertulia.client.media.subscriptions import Effect, Subscriptions

ENDED_STREAMS = 64
"""Own streams that ended before their `publish` had returned. Our own choice: more than a client has at once."""


class Asks(Protocol):
    """How requests are sent; `now` gets the result in the very moment in which it comes."""

    async def __call__(self, request: Request, now: Callable[[wire.Result], None] | None = None) -> wire.Result:
        """Sends one and returns its result, or raises SessionError."""


class SessionMedia:
    """What one Session publishes and subscribes to. Fulfils the engine's `World`."""

    def __init__(self, presence: Presence, ask: Asks) -> None:
        """Takes what is in the session, and how to send requests."""
        self._presence = presence
        self._ask = ask
        self._joined: wire.Joined | None = None
        self._engine: Media | None = None
        self._subscriptions: Subscriptions | None = None
        self._publishers: dict[str, tuple[Publisher, Publication]] = {}
        self._subscribers: dict[int, Subscriber] = {}
        self._ended: dict[str, StreamReason] = {}
        self._last_key = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def publishers(self) -> list[Publisher]:
        """What is published, in the order of publishing."""
        return [publisher for publisher, _ in self._publishers.values()]

    @property
    def subscribers(self) -> list[Subscriber]:
        """What is subscribed to, in the order of subscribing."""
        return list(self._subscribers.values())

    # What a program does

    async def publish(self, publisher: Publisher) -> None:
        """Publishes, and returns when media passes."""
        if publisher.destroyed:
            raise invalid_parameter("The Publisher is destroyed; make a new one.")
        if publisher._busy or publisher.stream is not None:
            raise invalid_parameter("The Publisher is published already; unpublish it first.")
        publisher._busy = True
        try:
            await publisher._prepare()
            if publisher.destroyed:
                raise stream_destroyed("The Publisher was destroyed before it was published.")
            engine = self._begin()
            publication = _publication(publisher)
            registering = self._start(self._register(engine, publication, publisher))
            try:
                stream = await asyncio.shield(registering)
            except asyncio.CancelledError:
                registering.add_done_callback(lambda done: self._withdraw(engine, publication, done))
                raise
            self._take_in(engine, publisher, publication, stream)
            try:
                await engine.connected()
            except BaseException:
                self._leave(publication, stream.id)
                raise
        finally:
            publisher._busy = False

    async def unpublish(self, publisher: Publisher) -> None:
        """Ends the stream of a Publisher, and returns when the server has taken it out."""
        stream = publisher.stream
        if stream is None or stream.id not in self._publishers:
            raise invalid_parameter("The Publisher is not published in this session.")
        _, publication = self._publishers[stream.id]
        if self._engine is not None:
            self._engine.unpublish(publication)
        await self._ask(wire.Unpublish(stream.id))

    async def subscribe(self, stream: Stream, subscriber: Subscriber) -> None:
        """Subscribes, and returns when the server has accepted it."""
        engine = self._begin()
        subscriptions = self._subscriptions
        assert subscriptions is not None, "there is an engine"
        self._last_key += 1
        key = self._last_key
        self._subscribers[key] = subscriber
        subscriber._begin(
            lambda wishes: self._carry_out(subscriptions.update(key, wishes)),
            lambda: self._unsubscribe(key),
            path=engine.flows or engine.new,
        )
        (asked,) = subscriptions.subscribe(key, stream.id, subscriber._wishes)
        request = getattr(asked, "request")  # noqa: B009 - the one effect of this input
        # In a task of its own: if the caller is cancelled, the number that comes must still be given back.
        asking = self._start(self._ask(request, lambda result: self._subscribed(subscriptions, key, result)))
        try:
            await asyncio.shield(asking)
        except SessionError:
            subscriptions.refused(key)
            self._subscribers.pop(key, None)
            raise
        except asyncio.CancelledError:
            self._unsubscribe(key)
            asking.add_done_callback(lambda done: None if done.cancelled() else done.exception())
            raise

    # What the server says

    def take(self, news: MediaNews) -> None:
        """Takes news of the server, in their order."""
        match news:
            case wire.Joined():
                self._joined = news
            case wire.StreamDestroyed():
                self._own_stream_ended(news.stream_id, stream_reason(news.reason))
            case wire.StreamMuted():
                if (found := self._publishers.get(news.stream_id)) is not None:
                    found[0]._mute()
            case wire.ConnectionInterrupted() | wire.ConnectionRestored():
                present = isinstance(news, wire.ConnectionRestored)
                for subscriber in self.subscribers:
                    if subscriber.stream.connection.id == news.connection_id:
                        subscriber._publisher_present(present=present)
            case _ if self._engine is not None and self._subscriptions is not None:
                self._take_notice(self._engine, self._subscriptions, news)

    def _take_notice(self, engine: Media, subscriptions: Subscriptions, news: MediaNews) -> None:
        match news:
            case wire.Bound():
                self._carry_out(subscriptions.bound(news.binding))
            case wire.Unbound():
                self._carry_out(subscriptions.unbound(news.slot, news.generation))
            case wire.AudioSlot():
                if engine.audio_of(news.slot, news.epoch) is not None:
                    self._carry_out(subscriptions.audio_slot(news.slot, news.subscription_id, news.audio_rtp_timestamp))
            case wire.SlotsNeeded():
                engine.slots_needed(news.pairs)
            case wire.LayersPaused():
                engine.pause_layers(news.stream_id, news.rids)
            case wire.MediaFailed():
                engine.failed(news.epoch)
            case wire.SubscriptionVideo():
                key = subscriptions.key_of(news.subscription_id)
                if key is not None and key in self._subscribers:
                    self._subscribers[key]._video(enabled=news.enabled, reason=news.reason)
            case wire.SubscriptionVideoWarning():
                key = subscriptions.key_of(news.subscription_id)
                if key is not None and key in self._subscribers:
                    self._subscribers[key]._video_warning(active=news.active)
            case wire.Resumed():
                if news.snapshot is not None:
                    here = {stream.id for stream in news.snapshot.streams}
                    for stream_id in [known for known in self._publishers if known not in here]:
                        self._own_stream_ended(stream_id, StreamReason.NETWORK_DISCONNECTED)
                if engine.resumed(news.epoch):
                    self._carry_out(subscriptions.reconcile(news.bindings))

    def stream_ended(self, event: StreamEvent) -> None:
        """Another client's stream ended: unless that is prevented, its Subscribers go."""
        stream, reason = event.stream, event.reason
        if not event.is_default_prevented():
            for subscriber in self.subscribers:
                if subscriber.stream is stream:
                    subscriber._destroy(str(reason))

    def stream_changed(self, stream: Stream, changed_property: str) -> None:
        """A property of a stream changed."""
        for subscriber in self.subscribers:
            if subscriber.stream is stream:
                subscriber._stream_changed(changed_property)

    def over(self, reason: DisconnectReason) -> Callable[[bool], None]:
        """The connection has ended. Returns what happens after the handlers of `sessionDisconnected`.

        Publishers always get `streamDestroyed`; unless the default was prevented they are then destroyed, and
        Subscribers are.
        """
        publishers, subscribers = self.publishers, self.subscribers
        self._publishers.clear()
        self._subscribers.clear()
        self._joined = None
        if self._subscriptions is not None:
            self._subscriptions.clear()
        if self._engine is not None:
            self._engine.end()
            self._start(self._engine.ended())
            self._engine = self._subscriptions = None
        for publisher in publishers:
            publisher._publication = None
        for subscriber in subscribers:
            subscriber._session_ended()

        def default(prevented: bool) -> None:
            for publisher in publishers:
                publisher._unpublished(StreamReason(reason.value), prevented=prevented)
            if not prevented:
                for subscriber in subscribers:
                    subscriber._destroy(reason.value)

        return default

    async def closed(self) -> None:
        """Waits until nothing of an ended connection runs any more."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks)

    # World

    def make_peer(self, on_state: Callable[[PeerState], None]) -> Peer:
        """Makes a peer of the client's own stack."""
        from tertulia.client.media.webrtc import WebRtcPeer
        from tertulia.clock import SystemClock

        return WebRtcPeer(on_state, lambda: SystemClock().wall() / 1000)

    async def request(
        self, request: wire.Negotiate | wire.Publish | wire.Republish, now: Callable[[wire.Result], None]
    ) -> wire.Result:
        """Sends a request of the engine."""
        return await self._ask(request, now)

    def retry_delay_s(self, tries: int) -> float:
        """The pause after so many failures in a row."""
        return retry_delay_s(tries, secrets.randbelow(1 << 16) / (1 << 16))

    def media_flows(self, flows: bool) -> None:
        """Media passes, or no longer."""
        for subscriber in self.subscribers:
            subscriber._path_flows(flows=flows)

    def media_replaced(self) -> None:
        """All slot pairs are gone."""
        if self._subscriptions is not None:
            self._carry_out(self._subscriptions.transport_replaced())

    # The rest

    def _begin(self) -> Media:
        """The engine, which is made when it is first needed."""
        if self._joined is None:
            raise not_connected()
        if self._engine is None:
            try:
                from tertulia.client.media.engine import Media
                from tertulia.client.media.subscriptions import Subscriptions
                from tertulia.client.media.webrtc import WebRtcPeer as _  # noqa: F401 - whether it can be imported
            except ImportError as error:
                raise media_not_installed(error) from error
            self._subscriptions = Subscriptions()
            self._engine = Media(self, receives=bool(self._joined.capabilities.subscribe))
        return self._engine

    async def _register(self, engine: Media, publication: Publication, publisher: Publisher) -> Stream:
        message = await engine.publish(publication, _description(publisher))
        self._presence.stream_created(message)
        return self._presence.streams[message.id]

    def _take_in(self, engine: Media, publisher: Publisher, publication: Publication, stream: Stream) -> None:
        if publication.stream_id in self._ended or engine is not self._engine:
            self._ended.pop(stream.id, None)
            engine.unpublish(publication)
            raise stream_destroyed("The stream was ended before `publish` had returned.")
        if publisher.destroyed:
            self._leave(publication, stream.id)
            raise stream_destroyed("The Publisher was destroyed before it was published.")
        self._publishers[stream.id] = (publisher, publication)
        publisher._published(
            stream,
            publication,
            lambda changes: self._update(stream.id, changes),
            lambda reason: self._leave(publication, stream.id, reason),
        )

    def _withdraw(self, engine: Media, publication: Publication, registering: asyncio.Task[Stream]) -> None:
        """Whoever published was cancelled; the stream that came of it goes again."""
        if not registering.cancelled() and registering.exception() is None and engine is self._engine:
            self._leave(publication, registering.result().id)

    def _leave(self, publication: Publication, stream_id: str, reason: str = "clientDisconnected") -> None:
        """Ends an own stream without waiting for the answer."""
        if self._engine is not None:
            self._engine.unpublish(publication)
            said: wire.Reason | None = "mediaStopped" if reason == "mediaStopped" else None
            self._send(wire.Unpublish(stream_id, said))

    def _update(self, stream_id: str, changes: dict[str, Any]) -> None:
        dimensions = changes.get("video_dimensions")
        if isinstance(dimensions, VideoDimensions):
            changes = {**changes, "video_dimensions": wire.Dimensions(dimensions.width, dimensions.height)}
        self._send(wire.UpdateStream(stream_id, **changes))

    def _own_stream_ended(self, stream_id: str, reason: StreamReason) -> None:
        found = self._publishers.pop(stream_id, None)
        if found is None:
            self._ended[stream_id] = reason
            if len(self._ended) > ENDED_STREAMS:
                del self._ended[next(iter(self._ended))]
            return
        publisher, publication = found
        if self._engine is not None:
            self._engine.unpublish(publication)
        for subscriber in self.subscribers:
            if subscriber.stream.id == stream_id:
                subscriber._destroy(str(reason))
        publisher._unpublished(reason)

    def _subscribed(self, subscriptions: Subscriptions, key: int, result: wire.Result) -> None:
        assert isinstance(result, wire.Subscribed), "the reply to `subscribe` was decoded as such"
        self._carry_out(subscriptions.answered(key, result.subscription_id))

    def _unsubscribe(self, key: int) -> None:
        if self._subscriptions is not None:
            self._carry_out(self._subscriptions.unsubscribe(key))
        self._subscribers.pop(key, None)

    def _carry_out(self, effects: list[Effect]) -> None:
        from tertulia.client.media.subscriptions import Attach, Carry, Detach, SendRequest

        for effect in effects:
            match effect:
                case Attach(key, binding):
                    media = self._engine.media(binding) if self._engine is not None else None
                    if media is not None and key in self._subscribers:
                        self._subscribers[key]._attach(media)
                case Detach(key):
                    if key in self._subscribers:
                        self._subscribers[key]._detach()
                case Carry(key, slot, start):
                    line = self._engine.audio_of(slot) if self._engine is not None and slot is not None else None
                    if key in self._subscribers:
                        self._subscribers[key]._carry(line, start)
                case SendRequest(request):
                    self._send(request)

    def _send(self, request: Request) -> None:
        """Sends a request whose answer changes nothing."""

        async def send() -> None:
            with contextlib.suppress(SessionError):  # what it was about is over on the server, or everything is
                await self._ask(request)

        self._start(send())

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine, name="tertulia request")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _publication(publisher: Publisher) -> Publication:
    from tertulia.client.media.engine import Publication
    from tertulia.client.media.peer import SendWishes

    options = publisher._options
    return Publication(
        SendWishes(
            publisher._audio is not None,
            options.video_codec if publisher._video is not None else None,
            RIDS if options.simulcast else (),
        )
    )


def _description(publisher: Publisher) -> wire.Publish:
    options = publisher._options
    has_video = publisher._video is not None
    return wire.Publish(
        epoch=1,
        offer="",
        slots=[],
        name=options.name,
        initials=options.initials,
        has_audio=publisher._audio is not None and publisher.publishes_audio,
        has_video=has_video and publisher.publishes_video,
        video_type=options.video_type if has_video else None,
        video_dimensions=wire.Dimensions(publisher._dimensions.width, publisher._dimensions.height)
        if has_video
        else wire.Dimensions(0, 0),
        frame_rate=options.frame_rate,
        audio_fallback=None if options.audio_fallback else False,
    )
