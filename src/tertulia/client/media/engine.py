"""The client's media: one peer at a time, numbered by epoch, one offer at a time.

Invariants: an offer is outstanding only inside a turn; slot pairs grow and never shrink within an epoch; a stream
that was
accepted is offered again in every later epoch until it is taken out. A turn that has begun is finished even if whoever
wanted it was cancelled: the server may have taken the offer, and both sides must agree on what stands in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from tertulia.client.errors import SessionError, media_failed, not_connected, unexpected_answer
from tertulia.client.media.peer import (
    Peer,
    PeerError,
    PeerState,
    Receiver,
    SendWishes,
    SentLines,
    SlotReceivers,
)
from tertulia.wire import signalling as wire

POOL_SIZES = (2, 4, 8, 16, 32, 48, 56)
"""Sizes of the pool of slot pairs; each is asked for only when the one before does not do."""

CONNECT_S = 30.0
FLOW_PATIENCE_S = 3.0
"""How long media may stop before that is told: a transport whose router was restarted is replaced within it."""
"""Media must pass within this time after a stream was accepted. Browsers give up ICE after 15 to 30 s."""

R = TypeVar("R")

_log = logging.getLogger("tertulia.client")


@dataclass(frozen=True, slots=True)
class SlotMedia:
    """What a binding plays, and the RTP timestamps at which it begins; None takes the first frame that comes."""

    receivers: SlotReceivers
    audio_start: int | None
    video_start: int | None


class World(Protocol):
    """What the media of a client needs of the rest of it."""

    def make_peer(self, on_state: Callable[[PeerState], None]) -> Peer:
        """Makes a peer."""

    async def request(
        self, request: wire.Negotiate | wire.Publish | wire.Republish, now: Callable[[wire.Result], None]
    ) -> wire.Result:
        """Sends a request and returns its result; `now` gets it in the very moment in which it comes."""

    def retry_delay_s(self, tries: int) -> float:
        """The pause after so many failures in a row."""

    def media_flows(self, flows: bool) -> None:
        """Media passes between client and server, or has not for 3 s."""

    def media_replaced(self) -> None:
        """A new peer took the place of the one before, and all slot pairs with it."""


class Publication:
    """One stream of ours: what it needs, and the lines that carry it in the present epoch."""

    def __init__(self, wishes: SendWishes) -> None:
        """Takes the lines that the stream needs."""
        self.wishes = wishes
        self.stream_id: str | None = None
        self.lines: SentLines | None = None
        self.paused: frozenset[str] = frozenset()
        """Names of the encodings that nobody needs just now."""

    @property
    def needed(self) -> list[int]:
        """Which encodings of the pictures somebody needs, by index; the smallest always."""
        rids = self.wishes.rids or ("",)
        return [index for index, rid in enumerate(rids) if index == 0 or rid not in self.paused]


class _SupersededError(Exception):
    """The peer of a turn was replaced before the request was sent."""


class _AnsweredLateError(Exception):
    """The peer of a turn was replaced before the answer came."""

    def __init__(self, result: wire.Result) -> None:
        super().__init__()
        self.result = result


class Media:
    """The peer of one connection and everything on it. Made when media is first wanted, ended with the connection."""

    def __init__(self, world: World, *, receives: bool) -> None:
        """Makes the first peer. Without `receives` (the role may not subscribe) there are no slot pairs."""
        self._world = world
        self._receives = receives
        self._loop = asyncio.get_running_loop()
        self._epoch = 0
        self._failures = 0
        # Whether media passes, and what was last told of it.
        self._flows = self._told_flows = False
        self._silence: asyncio.TimerHandle | None = None
        self._ended = self._passed = False
        self._wanted_pairs = POOL_SIZES[0] if receives else 0
        self._publications: list[Publication] = []
        self._used_slots: set[int] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._waiting: set[asyncio.Future[None]] = set()
        self._peer: Peer | None = None
        self._make_peer()

    # What the session says

    def end(self) -> None:
        """Closes the peer and ends every turn."""
        self._ended = True
        if self._peer is not None:
            self._peer.close()
            self._peer = None
        for timer in self._timers:
            timer.cancel()
        if self._silence is not None:
            self._silence.cancel()
        for task in self._tasks:
            task.cancel()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(not_connected())
        self._waiting.clear()

    async def ended(self) -> None:
        """Waits until nothing of it runs any more. Call `end()` before."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def slots_needed(self, pairs: int) -> None:
        """The server wants so many slot pairs in all."""
        size = next((size for size in POOL_SIZES if size >= pairs), POOL_SIZES[-1])
        if self._receives and size > self._wanted_pairs:
            self._wanted_pairs = size
            self._negotiate()

    def failed(self, epoch: int) -> None:
        """The server's transport of that epoch has ended."""
        if epoch == self._epoch:
            self._replace()

    def resumed(self, epoch: int) -> bool:
        """The signalling is back, and the server holds the transport of that epoch, or none (0).

        False when that is not ours, so that a new peer was made and no binding holds any more.
        """
        if self._peer is None:
            return False
        if (self._established and epoch != self._epoch) or self._peer.state is PeerState.FAILED:
            self._replace()
            return False
        if self._peer.state is PeerState.INTERRUPTED:
            self._restart_ice()
        return True

    # Publishing and subscribing

    @property
    def flows(self) -> bool:
        """Whether media passes between the server and this client; not told yet is a stop of less than 3 s."""
        return self._told_flows

    @property
    def new(self) -> bool:
        """Whether no media has passed yet, because there was no time for it."""
        return self._epoch == 1 and not self._passed

    def media(self, binding: wire.Binding) -> SlotMedia | None:
        """What plays a binding of the current epoch; None when it belongs to an earlier one."""
        if self._peer is None or binding.epoch != self._epoch:
            return None
        receivers = self._peer.receivers(binding.slot)
        if receivers is None:
            return None
        fresh = binding.slot not in self._used_slots
        self._used_slots.add(binding.slot)
        if fresh:
            return SlotMedia(receivers, None, None)
        return SlotMedia(receivers, binding.audio_rtp_timestamp, binding.video_rtp_timestamp)

    def audio_of(self, slot: int, epoch: int | None = None) -> Receiver | None:
        """The audio line of a slot; None when there is none, or when that `epoch` is over."""
        is_over = self._peer is None or epoch not in (None, self._epoch)
        receivers = None if is_over or self._peer is None else self._peer.receivers(slot)
        return None if receivers is None else receivers.audio

    async def publish(self, publication: Publication, description: wire.Publish) -> wire.Stream:
        """Offers the stream's lines and returns it as the server has registered it. `unpublish` takes it out again.

        `description` says what the stream is; its offer and lines are filled in here.

        Raises:
            SessionError: the server refused it, or could not be asked.
        """
        while True:
            epoch = self._epoch
            try:
                result = await self._turn(
                    lambda peer: self._take_lines(peer, publication),
                    lambda offer: _with_offer(description, offer, publication),
                )
            except _AnsweredLateError as late:
                stream = _stream_of(late.result)
                publication.stream_id = stream.id
                self._republish(publication)
                return stream
            except (SessionError, _SupersededError) as error:
                if isinstance(error, _SupersededError) and epoch != self._epoch and not self._ended:
                    continue
                self.unpublish(publication)
                if isinstance(error, SessionError):
                    raise
                raise media_failed("The media connection ended before the stream was accepted.") from error
            stream = _stream_of(result)
            publication.stream_id = stream.id
            return stream

    def pause_layers(self, stream_id: str, rids: Iterable[str]) -> None:
        """Nobody needs these encodings of a stream just now, and somebody all others."""
        for publication in self._publications:
            if publication.stream_id == stream_id:
                publication.paused = frozenset(rids)

    def unpublish(self, publication: Publication) -> None:
        """Takes a stream out; its lines are used again by the next."""
        if publication.lines is not None:
            publication.lines.stop()
            publication.lines = None
        if publication in self._publications:
            self._publications.remove(publication)

    async def connected(self) -> None:
        """Waits until media passes.

        Raises:
            SessionError: the client has left, or no path was found within 30 s.
        """
        try:
            async with asyncio.timeout(CONNECT_S):
                while not self._flows:
                    if self._ended:
                        raise not_connected()
                    waiter: asyncio.Future[None] = self._loop.create_future()
                    self._waiting.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiting.discard(waiter)
        except TimeoutError as error:
            raise media_failed(f"No media path to the server was found within {CONNECT_S:.0f} s.") from error

    # Peers

    def _make_peer(self) -> None:
        self._epoch += 1
        self._established = False
        self._used_slots.clear()
        self._turns = asyncio.Lock()
        epoch = self._epoch
        self._peer = self._world.make_peer(lambda state: self._changed(state) if epoch == self._epoch else None)
        if self._receives:
            self._negotiate()
        for publication in self._publications:
            if publication.stream_id is not None:
                self._republish(publication)

    def _replace(self) -> None:
        if self._ended or self._peer is None:
            return
        _log.info("the media connection is made anew")
        self._peer.close()
        self._set_flow(flows=False)
        self._world.media_replaced()
        self._make_peer()

    def _changed(self, state: PeerState) -> None:
        if self._ended:
            return
        if state is PeerState.CONNECTED:
            self._failures = 0
            self._passed = True
            self._set_flow(flows=True)
        elif state is PeerState.INTERRUPTED:
            self._set_flow(flows=False)
            self._restart_ice()
        elif state is PeerState.FAILED:
            self._set_flow(flows=False)
            self._try_again(self._replace)

    def _try_again(self, step: Callable[[], None]) -> None:
        """Runs `step` after a pause that grows with every failure in a row, unless the peer was replaced meanwhile."""
        epoch = self._epoch

        def run() -> None:
            self._timers.discard(timer)
            if epoch == self._epoch and not self._ended:
                step()

        timer = self._loop.call_later(max(self._world.retry_delay_s(self._failures), 0.01), run)
        self._timers.add(timer)
        self._failures += 1

    def _set_flow(self, *, flows: bool) -> None:
        if flows == self._flows:
            return
        self._flows = flows
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        if not flows:
            self._silence = self._loop.call_later(FLOW_PATIENCE_S, self._tell_flow, False)
            return
        self._tell_flow(flows)
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def _tell_flow(self, flows: bool) -> None:
        if flows != self._told_flows:
            self._told_flows = flows
            self._world.media_flows(flows)

    def _restart_ice(self) -> None:
        if self._peer is not None:
            self._peer.restart_ice()
            self._negotiate()

    # Offers

    def _negotiate(self) -> None:
        """Offers what the peer holds now, until the server answers."""

        def prepare(peer: Peer) -> None:
            if peer.slot_count < self._wanted_pairs:
                peer.add_slot_pairs(self._wanted_pairs - peer.slot_count)

        self._run(self._turn(prepare, lambda offer: wire.Negotiate(*offer)), "the media connection", self._negotiate)

    def _republish(self, publication: Publication) -> None:
        stream_id = publication.stream_id
        assert stream_id is not None, "only streams that were accepted are offered again"

        def request(offer: _Offer) -> wire.Republish:
            epoch, text, slots = offer
            audio_mid, video_mid = _mids(publication.lines)
            return wire.Republish(epoch, text, slots, stream_id, audio_mid, video_mid)

        def again() -> None:
            if publication in self._publications:
                self._republish(publication)

        self._run(self._turn(lambda peer: self._take_lines(peer, publication), request), "a stream", again)

    def _run(self, turn: Coroutine[Any, Any, wire.Result], what: str, again: Callable[[], None]) -> None:
        epoch = self._epoch

        async def run() -> None:
            try:
                await turn
            except (_SupersededError, _AnsweredLateError):
                pass
            except SessionError as error:
                if epoch == self._epoch and not self._ended:
                    _log.warning("%s could not be negotiated: %s", what, error)
                    self._try_again(again)

        self._start(run())

    def _start(self, coroutine: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        task = self._loop.create_task(coroutine, name="tertulia media")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _take_lines(self, peer: Peer, publication: Publication) -> None:
        publication.lines = peer.send(publication.wishes)
        # The server knows nothing yet of who needs what of these lines.
        publication.paused = frozenset()
        if publication not in self._publications:
            self._publications.append(publication)

    async def _turn(
        self,
        prepare: Callable[[Peer], None],
        request: Callable[[_Offer], wire.Negotiate | wire.Publish | wire.Republish],
    ) -> wire.Result:
        """One turn: prepare the peer, offer, ask, apply the answer. It is finished whoever is cancelled.

        Raises:
            _SupersededError: the peer was replaced before the request was sent.
            _AnsweredLateError: it was replaced before the answer came.
            SessionError: what went wrong; the offer is taken back.
        """
        if self._peer is None:
            raise _SupersededError
        task = self._start(self._take_turn(self._peer, self._epoch, prepare, request))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Nobody asks for its outcome any more, unless the turn itself ended with the connection.
            task.add_done_callback(lambda done: None if done.cancelled() else done.exception())
            if task.cancelled():
                raise not_connected() from None
            raise

    async def _take_turn(
        self,
        peer: Peer,
        epoch: int,
        prepare: Callable[[Peer], None],
        request: Callable[[_Offer], wire.Negotiate | wire.Publish | wire.Republish],
    ) -> wire.Result:
        async with self._turns:
            if peer is not self._peer:
                raise _SupersededError
            prepare(peer)
            offer = (epoch, peer.offer(), list(peer.new_slots()))

            def apply(result: wire.Result) -> None:
                # In the moment of the answer, not once a task runs: bindings of this epoch may follow at once.
                if peer is self._peer and isinstance(result, wire.Negotiated | wire.Published):
                    self._established = True
                    peer.accept(result.answer)

            try:
                result = await self._world.request(request(offer), apply)
            except PeerError as error:
                raise unexpected_answer(str(error)) from error
            except SessionError:
                if peer is self._peer:
                    peer.withdraw()
                raise
            if peer is not self._peer:
                raise _AnsweredLateError(result)
            return result


_Offer = tuple[int, str, list[wire.SlotPair]]


def _mids(lines: SentLines | None) -> tuple[str | None, str | None]:
    if lines is None:
        return None, None
    return (lines.audio.mid if lines.audio else None, lines.video.mid if lines.video else None)


def _with_offer(description: wire.Publish, offer: _Offer, publication: Publication) -> wire.Publish:
    epoch, text, slots = offer
    audio_mid, video_mid = _mids(publication.lines)
    return msgspec.structs.replace(
        description, epoch=epoch, offer=text, slots=slots, audio_mid=audio_mid, video_mid=video_mid
    )


def _stream_of(result: wire.Result) -> wire.Stream:
    assert isinstance(result, wire.Published), "the reply to `publish` was decoded as such"
    return result.stream
