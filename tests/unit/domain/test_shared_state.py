"""The shared state of a session: who may set what, and what everybody is told."""

from collections.abc import Mapping

import pytest

from tertulia.domain.commands import SetState
from tertulia.domain.events import Done, Joined, StateChanged, StateKeyRemoved, StateKeySaved
from tertulia.domain.limits import STATE_BYTES, STATE_KEYS
from tertulia.domain.roles import Role
from tertulia.errors import TertuliaError
from tertulia.ids import ConnectionId
from tests.unit.domain.stage import Stage


def changes_told(stage: Stage, connection_id: ConnectionId) -> list[Mapping[str, str | None]]:
    """What this connection was told of the state, in order."""
    return [fact.values for fact in stage.facts[connection_id] if isinstance(fact, StateChanged)]


def outcome(stage: Stage, connection_id: ConnectionId, values: Mapping[str, str | None]) -> object:
    """The answer to a setting: `Done`, or the error's code."""
    origin = stage.origin(connection_id)
    try:
        stage.do(SetState(origin, values))
    except TertuliaError as error:
        return error.kind.code
    return stage.answers[origin]


def test_everybody_the_caller_included_is_told_what_is_different_and_nothing_else() -> None:
    stage = Stage()
    ana, ben = stage.join("ana"), stage.join("ben", Role.SUBSCRIBER)
    assert outcome(stage, ana, {"slide": "1", "speaker": "ana"}) == Done()
    assert outcome(stage, ben, {"slide": "2", "speaker": "ana", "nothing": None}) == Done()
    assert outcome(stage, ben, {"slide": "2"}) == Done()
    assert outcome(stage, ana, {"speaker": None}) == Done()
    for witness in (ana, ben):
        assert changes_told(stage, witness) == [
            {"slide": "1", "speaker": "ana"},
            {"slide": "2"},
            {"speaker": None},
        ]
    assert stage.session.shared_state == {"slide": "2"}
    assert [change for change in stage.changes if isinstance(change, StateKeySaved | StateKeyRemoved)] == [
        StateKeySaved("slide", "1"),
        StateKeySaved("speaker", "ana"),
        StateKeySaved("slide", "2"),
        StateKeyRemoved("speaker"),
    ]


def test_who_comes_later_finds_the_state_as_the_others_have_it() -> None:
    stage = Stage()
    outcome(stage, stage.join("ana"), {"slide": "3"})
    late = stage.join("late")
    joined = next(notice for notice in stage.notices[late] if isinstance(notice, Joined))
    assert (joined.shared, joined.number) == ({"slide": "3"}, stage.session.number)
    outcome(stage, late, {"slide": "4"})
    assert joined.shared == {"slide": "3"}, "what was told once does not change"


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("slide", {Role.SUBSCRIBER, Role.PUBLISHER, Role.MODERATOR}),
        ("publisher_slide", {Role.PUBLISHER, Role.PUBLISHER_ONLY, Role.MODERATOR}),
        ("moderator_slide", {Role.MODERATOR}),
    ],
)
def test_keys_belong_to_roles_by_how_they_begin(key: str, allowed: set[Role]) -> None:
    for role in Role:
        stage = Stage()
        ana = stage.join("ana", role)
        assert outcome(stage, ana, {key: "1"}) == (Done() if role in allowed else 401), role
        assert (key in stage.session.shared_state) is (role in allowed)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"": "x"}, 402),
        ({"two words": "x"}, 402),
        ({"a\tb": "x"}, 402),
        ({"k" * 101: "x"}, 402),
        ({"a\0": "x"}, 402),
        ({"k": "a\0"}, 403),
        ({"k" * 100: "x"}, None),
        ({"k": "v" * 1001}, 403),
        ({"k": "v" * 1000}, None),
        ({f"k{number}": "v" for number in range(21)}, 405),
        ({f"k{number}": "v" for number in range(20)}, None),
        ({"good": "x", "two words": "x"}, 402),
        ({}, None),
    ],
)
def test_what_is_not_lawful_is_refused_as_a_whole(values: dict[str, str | None], code: int | None) -> None:
    stage = Stage()
    ana = stage.join("ana")
    assert outcome(stage, ana, values) == (code or Done())
    assert stage.session.shared_state == ({} if code else values)
    assert bool(changes_told(stage, ana)) is (code is None and bool(values))


def test_the_state_of_a_session_is_bounded_and_can_be_emptied_again() -> None:
    stage = Stage()
    ana = stage.join("ana")
    for first in range(0, STATE_KEYS, 20):
        assert outcome(stage, ana, {f"k{number}": "" for number in range(first, first + 20)}) == Done()
    assert outcome(stage, ana, {"more": "x"}) == 405
    assert outcome(stage, ana, {"more": "x", "k0": None}) == Done()
    assert len(stage.session.shared_state) == STATE_KEYS

    stage = Stage()
    ana = stage.join("ana")
    full = STATE_BYTES // (3 * 1000)
    for number in range(full):
        assert outcome(stage, ana, {f"{number:02}": "€" * 999}) == Done()
    assert outcome(stage, ana, {"more": "€" * 999}) == 405
    assert outcome(stage, ana, {"00": "€"}) == Done(), "what makes it smaller is always allowed"
    assert outcome(stage, ana, {"more": "€" * 999}) == Done()
