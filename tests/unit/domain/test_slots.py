"""Subscriptions and slot pairs: which pair, when, and how it is let go."""

import pytest

from tertulia.domain.commands import (
    ChangeCodecSupport,
    ChangeVideoFallback,
    Leave,
    ReleaseSlot,
    ReportStalledVideo,
    SettleUnbind,
    Subscribe,
    Unpublish,
    Unsubscribe,
    UpdateStream,
    UpdateSubscription,
)
from tertulia.domain.events import (
    Binding,
    BindSlot,
    CloseTransport,
    Done,
    PauseSlot,
    PreferSlot,
    RequestKeyFrame,
    Resumed,
    SlotBound,
    SlotsNeeded,
    SlotUnbound,
    SubscriptionVideoChanged,
    SubscriptionVideoWarned,
    UnbindSlot,
)
from tertulia.domain.roles import Role
from tertulia.domain.stream import Dimensions, VideoType
from tertulia.domain.subscription import MAX_SUBSCRIPTIONS, NO_WISHES, PictureWishes, VideoFallback
from tertulia.errors import InvalidParameterError, PermissionDeniedError, StreamLimitError, StreamNotFoundError
from tertulia.ids import ConnectionId, Generation, SlotIndex, StreamId, SubscriptionId, TransportId
from tests.unit.domain.stage import Stage


def stage_with_a_subscriber(pairs: int = 2) -> tuple[Stage, ConnectionId, ConnectionId]:
    """Ana publishes what tests make her publish; Ben has a transport with `pairs` pairs."""
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.negotiate(ana)
    stage.negotiate(ben, pairs=pairs)
    return stage, ana, ben


def slots_bound(stage: Stage, connection_id: ConnectionId) -> list[tuple[int, int]]:
    return [(notice.binding.slot, notice.binding.generation) for notice in stage.bound(connection_id)]


def transport_of(stage: Stage, connection_id: ConnectionId) -> TransportId:
    transport_id = stage.session.connections[connection_id].transport_id
    assert transport_id is not None
    return transport_id


def test_a_subscription_is_bound_and_told_with_its_first_timestamps() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream = stage.publish(ana)
    subscription_id = stage.subscribe(ben, stream)
    assert stage.bound(ben) == [
        SlotBound(ben, Binding(subscription_id, 1, SlotIndex(0), Generation(1), 100, 200)),
    ]
    (bind,) = stage.intents_of(BindSlot)
    assert isinstance(bind, BindSlot)
    assert bind.source == stream.source
    assert (bind.audio_paused, bind.video_paused) == (False, False)


def test_an_audio_only_stream_has_no_video_timestamp() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stage.subscribe(ben, stage.publish(ana, has_video=False))
    assert stage.bound(ben)[0].binding.video_rtp_timestamp is None


def test_a_client_may_subscribe_to_its_own_stream_and_twice_to_one() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stage.negotiate(ana, pairs=2)
    stream = stage.publish(ana)
    assert [stage.subscribe(ana, stream), stage.subscribe(ana, stream)] == [1, 2]
    assert slots_bound(stage, ana) == [(0, 1), (1, 1)]


def test_unwanted_halves_are_paused_from_the_start() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stage.subscribe(ben, stage.publish(ana), audio=False, video=False)
    (bind,) = stage.intents_of(BindSlot)
    assert isinstance(bind, BindSlot)
    assert (bind.audio_paused, bind.video_paused) == (True, True)


def test_turning_a_half_off_pauses_the_binding() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    subscription_id = stage.subscribe(ben, stage.publish(ana))
    origin = stage.origin(ben)
    stage.do(UpdateSubscription(origin, subscription_id, True, False))
    stage.do(UpdateSubscription(stage.origin(ben), subscription_id, True, False))
    assert stage.answers[origin] == Done()
    (pause,) = stage.intents_of(PauseSlot)
    assert isinstance(pause, PauseSlot)
    assert (pause.slot, pause.generation, pause.audio_paused, pause.video_paused) == (0, 1, False, True)


def test_the_router_hears_which_picture_a_subscriber_would_like() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream = stage.publish(ana)
    small, smaller = PictureWishes(Dimensions(640, 360), 15), PictureWishes(Dimensions(320, 180))
    subscription_id = stage.subscribe(ben, stream, wishes=small)
    (bind,) = stage.intents_of(BindSlot)
    assert isinstance(bind, BindSlot)
    assert bind.wishes == small
    for _ in range(2):
        stage.do(UpdateSubscription(stage.origin(ben), subscription_id, True, True, smaller))
    (prefer,) = stage.intents_of(PreferSlot)
    assert isinstance(prefer, PreferSlot)
    assert (prefer.slot, prefer.generation, prefer.wishes) == (0, 1, smaller)
    assert stage.intents_of(PauseSlot) == []
    stage.do(UpdateSubscription(stage.origin(ben), subscription_id, True, True))
    assert [intent.wishes for intent in stage.intents_of(PreferSlot) if isinstance(intent, PreferSlot)] == [
        smaller,
        NO_WISHES,
    ]


def test_of_video_that_stands_still_a_key_frame_is_asked_for() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    stream = stage.publish(ana)
    seen, waits = stage.subscribe(ben, stream), stage.subscribe(ben, stream)
    stage.negotiate(ana, pairs=2)
    unseen = stage.subscribe(ana, stream, video=False)
    for connection_id, subscription_id in ((ben, waits), (ben, SubscriptionId(9)), (ana, unseen)):
        stage.do(ReportStalledVideo(connection_id, subscription_id))
    assert stage.intents_of(RequestKeyFrame) == []
    facts, changes = len(stage.numbers), len(stage.changes)
    stage.do(ReportStalledVideo(ben, seen))
    assert stream.source is not None
    assert stage.intents_of(RequestKeyFrame) == [
        RequestKeyFrame(ben, stream.source.transport_id, stream.source.lines.video_mid or "")
    ]
    assert (len(stage.numbers), len(stage.changes)) == (facts, changes), "it is neither a fact nor stored"


def test_sound_alone_has_no_key_frames() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    subscription_id = stage.subscribe(ben, stage.publish(ana, has_video=False))
    stage.do(ReportStalledVideo(ben, subscription_id))
    assert stage.intents_of(RequestKeyFrame) == []


def test_without_a_transport_a_subscriber_is_asked_for_pairs() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben")
    stage.subscribe(ben, stage.publish(ana))
    assert stage.notices[ben][-1] == SlotsNeeded(ben, 2)
    stage.negotiate(ben, pairs=2)
    assert slots_bound(stage, ben) == [(0, 1)]


def test_the_pool_grows_in_steps_and_each_step_is_asked_for_once() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=0)
    streams = [stage.publish(ana) for _ in range(5)]
    for stream in streams:
        stage.subscribe(ben, stream)
    asked = [notice.pairs for notice in stage.notices[ben] if isinstance(notice, SlotsNeeded)]
    assert asked == [2, 4, 8]
    stage.negotiate(ben, pairs=8)
    assert slots_bound(stage, ben) == [(slot, 1) for slot in range(5)]


def test_those_who_wait_are_served_in_order() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    streams = [stage.publish(ana) for _ in range(3)]
    ids = [stage.subscribe(ben, stream) for stream in streams]
    stage.negotiate(ben, pairs=1, first=1)
    assert [notice.binding.subscription_id for notice in stage.bound(ben)] == ids[:2]


def test_a_free_pair_is_preferred_to_one_that_must_be_let_go() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=2)
    first, second = stage.publish(ana), stage.publish(ana)
    stage.do(Unsubscribe(stage.origin(ben), stage.subscribe(ben, first)))
    stage.subscribe(ben, second)
    assert slots_bound(stage, ben) == [(0, 1), (1, 1)]


def test_the_least_used_free_pair_is_taken() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=2)
    stream = stage.publish(ana)
    for _ in range(4):
        stage.do(Unsubscribe(stage.origin(ben), stage.subscribe(ben, stream)))
        stage.release(ben, stage.unbound(ben)[-1].slot, stage.unbound(ben)[-1].generation)
    assert slots_bound(stage, ben) == [(0, 1), (1, 1), (0, 2), (1, 2)]


def test_a_pair_is_bound_again_only_after_the_client_let_go() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    first, second = stage.publish(ana), stage.publish(ana)
    subscription_id = stage.subscribe(ben, first)
    stage.subscribe(ben, second)
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    assert stage.unbound(ben) == [SlotUnbound(ben, subscription_id, SlotIndex(0), Generation(1))]
    assert slots_bound(stage, ben) == [(0, 1)]
    stage.release(ben, 0, 1)
    assert slots_bound(stage, ben) == [(0, 1), (0, 2)]


def test_a_pair_is_bound_again_only_after_the_router_let_go() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    first, second = stage.publish(ana), stage.publish(ana)
    subscription_id = stage.subscribe(ben, first)
    stage.subscribe(ben, second)
    stage.manual = True
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    stage.release(ben, 0, 1)
    assert len(stage.intents_of(BindSlot)) == 1
    stage.settle()
    assert slots_bound(stage, ben) == [(0, 1), (0, 2)]


def test_a_client_that_was_never_told_need_not_let_go() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    first, second = stage.publish(ana), stage.publish(ana)
    stage.manual = True
    subscription_id = stage.subscribe(ben, first)
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    stage.subscribe(ben, second)
    stage.settle()
    assert stage.unbound(ben) == []
    assert slots_bound(stage, ben) == [(0, 2)]


def test_letting_go_of_what_is_over_is_harmless_and_of_what_lives_is_refused() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    stage.subscribe(ben, stage.publish(ana))
    for slot, generation in ((0, 0), (0, 7), (5, 1)):
        origin = stage.origin(ben)
        stage.do(ReleaseSlot(origin, SlotIndex(slot), Generation(generation)))
        assert stage.answers[origin] == Done()
    with pytest.raises(InvalidParameterError):
        stage.session.handle(ReleaseSlot(stage.origin(ben), SlotIndex(0), Generation(1)), stage.now)


def test_unsubscribing_from_what_ended_by_itself_is_harmless() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream = stage.publish(ana)
    subscription_id = stage.subscribe(ben, stream)
    stage.do(Unpublish(stage.origin(ana), stream.stream_id))
    for command in (
        Unsubscribe(stage.origin(ben), subscription_id),
        UpdateSubscription(stage.origin(ben), subscription_id, True, True),
    ):
        stage.do(command)
        assert stage.answers[command.origin] == Done()
    assert len(stage.unbound(ben)) == 1


@pytest.mark.parametrize("subscription_id", [0, 2, 1_000_000])
def test_a_subscription_that_never_was_is_refused(subscription_id: int) -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stage.subscribe(ben, stage.publish(ana))
    with pytest.raises(InvalidParameterError):
        stage.session.handle(Unsubscribe(stage.origin(ben), SubscriptionId(subscription_id)), stage.now)


def test_subscription_ids_are_not_used_twice() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream = stage.publish(ana)
    first = stage.subscribe(ben, stream)
    stage.do(Unsubscribe(stage.origin(ben), first))
    assert stage.subscribe(ben, stream) == first + 1


@pytest.mark.parametrize(("role", "may"), [(role, role is not Role.PUBLISHER_ONLY) for role in Role])
def test_every_role_but_publisheronly_may_subscribe(role: Role, may: bool) -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben", role)
    command = Subscribe(stage.origin(ben), stage.publish(ana).stream_id, True, True)
    if may:
        stage.do(command)
    else:
        with pytest.raises(PermissionDeniedError) as refusal:
            stage.session.handle(command, stage.now)
        assert refusal.value.kind.code == 1501


def test_an_unknown_stream_is_not_found() -> None:
    stage = Stage()
    ben = stage.join("ben")
    with pytest.raises(StreamNotFoundError):
        stage.session.handle(Subscribe(stage.origin(ben), StreamId("x"), True, True), stage.now)


def test_subscriptions_of_one_connection_are_limited() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=0)
    stream = stage.publish(ana)
    for _ in range(MAX_SUBSCRIPTIONS):
        stage.subscribe(ben, stream)
    with pytest.raises(StreamLimitError):
        stage.session.handle(Subscribe(stage.origin(ben), stream.stream_id, True, True), stage.now)


def test_a_refused_bind_is_tried_again_three_times_and_then_waits() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    stream = stage.publish(ana)
    stage.manual = True
    stage.subscribe(ben, stream)
    for _ in range(10):
        stage.settle(lambda intent: isinstance(intent, BindSlot), accepted=False)
        stage.settle(lambda intent: isinstance(intent, UnbindSlot))
    assert len(stage.intents_of(BindSlot)) == 3
    assert stage.notices[ben] == stage.notices[ben][:1], "the client was told of none of them"


def test_the_end_of_a_subscriber_leaves_no_trace_with_the_publisher() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream = stage.publish(ana)
    stage.subscribe(ben, stream)
    stage.do(Leave(stage.origin(ben)))
    assert stage.intents_of(CloseTransport)
    stage.do(Unpublish(stage.origin(ana), stream.stream_id))
    assert stage.unbound(ben) == []


def test_a_codec_that_the_subscriber_lacks_is_told_with_its_return() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    subscription_id = stage.subscribe(ben, stage.publish(ana))
    transport_id = transport_of(stage, ben)
    for supported in (False, False, True, True):
        stage.do(ChangeCodecSupport(ben, transport_id, SlotIndex(0), Generation(1), supported))
    assert [notice for notice in stage.notices[ben] if isinstance(notice, SubscriptionVideoChanged)] == [
        SubscriptionVideoChanged(ben, subscription_id, False, "codecNotSupported"),
        SubscriptionVideoChanged(ben, subscription_id, True, "codecChanged"),
    ]


def told_of_fallback(stage: Stage, ben: ConnectionId, *states: VideoFallback) -> list[object]:
    """What ben is told after the router said these of his first binding."""
    for fallback in states:
        stage.do(ChangeVideoFallback(ben, transport_of(stage, ben), SlotIndex(0), Generation(1), fallback))
    kinds = SubscriptionVideoChanged | SubscriptionVideoWarned
    return [notice for notice in stage.notices[ben] if isinstance(notice, kinds)]


def test_a_video_left_out_for_bandwidth_is_told_with_its_warning_and_return() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    known = stage.subscribe(ben, stage.publish(ana))
    sent, warned, stopped = VideoFallback.SENT, VideoFallback.WARNED, VideoFallback.STOPPED
    assert told_of_fallback(stage, ben, sent, warned, warned, sent, warned, stopped, stopped, sent) == [
        SubscriptionVideoWarned(ben, known, True),
        SubscriptionVideoWarned(ben, known, False),
        SubscriptionVideoWarned(ben, known, True),
        SubscriptionVideoChanged(ben, known, False, "quality"),
        SubscriptionVideoChanged(ben, known, True, "quality"),
    ]


@pytest.mark.parametrize(
    ("fallback", "told"),
    [
        (VideoFallback.STOPPED, [(False, "quality")]),
        (VideoFallback.WARNED, [(True, "quality"), True]),
        (VideoFallback.SENT, [(True, "quality"), False]),
    ],
)
def test_who_resumes_is_told_again_what_became_of_a_video_that_was_left_out(
    fallback: VideoFallback, told: list[object]
) -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stage.subscribe(ben, stage.publish(ana))
    told_of_fallback(stage, ben, VideoFallback.STOPPED)
    stage.lose(ben)
    told_of_fallback(stage, ben, fallback)
    stage.notices[ben].clear()
    stage.resume(ben)
    notices = told_of_fallback(stage, ben)
    assert told == [
        (notice.enabled, notice.reason) if isinstance(notice, SubscriptionVideoChanged) else notice.active
        for notice in notices
        if isinstance(notice, SubscriptionVideoChanged | SubscriptionVideoWarned)
    ]


def test_fallback_news_of_an_earlier_binding_is_ignored_and_a_new_one_begins_with_its_video() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    stream = stage.publish(ana)
    subscription_id = stage.subscribe(ben, stream)
    told_of_fallback(stage, ben, VideoFallback.STOPPED)
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    stage.release(ben, 0, 1)
    stage.subscribe(ben, stream)
    stage.notices[ben].clear()
    assert told_of_fallback(stage, ben, VideoFallback.SENT) == []
    assert stage.session._state.pairs_of(ben)[0].fallback is None


def test_the_publisher_says_whether_its_video_may_be_left_out() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    either, never = stage.publish(ana), stage.publish(ana, audio_fallback=False)
    stage.manual = True
    stage.subscribe(ben, either)
    stage.subscribe(ben, never)
    binds = [intent for intent in stage.intents if isinstance(intent, BindSlot)]
    assert [intent.audio_fallback for intent in binds] == [True, False]


def test_the_router_is_told_which_videos_are_screens() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    camera, screen = stage.publish(ana), stage.publish(ana, video_type=VideoType.SCREEN)
    stage.subscribe(ben, camera)
    stage.subscribe(ben, screen)
    binds = [intent for intent in stage.intents_of(BindSlot) if isinstance(intent, BindSlot)]
    assert [intent.is_screen for intent in binds] == [False, True]


def test_a_camera_that_becomes_a_screen_is_one_for_those_who_watch_it_already() -> None:
    stage, ana, ben = stage_with_a_subscriber()
    stream, wishes = stage.publish(ana), PictureWishes(Dimensions(640, 360))
    subscription_id = stage.subscribe(ben, stream, wishes=wishes)
    for video_type in (VideoType.CUSTOM, VideoType.SCREEN, VideoType.SCREEN, VideoType.CAMERA):
        stage.do(UpdateStream(stage.origin(ana), stream.stream_id, video_type=video_type))
    told = [intent for intent in stage.intents_of(PreferSlot) if isinstance(intent, PreferSlot)]
    assert [(intent.slot, intent.generation, intent.wishes, intent.is_screen) for intent in told] == [
        (0, 1, wishes, True),
        (0, 1, wishes, False),
    ]
    stage.do(UpdateStream(stage.origin(ana), stream.stream_id, video_type=VideoType.SCREEN))
    stage.do(UpdateSubscription(stage.origin(ben), subscription_id, True, True))
    newest = stage.intents_of(PreferSlot)[-1]
    assert isinstance(newest, PreferSlot)
    assert (newest.wishes, newest.is_screen) == (NO_WISHES, True)


def test_codec_news_of_an_earlier_binding_is_ignored() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    stream = stage.publish(ana)
    stage.do(Unsubscribe(stage.origin(ben), stage.subscribe(ben, stream)))
    stage.release(ben, 0, 1)
    stage.subscribe(ben, stream)
    stage.do(ChangeCodecSupport(ben, transport_of(stage, ben), SlotIndex(0), Generation(1), False))
    assert not [notice for notice in stage.notices[ben] if isinstance(notice, SubscriptionVideoChanged)]


def test_who_resumes_is_told_again_what_notices_it_may_have_missed() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=3)
    first, second = stage.publish(ana), stage.publish(ana)
    kept, ended = stage.subscribe(ben, first), stage.subscribe(ben, second)
    stage.do(ChangeCodecSupport(ben, transport_of(stage, ben), SlotIndex(0), Generation(1), False))
    stage.lose(ben)
    stage.do(Unpublish(stage.origin(ana), second.stream_id))
    stage.notices[ben].clear()
    stage.resume(ben)
    resumed, *reminders = stage.notices[ben]
    assert isinstance(resumed, Resumed)
    assert [binding.subscription_id for binding in resumed.bindings] == [kept]
    assert resumed.epoch == 1
    assert reminders == [
        SubscriptionVideoChanged(ben, kept, False, "codecNotSupported"),
        SlotUnbound(ben, ended, SlotIndex(1), Generation(1)),
    ]


def test_a_late_unbind_of_another_generation_frees_nothing() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=1)
    first, second = stage.publish(ana), stage.publish(ana)
    subscription_id = stage.subscribe(ben, first)
    stage.subscribe(ben, second)
    stage.manual = True
    stage.do(Unsubscribe(stage.origin(ben), subscription_id))
    stage.release(ben, 0, 1)
    stage.do(SettleUnbind(ben, transport_of(stage, ben), SlotIndex(0), Generation(2)))
    assert slots_bound(stage, ben) == [(0, 1)]


def test_pairs_of_one_transport_never_serve_another() -> None:
    stage, ana, ben = stage_with_a_subscriber(pairs=2)
    subscription_id = stage.subscribe(ben, stage.publish(ana))
    stage.negotiate(ben, epoch=2, pairs=2)
    assert [notice.binding.subscription_id for notice in stage.bound(ben)] == [subscription_id, subscription_id]
    binds = stage.intents_of(BindSlot)
    assert len({bind.transport_id for bind in binds if isinstance(bind, BindSlot)}) == 2
