"""Transports: offers and their answers, replacement, loss, and finding them after a restart."""

import dataclasses

import pytest

from tertulia.domain.commands import (
    EndTransport,
    FailOffer,
    FindTransport,
    ForceUnpublish,
    FoundSlot,
    Leave,
    Negotiate,
    Publish,
    Republish,
    SettleOffer,
    Unsubscribe,
)
from tertulia.domain.connection import NewPair
from tertulia.domain.events import (
    BindSlot,
    CloseTransport,
    MediaFailed,
    Negotiated,
    OpenTransport,
    Published,
    RenegotiateTransport,
    Resumed,
    SlotsNeeded,
    StreamDestroyed,
    SubscriptionVideoChanged,
    UnbindSlot,
)
from tertulia.domain.limits import SessionLimits
from tertulia.domain.roles import Role
from tertulia.domain.stream import Lines
from tertulia.domain.subscription import VideoFallback
from tertulia.errors import (
    ConnectFailedError,
    InvalidParameterError,
    OfferRefusedError,
    PermissionDeniedError,
    StreamLimitError,
    StreamNotFoundError,
    TertuliaError,
)
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, TransportId
from tests.unit.domain.stage import ANSWER, OFFER, Stage, new_pairs
from tests.unit.domain.test_session import restored


def transport_of(stage: Stage, connection_id: ConnectionId) -> TransportId:
    transport_id = stage.session.connections[connection_id].transport_id
    assert transport_id is not None
    return transport_id


def test_the_first_offer_opens_a_transport_and_the_next_renegotiates_it() -> None:
    stage = Stage()
    ana = stage.join("ana")
    origin = stage.negotiate(ana, pairs=2)
    assert stage.answers[origin] == Negotiated(ANSWER)
    stage.negotiate(ana, pairs=2, first=2)
    (opened,) = stage.intents_of(OpenTransport)
    (renegotiated,) = stage.intents_of(RenegotiateTransport)
    assert isinstance(opened, OpenTransport)
    assert isinstance(renegotiated, RenegotiateTransport)
    assert (opened.epoch, opened.pairs) == (1, new_pairs(2))
    assert renegotiated.pairs == new_pairs(2, 2)
    assert stage.session.connections[ana].epoch == 1


def test_the_first_offer_may_publish() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    assert stream.source is not None
    assert stream.source.transport_id == transport_of(stage, ana)


def test_one_offer_at_a_time() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.manual = True
    first = stage.negotiate(ana)
    with pytest.raises(InvalidParameterError):
        stage.negotiate(ana)
    stage.settle()
    assert stage.answers[first] == Negotiated(ANSWER)
    stage.negotiate(ana)


def test_a_stream_exists_only_once_the_router_has_answered() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.manual = True
    origin = stage.origin(ana)
    stage.do(stage.publish_command(origin))
    assert stage.session.streams == []
    stage.settle()
    assert isinstance(stage.answers[origin], Published)
    assert len(stage.session.streams) == 1


def test_a_refused_offer_is_said_and_makes_no_stream() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.manual = True
    origin = stage.origin(ana)
    stage.do(stage.publish_command(origin))
    (intent,) = stage.intents
    assert isinstance(intent, OpenTransport)
    error = OfferRefusedError("no")
    stage.do(FailOffer(ana, intent.ticket, error))
    assert stage.answers[origin] is error
    assert stage.session.streams == []
    assert stage.session.connections[ana].epoch == 0


def test_an_answer_that_never_came_ends_the_transport() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.negotiate(ana)
    stage.manual = True
    origin = stage.negotiate(ana)
    (intent,) = stage.intents
    assert isinstance(intent, RenegotiateTransport)
    stage.do(FailOffer(ana, intent.ticket, ConnectFailedError()))
    assert isinstance(stage.answers[origin], ConnectFailedError)
    assert isinstance(stage.notices[ana][-1], MediaFailed)
    assert stage.intents_of(CloseTransport)


@pytest.mark.parametrize("role", [Role.SUBSCRIBER])
def test_a_subscriber_may_not_publish(role: Role) -> None:
    stage = Stage()
    ana = stage.join("ana", role)
    with pytest.raises(PermissionDeniedError) as refusal:
        stage.session.handle(stage.publish_command(stage.origin(ana)), stage.now)
    assert refusal.value.kind.code == 1500


@pytest.mark.parametrize("role", [Role.PUBLISHER, Role.PUBLISHER_ONLY, Role.MODERATOR])
def test_every_other_role_may(role: Role) -> None:
    stage = Stage()
    stage.publish(stage.join("ana", role))


def test_streams_are_limited_per_connection_and_per_session() -> None:
    stage = Stage(SessionLimits(streams=3, streams_per_connection=2))
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.publish(ana)
    stage.publish(ana)
    with pytest.raises(StreamLimitError):
        stage.session.handle(stage.publish_command(stage.origin(ana)), stage.now)
    stage.publish(ben)
    with pytest.raises(StreamLimitError):
        stage.session.handle(stage.publish_command(stage.origin(ben)), stage.now)


def bad_offers() -> list[Negotiate | Publish]:
    stage = Stage()
    ana = stage.join("ana")

    def publish(**changes: object) -> Publish:
        return dataclasses.replace(stage.publish_command(stage.origin(ana)), **changes)  # type: ignore[arg-type]  # varied

    def negotiate(*pairs: NewPair) -> Negotiate:
        return Negotiate(stage.origin(ana), 1, OFFER, pairs)

    return [
        publish(lines=Lines(None, None)),
        publish(lines=Lines("x", "x")),
        publish(name="n" * 1001),
        publish(initials="n" * 1001),
        negotiate(NewPair(1, "a", "b")),
        negotiate(NewPair(0, "a", "b"), NewPair(0, "c", "d")),
        negotiate(NewPair(0, "a", "a")),
        negotiate(NewPair(0, "", "b")),
        negotiate(NewPair(0, "m" * 17, "b")),
        negotiate(*new_pairs(57)),
    ]


@pytest.mark.parametrize("command", bad_offers())
def test_a_bad_offer_is_refused_before_the_router_hears_of_it(command: Negotiate | Publish) -> None:
    stage = Stage()
    stage.join("ana")
    with pytest.raises(InvalidParameterError):
        stage.session.handle(command, stage.now)
    assert stage.intents_of(OpenTransport) == []


def test_pairs_continue_where_the_former_offers_ended() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.negotiate(ana, pairs=2)
    with pytest.raises(InvalidParameterError):
        stage.negotiate(ana, pairs=1, first=1)
    with pytest.raises(InvalidParameterError):
        stage.do(Negotiate(stage.origin(ana), 1, OFFER, (NewPair(2, "1A0", "new"),)))
    stage.negotiate(ana, pairs=1, first=2)


def test_a_higher_epoch_replaces_the_transport_and_all_that_hung_on_it() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stream = stage.publish(ana)
    first = transport_of(stage, ana)
    stage.subscribe(ben, stream)
    stage.negotiate(ana, epoch=2)
    assert CloseTransport(ana, first) in stage.done_intents
    assert transport_of(stage, ana) != first
    assert [each.source for each in stage.session.streams] == [None]
    assert len(stage.unbound(ben)) == 1
    with pytest.raises(InvalidParameterError):
        stage.negotiate(ana, epoch=1)


def test_republishing_binds_the_waiting_subscribers_to_the_new_lines() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stream = stage.publish(ana)
    subscription_id = stage.subscribe(ben, stream)
    before = stage.session.number
    origin = stage.origin(ana)
    stage.do(Republish(origin, 2, OFFER, (), stream.stream_id, Lines("9", "10")))
    assert stage.answers[origin] == Negotiated(ANSWER)
    second = stage.bound(ben)[1].binding
    assert (second.subscription_id, second.slot) == (subscription_id, 1)
    bind = stage.intents_of(BindSlot)[1]
    assert isinstance(bind, BindSlot)
    assert bind.source.lines == Lines("9", "10")
    assert bind.source.transport_id == transport_of(stage, ana)
    assert stage.session.number == before, "nobody sees a stream end or begin"


def test_republishing_on_the_same_transport_moves_the_subscribers_too() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stream = stage.publish(ana)
    stage.subscribe(ben, stream)
    stage.do(Republish(stage.origin(ana), 1, OFFER, (), stream.stream_id, Lines("9", "10")))
    assert len(stage.bound(ben)) == 2
    assert len(stage.unbound(ben)) == 1


def test_only_the_owner_republishes_and_only_what_is_there() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    with pytest.raises(PermissionDeniedError):
        stage.do(Republish(stage.origin(ben), 1, OFFER, (), stream.stream_id, Lines("1", "2")))
    with pytest.raises(StreamNotFoundError):
        stage.do(Republish(stage.origin(ana), 1, OFFER, (), StreamId("x"), Lines("1", "2")))
    with pytest.raises(InvalidParameterError):
        stage.do(Republish(stage.origin(ana), 1, OFFER, (), stream.stream_id, Lines(None, None)))


def test_a_stream_that_ends_while_it_is_republished_stays_ended_and_the_client_gets_its_answer() -> None:
    stage = Stage()
    mona, ana = stage.join("mona", Role.MODERATOR), stage.join("ana")
    stream = stage.publish(ana)
    stage.manual = True
    origin = stage.origin(ana)
    stage.do(Republish(origin, 2, OFFER, (), stream.stream_id, Lines("9", "10")))
    stage.do(ForceUnpublish(stage.origin(mona), stream.stream_id))
    stage.settle()
    assert stage.answers[origin] == Negotiated(ANSWER)
    assert stage.session.streams == []


def test_a_transport_that_fails_is_told_to_its_client_only() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stage.subscribe(ben, stage.publish(ana))
    before = stage.session.number
    stage.do(EndTransport(ana, transport_of(stage, ana), "ICE failed"))
    assert stage.notices[ana][-1] == MediaFailed(ana, 1, "ICE failed")
    assert stage.session.connections[ana].transport_id is None
    assert stage.session.number == before
    with pytest.raises(InvalidParameterError):
        stage.negotiate(ana, epoch=1)
    stage.negotiate(ana, epoch=2)


def test_a_transport_that_failed_is_not_offered_to_who_resumes() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.negotiate(ana)
    stage.lose(ana)
    stage.do(EndTransport(ana, transport_of(stage, ana), "gone"))
    stage.resume(ana)
    resumed = [notice for notice in stage.notices[ana] if isinstance(notice, Resumed)]
    assert resumed[-1].epoch == 0


def test_a_transport_opened_for_who_has_left_is_closed() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.manual = True
    stage.negotiate(ana)
    (intent,) = stage.intents
    assert isinstance(intent, OpenTransport)
    stage.do(Leave(stage.origin(ana)))
    stage.do(SettleOffer(ana, intent.ticket, TransportId(7), ANSWER))
    assert CloseTransport(ana, TransportId(7)) in stage.intents


def test_a_late_answer_to_an_offer_that_was_given_up_is_closed() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.manual = True
    stage.negotiate(ana)
    (intent,) = stage.intents
    assert isinstance(intent, OpenTransport)
    stage.do(FailOffer(ana, intent.ticket, TertuliaError()))
    stage.do(SettleOffer(ana, intent.ticket, TransportId(7), ANSWER))
    assert CloseTransport(ana, TransportId(7)) in stage.intents


# ---- after a restart of control or of the link


def test_a_transport_that_no_seat_owns_is_closed() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.negotiate(ana)
    mine = transport_of(stage, ana)
    stage.do(FindTransport(ana, TransportId(77), ()))
    stage.do(FindTransport(ana, mine, ()))
    assert stage.intents_of(CloseTransport) == [CloseTransport(ana, TransportId(77))]
    assert transport_of(stage, ana) == mine


def test_bindings_that_agree_are_kept_and_others_are_made_anew() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=4)
    kept, lost = stage.publish(ana), stage.publish(ana)
    stage.subscribe(ben, kept)
    lost_id = stage.subscribe(ben, lost)
    stage.manual = True
    found = (
        FoundSlot(SlotIndex(0), Generation(1), True),
        FoundSlot(SlotIndex(1), Generation(1), False),
        FoundSlot(SlotIndex(2), Generation(0), False),
        FoundSlot(SlotIndex(3), Generation(5), True),
        FoundSlot(SlotIndex(9), Generation(1), True),
    )
    stage.do(FindTransport(ben, transport_of(stage, ben), found))
    assert [(intent.slot, intent.generation) for intent in stage.intents if isinstance(intent, UnbindSlot)] == [
        (1, 1),
        (3, 5),
    ]
    stage.settle()
    assert [notice.subscription_id for notice in stage.unbound(ben)] == [lost_id]
    rebound = stage.bound(ben)[-1].binding
    assert (rebound.subscription_id, rebound.slot) == (lost_id, 2)


def test_what_the_router_did_with_a_video_meanwhile_is_told() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=1)
    subscription_id = stage.subscribe(ben, stage.publish(ana))
    for fallback in (None, VideoFallback.STOPPED, VideoFallback.STOPPED):
        found = (FoundSlot(SlotIndex(0), Generation(1), True, fallback),)
        stage.do(FindTransport(ben, transport_of(stage, ben), found))
    assert [notice for notice in stage.notices[ben] if isinstance(notice, SubscriptionVideoChanged)] == [
        SubscriptionVideoChanged(ben, subscription_id, False, "quality")
    ]


def test_a_bind_whose_answer_was_lost_is_taken_back_and_made_anew() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=1)
    stream = stage.publish(ana)
    stage.manual = True
    subscription_id = stage.subscribe(ben, stream)
    stage.intents.clear()  # the process dies with the request on its way
    restored(stage)
    stage.resume(ben)
    stage.do(FindTransport(ben, transport_of(stage, ben), (FoundSlot(SlotIndex(0), Generation(1), True),)))
    stage.settle()
    bindings = [(notice.binding.subscription_id, notice.binding.generation) for notice in stage.bound(ben)]
    assert bindings == [(subscription_id, 2)]
    assert stage.unbound(ben) == [], "a client that was never told need not let go"


def test_an_unbind_whose_answer_was_lost_is_sent_again() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=1)
    subscription_id = stage.subscribe(ben, stage.publish(ana))
    stage.manual = True
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    stage.intents.clear()
    restored(stage)
    stage.resume(ben)
    stage.do(FindTransport(ben, transport_of(stage, ben), (FoundSlot(SlotIndex(0), Generation(1), True),)))
    assert [intent for intent in stage.intents if isinstance(intent, UnbindSlot)]


def test_a_publisher_whose_transport_is_gone_is_told_after_a_restart_and_its_streams_stay() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=1)
    stage.subscribe(ben, stage.publish(ana))
    restored(stage)
    stage.resume(ana)
    stage.resume(ben)
    stage.do(EndTransport(ana, transport_of(stage, ana), "The media router restarted."))
    assert isinstance(stage.notices[ana][-1], MediaFailed)
    assert not [fact for fact in stage.facts[ben] if isinstance(fact, StreamDestroyed)]
    assert len(stage.unbound(ben)) == 1


def test_a_new_transport_with_too_few_pairs_is_asked_for_more() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stage.subscribe(ben, stage.publish(ana))
    stage.negotiate(ben, epoch=2)
    assert stage.notices[ben][-1] == SlotsNeeded(ben, 2)
