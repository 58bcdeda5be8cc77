"""Muting by force: one stream, all streams, and streams that begin later."""

import pytest

from tertulia.domain.commands import DisableForceMute, ForceMuteAll, ForceMuteStream, UpdateStream
from tertulia.domain.events import Done, Joined, MuteForced, StreamCreated, StreamMuted, StreamPropertyChanged
from tertulia.domain.roles import Role
from tertulia.domain.stream import StreamProperty
from tertulia.errors import PermissionDeniedError, StreamNotFoundError
from tertulia.ids import ConnectionId, StreamId
from tests.unit.domain.stage import Stage


def muted_streams(stage: Stage, connection_id: ConnectionId) -> list[StreamId]:
    """The streams that this connection was told to silence."""
    return [fact.stream_id for fact in stage.facts[connection_id] if isinstance(fact, StreamMuted)]


def test_a_moderator_mutes_one_stream_and_only_its_publisher_is_asked() -> None:
    stage = Stage()
    mona, ana, ben = stage.join("mona", Role.MODERATOR), stage.join("ana"), stage.join("ben")
    loud, other = stage.publish(ana), stage.publish(ben)
    origin = stage.origin(mona)
    stage.do(ForceMuteStream(origin, loud.stream_id))
    assert stage.answers[origin] == Done()
    assert (muted_streams(stage, ana), muted_streams(stage, ben), muted_streams(stage, mona)) == (
        [loud.stream_id],
        [],
        [],
    )
    for witness in (mona, ana, ben):
        assert stage.facts[witness][-1] == StreamPropertyChanged(loud.stream_id, StreamProperty.HAS_AUDIO, True, False)
        assert not any(isinstance(fact, MuteForced) for fact in stage.facts[witness])
    assert {stream.stream_id: stream.has_audio for stream in stage.session.streams} == {
        loud.stream_id: False,
        other.stream_id: True,
    }


def test_muting_all_spares_the_excluded_and_not_the_caller() -> None:
    stage = Stage()
    mona, ana, ben = stage.join("mona", Role.MODERATOR), stage.join("ana"), stage.join("ben")
    own, loud, spared = stage.publish(mona), stage.publish(ana), stage.publish(ben)
    stage.do(ForceMuteAll(stage.origin(mona), frozenset({spared.stream_id, StreamId("nobody's")})))
    assert (muted_streams(stage, mona), muted_streams(stage, ana)) == ([own.stream_id], [loud.stream_id])
    assert muted_streams(stage, ben) == []
    for witness in (mona, ana, ben):
        assert [fact for fact in stage.facts[witness] if isinstance(fact, MuteForced)] == [MuteForced(True)]


def test_a_stream_that_begins_in_a_muted_session_begins_without_sound_until_that_is_disabled() -> None:
    stage = Stage()
    mona, ana = stage.join("mona", Role.MODERATOR), stage.join("ana")
    stage.do(ForceMuteAll(stage.origin(mona), frozenset()))
    late = stage.publish(ana)
    assert not late.has_audio
    assert stage.facts[ana][-2:] == [StreamCreated(late), StreamMuted(late.stream_id)]
    assert stage.facts[mona][-1] == StreamCreated(late)
    stage.do(DisableForceMute(stage.origin(mona)))
    assert stage.facts[ana][-1] == MuteForced(False)
    assert [stream.has_audio for stream in stage.session.streams] == [False], "nobody is unmuted"
    assert stage.publish(ana).has_audio


def test_a_publisher_may_unmute_itself() -> None:
    stage = Stage()
    mona, ana = stage.join("mona", Role.MODERATOR), stage.join("ana")
    stream = stage.publish(ana)
    stage.do(ForceMuteAll(stage.origin(mona), frozenset()))
    stage.do(UpdateStream(stage.origin(ana), stream.stream_id, has_audio=True))
    assert [each.has_audio for each in stage.session.streams] == [True]


def test_who_joins_a_muted_session_is_told() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    stage.do(ForceMuteAll(stage.origin(mona), frozenset()))
    late = stage.join("late")
    assert [notice.muted for notice in stage.notices[late] if isinstance(notice, Joined)] == [True]


def test_disabling_what_is_not_on_tells_nobody() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    before = stage.session.number
    origin = stage.origin(mona)
    stage.do(DisableForceMute(origin))
    assert stage.answers[origin] == Done()
    assert stage.session.number == before


def test_the_api_mutes_without_a_role() -> None:
    stage = Stage()
    ana = stage.join("ana")
    stream = stage.publish(ana)
    stage.do(ForceMuteStream(None, stream.stream_id))
    stage.do(ForceMuteAll(None, frozenset()))
    assert muted_streams(stage, ana) == [stream.stream_id] * 2
    assert stage.session.muted
    stage.do(DisableForceMute(None))
    assert not stage.session.muted


@pytest.mark.parametrize("role", [Role.SUBSCRIBER, Role.PUBLISHER, Role.PUBLISHER_ONLY])
def test_only_a_moderator_mutes(role: Role) -> None:
    stage = Stage()
    eve, ana = stage.join("eve", role), stage.join("ana")
    stream = stage.publish(ana)
    for command in (
        ForceMuteStream(stage.origin(eve), stream.stream_id),
        ForceMuteAll(stage.origin(eve), frozenset()),
        DisableForceMute(stage.origin(eve)),
    ):
        with pytest.raises(PermissionDeniedError) as refusal:
            stage.session.handle(command, stage.now)
        assert refusal.value.kind.code == 1540
    assert stage.session.streams == [stream]


def test_a_stream_that_is_gone_is_not_found() -> None:
    stage = Stage()
    mona = stage.join("mona", Role.MODERATOR)
    with pytest.raises(StreamNotFoundError):
        stage.session.handle(ForceMuteStream(stage.origin(mona), StreamId("x")), stage.now)
