"""Large sessions: when only the loudest are forwarded, to whom, on which pairs, and what clients are told of it."""

import pytest

from tertulia.domain.commands import (
    Carried,
    ChangeAudioSlot,
    FindTransport,
    FoundAudioSlot,
    FoundSlot,
    Subscribe,
    Unpublish,
    Unsubscribe,
    UpdateStream,
)
from tertulia.domain.events import AudioSlotChanged, BindSlot, SetAudioSlots, SlotsNeeded, UnbindSlot
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Reason
from tertulia.domain.session import Session
from tertulia.domain.stream import Stream
from tertulia.ids import ConnectionId, Generation, SlotIndex, TransportId
from tests.unit.domain.stage import Stage

LIMITS = SessionLimits(connections=50, streams=50, loudest_above=4, loudest_streams=2)


class Hall:
    """A stage with so many publishers of a stream each, and Ben, who has pairs and knows of audio slots."""

    def __init__(self, publishers: int, *, pairs: int = 8, knows: bool = True) -> None:
        self.stage = Stage(LIMITS)
        self.ben = self.stage.join("ben", knows_audio_slots=knows)
        self.stage.negotiate(self.ben, pairs=pairs)
        self.streams: list[Stream] = []
        for _ in range(publishers):
            self.publish()

    def publish(self, *, has_audio: bool = True) -> Stream:
        name = self.stage.join(f"publisher-{len(self.streams)}")
        self.stage.negotiate(name)
        stream = self.stage.publish(name, has_audio=has_audio)
        self.streams.append(stream)
        return stream

    def unpublish(self, stream: Stream) -> None:
        origin = self.stage.origin(stream.connection_id)
        self.stage.do(Unpublish(origin, stream.stream_id, Reason.CLIENT_DISCONNECTED))

    def update(self, stream: Stream, *, has_audio: bool) -> None:
        origin = self.stage.origin(stream.connection_id)
        self.stage.do(UpdateStream(origin, stream.stream_id, has_audio, None, None, None, None))

    @property
    def orders(self) -> list[tuple[int, ...]]:
        """The audio slots that the router was told for Ben, in order."""
        orders = self.stage.intents_of(SetAudioSlots)
        return [intent.slots for intent in orders if isinstance(intent, SetAudioSlots)]

    @property
    def transport(self) -> TransportId:
        transport_id = self.stage.session.connections[self.ben].transport_id
        assert transport_id is not None
        return transport_id

    def carry(self, slot: int, of: tuple[int, int] | None) -> AudioSlotChanged:
        """The router says what an audio slot carries; return what Ben is told."""
        carried = None if of is None else Carried(SlotIndex(of[0]), Generation(of[1]))
        timestamp = None if of is None else 960
        self.stage.do(ChangeAudioSlot(self.ben, self.transport, SlotIndex(slot), carried, timestamp))
        told = self.stage.notices[self.ben][-1]
        assert isinstance(told, AudioSlotChanged)
        return told


def test_above_the_threshold_a_subscriber_gets_audio_slots_on_free_pairs() -> None:
    hall = Hall(4)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    assert hall.orders == []
    hall.publish()
    assert hall.orders == [(6, 7)]


def test_it_ends_well_below_the_threshold_and_begins_again_on_the_same_pairs() -> None:
    hall = Hall(5)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    hall.unpublish(hall.streams[4])
    hall.unpublish(hall.streams[3])
    assert hall.orders == [(6, 7)], "three are still above two"
    hall.unpublish(hall.streams[2])
    assert hall.orders == [(6, 7), ()]
    for _ in range(3):
        hall.publish()
    assert hall.orders == [(6, 7), (), (6, 7)]


def test_only_live_sound_counts() -> None:
    hall = Hall(4)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    hall.publish(has_audio=False)
    assert hall.orders == []
    hall.update(hall.streams[0], has_audio=False)
    hall.publish()
    assert hall.orders == []
    hall.update(hall.streams[0], has_audio=True)
    assert hall.orders == [(6, 7)]


def test_nothing_is_bound_to_an_audio_slot_even_after_it_ended() -> None:
    hall = Hall(5, pairs=4)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    assert hall.orders == [(2, 3)]
    for stream in hall.streams[1:]:
        hall.stage.subscribe(hall.ben, stream)
    while len(hall.streams) > 2:
        hall.unpublish(hall.streams.pop())
    bound = [intent.slot for intent in hall.stage.intents_of(BindSlot) if isinstance(intent, BindSlot)]
    assert set(bound) == {0, 1}


def test_pairs_are_asked_for_when_there_are_too_few() -> None:
    hall = Hall(5, pairs=2)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    assert hall.orders == []
    assert [n.pairs for n in hall.stage.notices[hall.ben] if isinstance(n, SlotsNeeded)] == [4]
    hall.stage.negotiate(hall.ben, pairs=2, first=2)
    assert hall.orders == [(2, 3)]


@pytest.mark.parametrize("subscribes", [True, False])
def test_a_client_that_does_not_know_or_does_not_subscribe_is_left_alone(subscribes: bool) -> None:
    hall = Hall(5, knows=not subscribes)
    if subscribes:
        hall.stage.subscribe(hall.ben, hall.streams[0])
    assert hall.orders == []
    assert not [notice for notice in hall.stage.notices[hall.ben] if isinstance(notice, SlotsNeeded)]


def test_the_subscriber_is_told_whose_sound_an_audio_slot_carries() -> None:
    hall = Hall(5)
    subscription_id = hall.stage.subscribe(hall.ben, hall.streams[0])
    assert hall.carry(6, (0, 1)) == AudioSlotChanged(hall.ben, 1, SlotIndex(6), subscription_id, 960)
    assert hall.carry(6, None) == AudioSlotChanged(hall.ben, 1, SlotIndex(6), None, None)
    assert hall.carry(6, (0, 9)).subscription_id is None, "a binding that is over is nobody's"
    before = len(hall.stage.notices[hall.ben])
    hall.stage.do(ChangeAudioSlot(hall.ben, TransportId(999), SlotIndex(6), None, None))
    assert len(hall.stage.notices[hall.ben]) == before, "another transport is none of ours"


def test_a_client_that_resumes_is_told_again() -> None:
    hall = Hall(5)
    subscription_id = hall.stage.subscribe(hall.ben, hall.streams[0])
    hall.stage.lose(hall.ben)
    hall.stage.do(ChangeAudioSlot(hall.ben, hall.transport, SlotIndex(7), Carried(SlotIndex(0), Generation(1)), 960))
    assert not [notice for notice in hall.stage.notices[hall.ben] if isinstance(notice, AudioSlotChanged)]
    hall.stage.resume(hall.ben, knows_audio_slots=True)
    told = [notice for notice in hall.stage.notices[hall.ben] if isinstance(notice, AudioSlotChanged)]
    assert told == [AudioSlotChanged(hall.ben, 1, SlotIndex(7), subscription_id, 960)]


def test_a_new_transport_gets_audio_slots_of_its_own() -> None:
    hall = Hall(5)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    hall.stage.negotiate(hall.ben, epoch=2, pairs=4)
    assert hall.orders == [(6, 7), (2, 3)]


def test_a_router_that_came_back_without_them_is_told_again() -> None:
    hall = Hall(5)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    found = tuple(FoundSlot(SlotIndex(slot), Generation(int(slot == 0)), slot == 0) for slot in range(8))
    hall.stage.do(FindTransport(hall.ben, hall.transport, found))
    assert hall.orders == [(6, 7), (6, 7)]


def restored(hall: Hall) -> Stage:
    """The hall after control was killed, as the store and the memory of the test have it."""
    state = hall.stage.session
    session, events = Session.restore(
        LIMITS,
        hall.stage.now,
        number=state.number,
        connections=list(state.connections.values()),
        streams=state.streams,
        subscriptions=[s for all_of in state._state.subscriptions.values() for s in all_of.values()],
        pairs=[(name, pair) for name, pairs in state._state.pairs.items() for pair in pairs.values()],
    )
    stage = Stage(LIMITS, session)
    stage.facts = {name: [] for name in session.connections}
    stage.notices = {name: [] for name in session.connections}
    stage.take(events)
    return stage


def test_a_restarted_control_finds_the_audio_slots_that_the_router_has() -> None:
    hall = Hall(5)
    subscription_id = hall.stage.subscribe(hall.ben, hall.streams[0])
    stage = restored(hall)
    stage.resume(hall.ben, knows_audio_slots=True)
    assert stage.intents_of(SetAudioSlots) == [], "the router is asked first"
    found = tuple(FoundSlot(SlotIndex(slot), Generation(int(slot in (0, 6))), slot in (0, 6)) for slot in range(8))
    slots = (
        FoundAudioSlot(SlotIndex(6), Carried(SlotIndex(0), Generation(1)), 960),
        FoundAudioSlot(SlotIndex(7), None, None),
    )
    stage.do(FindTransport(hall.ben, hall.transport, found, slots))
    assert stage.intents_of(SetAudioSlots) == []
    assert stage.intents_of(UnbindSlot) == [], "what an audio slot carries is no forgotten binding"
    told = [notice for notice in stage.notices[hall.ben] if isinstance(notice, AudioSlotChanged)]
    assert AudioSlotChanged(hall.ben, 1, SlotIndex(6), subscription_id, 960) in told
    for stream in hall.streams[1:]:
        stage.do(Subscribe(stage.origin(hall.ben), stream.stream_id, True, True))
    bound = {intent.slot for intent in stage.intents_of(BindSlot) if isinstance(intent, BindSlot)}
    assert bound.isdisjoint({6, 7})


def test_a_restarted_control_turns_on_what_a_router_that_has_none_should_have() -> None:
    hall = Hall(5)
    hall.stage.subscribe(hall.ben, hall.streams[0])
    stage = restored(hall)
    found = tuple(FoundSlot(SlotIndex(slot), Generation(int(slot == 0)), slot == 0) for slot in range(8))
    stage.do(FindTransport(hall.ben, hall.transport, found))
    assert stage.intents_of(SetAudioSlots) == [], "what the client knows is not known yet"
    stage.resume(hall.ben, knows_audio_slots=True)
    (order,) = stage.intents_of(SetAudioSlots)
    assert isinstance(order, SetAudioSlots)
    assert order.slots == (6, 7)


def test_what_a_connection_had_is_forgotten_with_it() -> None:
    hall = Hall(5)
    subscription_id = hall.stage.subscribe(hall.ben, hall.streams[0])
    hall.carry(6, (0, 1))
    hall.stage.do(Unsubscribe(hall.stage.origin(hall.ben), subscription_id))
    hall.stage.lose(hall.ben)
    hall.stage.pass_time(LIMITS.seat_held_s + 1)
    state = hall.stage.session._state
    for table in (state.audio_slots, state.hears_loudest, state.carried, state.knows_audio_slots):
        assert ConnectionId("ben") not in table
