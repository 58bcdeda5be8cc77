"""Streams: properties and ends."""

import pytest

from tertulia.domain.commands import ForceUnpublish, PauseLayers, ReportSenderStats, Unpublish, UpdateStream
from tertulia.domain.events import (
    Done,
    LayersPaused,
    SenderStatsTold,
    SlotUnbound,
    StreamCreated,
    StreamDestroyed,
    StreamPropertyChanged,
)
from tertulia.domain.roles import Reason, Role
from tertulia.domain.stream import Dimensions, StreamProperty, VideoType
from tertulia.errors import (
    ForceUnpublishInvalidStreamError,
    InvalidParameterError,
    PermissionDeniedError,
    StreamNotFoundError,
)
from tertulia.ids import ConnectionId, StreamId
from tests.unit.domain.stage import Stage


def test_a_stream_is_announced_to_its_owner_too() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    assert stage.facts[ana][-1] == stage.facts[ben][-1] == StreamCreated(stream)


@pytest.mark.parametrize("reason", [Reason.CLIENT_DISCONNECTED, Reason.MEDIA_STOPPED])
def test_unpublishing_ends_the_stream_for_all_with_the_given_reason(reason: Reason) -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    origin = stage.origin(ana)
    stage.do(Unpublish(origin, stream.stream_id, reason))
    assert stage.answers[origin] == Done()
    for witness in (ana, ben):
        assert stage.facts[witness][-1] == StreamDestroyed(stream.stream_id, ana, reason)


@pytest.mark.parametrize("reason", [Reason.FORCE_DISCONNECTED, Reason.NETWORK_DISCONNECTED, Reason.FORCE_UNPUBLISHED])
def test_a_client_cannot_claim_a_reason_that_is_not_its_to_give(reason: Reason) -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    with pytest.raises(InvalidParameterError):
        stage.session.handle(Unpublish(stage.origin(ana), stream.stream_id, reason), stage.now)
    assert stage.session.streams == [stream]


def test_the_end_of_a_stream_unbinds_its_subscribers() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ben, pairs=2)
    stream = stage.publish(ana)
    subscription_id = stage.subscribe(ben, stream)
    stage.do(Unpublish(stage.origin(ana), stream.stream_id))
    (unbound,) = stage.unbound(ben)
    assert unbound == SlotUnbound(ben, subscription_id, unbound.slot, unbound.generation)


def test_nobody_unpublishes_or_changes_the_stream_of_another() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    for command in (
        Unpublish(stage.origin(ben), stream.stream_id),
        UpdateStream(stage.origin(ben), stream.stream_id, has_audio=False),
    ):
        with pytest.raises(PermissionDeniedError) as refusal:
            stage.session.handle(command, stage.now)
        assert refusal.value.kind.code == 1500
    assert stage.session.streams == [stream]


def test_an_unknown_stream_is_not_found() -> None:
    stage = Stage()
    ana = stage.join("ana")
    with pytest.raises(StreamNotFoundError):
        stage.session.handle(Unpublish(stage.origin(ana), StreamId("x")), stage.now)
    with pytest.raises(StreamNotFoundError):
        stage.session.handle(UpdateStream(stage.origin(ana), StreamId("x")), stage.now)


def test_a_moderator_ends_the_stream_of_another() -> None:
    stage = Stage()
    mona, ana = stage.join("mona", Role.MODERATOR), stage.join("ana")
    stream = stage.publish(ana)
    origin = stage.origin(mona)
    stage.do(ForceUnpublish(origin, stream.stream_id))
    assert stage.answers[origin] == Done()
    for witness in (mona, ana):
        assert stage.facts[witness][-1] == StreamDestroyed(stream.stream_id, ana, Reason.FORCE_UNPUBLISHED)
    assert ana in stage.session.connections


@pytest.mark.parametrize("role", [Role.SUBSCRIBER, Role.PUBLISHER, Role.PUBLISHER_ONLY])
def test_only_a_moderator_force_unpublishes(role: Role) -> None:
    stage = Stage()
    eve, ana = stage.join("eve", role), stage.join("ana")
    stream = stage.publish(ana)
    with pytest.raises(PermissionDeniedError) as refusal:
        stage.session.handle(ForceUnpublish(stage.origin(eve), stream.stream_id), stage.now)
    assert refusal.value.kind.code == 1530


def test_force_unpublishing_nothing_has_its_own_code() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    for origin in (None, stage.origin(mona)):
        with pytest.raises(ForceUnpublishInvalidStreamError) as refusal:
            stage.session.handle(ForceUnpublish(origin, StreamId("x")), stage.now)
        assert refusal.value.kind.code == 1535


def test_the_api_ends_a_stream_without_a_role() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.do(ForceUnpublish(None, stage.publish(ana).stream_id))
    assert stage.session.streams == []


def test_each_changed_property_is_announced_once() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    stage.do(
        UpdateStream(
            stage.origin(ana),
            stream.stream_id,
            has_audio=True,
            has_video=False,
            has_captions=True,
            video_dimensions=Dimensions(1280, 720),
            video_type=VideoType.SCREEN,
        )
    )
    for witness in (ana, ben):
        changes = [fact for fact in stage.facts[witness] if isinstance(fact, StreamPropertyChanged)]
        assert [(fact.property, fact.old_value, fact.new_value) for fact in changes] == [
            (StreamProperty.HAS_VIDEO, True, False),
            (StreamProperty.HAS_CAPTIONS, False, True),
            (StreamProperty.VIDEO_DIMENSIONS, Dimensions(640, 480), Dimensions(1280, 720)),
            (StreamProperty.VIDEO_TYPE, VideoType.CAMERA, VideoType.SCREEN),
        ]
    (changed,) = stage.session.streams
    assert (changed.has_audio, changed.has_video, changed.video_dimensions.width) == (True, False, 1280)


def test_video_that_stops_for_its_publishers_network_is_told_as_such_and_nothing_else_is() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    stage.do(UpdateStream(stage.origin(ana), stream.stream_id, has_audio=False, has_video=False, for_quality=True))
    changes = [fact for fact in stage.facts[ben] if isinstance(fact, StreamPropertyChanged)]
    assert [(fact.property, fact.for_quality) for fact in changes] == [
        (StreamProperty.HAS_AUDIO, False),
        (StreamProperty.HAS_VIDEO, True),
    ]


def test_an_update_without_change_is_answered_and_told_to_nobody() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    before = stage.session.number
    origin = stage.origin(ana)
    stage.do(UpdateStream(origin, stream.stream_id, has_audio=True))
    assert stage.answers[origin] == Done()
    assert stage.session.number == before


def told_stats(stage: Stage, name: str) -> list[SenderStatsTold]:
    return [notice for notice in stage.notices[ConnectionId(name)] if isinstance(notice, SenderStatsTold)]


def test_sender_statistics_reach_every_subscription_to_the_stream_and_nobody_else() -> None:
    stage = Stage()
    ana, ben, cleo = stage.join("ana"), stage.join("ben"), stage.join("cleo")
    stream, other = stage.publish(ana), stage.publish(ana)
    first, second = stage.subscribe(ben, stream), stage.subscribe(ben, stream)
    stage.subscribe(cleo, other)
    facts, changes = len(stage.numbers), len(stage.changes)
    stage.do(ReportSenderStats(ana, stream.stream_id, 2_000_000, 900_000))
    assert told_stats(stage, "ben") == [
        SenderStatsTold(ben, first, 2_000_000, 900_000),
        SenderStatsTold(ben, second, 2_000_000, 900_000),
    ]
    assert told_stats(stage, "ana") == told_stats(stage, "cleo") == []
    assert (len(stage.numbers), len(stage.changes)) == (facts, changes), "they are neither facts nor stored"


def test_sender_statistics_of_another_s_or_an_unknown_stream_have_no_effect() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stream = stage.publish(ana)
    stage.subscribe(ben, stream)
    assert stage.do(ReportSenderStats(ben, stream.stream_id, 1, 1)) == []
    assert stage.do(ReportSenderStats(ana, StreamId("x"), 1, 1)) == []
    assert len(stage.do(ReportSenderStats(ana, stream.stream_id, 1, 1))) == 1, "the forged one did not count"


def test_sender_statistics_are_passed_on_once_a_second_for_each_stream() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    one, other = stage.publish(ana), stage.publish(ana)
    for stream in (one, other):
        stage.subscribe(ben, stream)
        stage.do(ReportSenderStats(ana, stream.stream_id, 0, 1))
    stage.pass_time(0.9)
    assert stage.do(ReportSenderStats(ana, one.stream_id, 0, 2)) == []
    stage.pass_time(0.1)
    stage.do(ReportSenderStats(ana, one.stream_id, 0, 3))
    assert [told.estimated_bps for told in told_stats(stage, "ben")] == [1, 1, 3]


def test_a_publisher_hears_which_layers_nobody_needs_and_again_when_it_was_away() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream, other = stage.publish(ana), stage.publish(ana)
    assert stream.source is not None
    transport_id, mid = stream.source.transport_id, stream.source.lines.video_mid
    assert mid is not None
    stage.do(PauseLayers(ana, transport_id, mid, ("h", "f")))
    stage.do(PauseLayers(ana, transport_id, "unknown", ("f",)))
    paused = LayersPaused(ana, stream.stream_id, ("h", "f"))
    assert [notice for notice in stage.notices[ana] if isinstance(notice, LayersPaused)] == [paused]
    stage.lose(ana)
    stage.do(PauseLayers(ana, transport_id, mid, ()))
    stage.notices[ana].clear()
    stage.resume(ana)
    again = LayersPaused(ana, stream.stream_id, ())
    assert [notice for notice in stage.notices[ana] if isinstance(notice, LayersPaused)] == [again]
    assert other.stream_id != stream.stream_id
