"""The layout classes of streams: where they come from and how they change."""

from typing import cast

import pytest

from tertulia.domain.commands import Join, SetLayoutClasses
from tertulia.domain.events import StreamSaved
from tertulia.domain.roles import Role
from tertulia.errors import InvalidParameterError
from tertulia.ids import ConnectionId, StreamId
from tests.unit.domain.stage import Stage


def classes_of(stage: Stage) -> list[tuple[str, ...]]:
    return [stream.layout_classes for stream in stage.session.streams]


def test_a_stream_begins_with_the_classes_of_its_publishers_token() -> None:
    stage = Stage()
    ana = ConnectionId("ana")
    stage.facts[ana], stage.notices[ana] = [], []
    stage.do(Join(ana, 1_000, Role.PUBLISHER, "", 2_000_000_000, layout_classes=("focus", "wide")))
    stage.publish(ana)
    stage.publish(stage.join("ben"))
    assert classes_of(stage) == [("focus", "wide"), ()]


def test_the_api_replaces_and_clears_the_classes_of_the_streams_that_it_names_and_stores_what_changed() -> None:
    stage = Stage()
    first, second, third = (stage.publish(stage.join(name)) for name in ("ana", "ben", "cleo"))
    stage.do(SetLayoutClasses({first.stream_id: ("focus",), second.stream_id: ("full", "x")}))
    stage.changes.clear()
    stage.do(SetLayoutClasses({first.stream_id: (), second.stream_id: ("full", "x")}))
    assert classes_of(stage) == [(), ("full", "x"), ()]
    saved = [cast("StreamSaved", change).stream.stream_id for change in stage.changes]
    assert saved == [first.stream_id]
    assert third.stream_id not in saved


@pytest.mark.parametrize("wrong", [{StreamId("nobody's"): ("a",)}, {StreamId("stream-1"): ("x" * 500, "y" * 500)}])
def test_a_list_with_anything_wrong_in_it_changes_nothing(wrong: dict[StreamId, tuple[str, ...]]) -> None:
    stage = Stage()
    stage.publish(stage.join("ana"))
    right = stage.publish(stage.join("ben"))
    with pytest.raises(InvalidParameterError):
        stage.do(SetLayoutClasses({right.stream_id: ("focus",), **wrong}))
    assert classes_of(stage) == [(), ()]
