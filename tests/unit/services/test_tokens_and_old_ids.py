"""Tokens that are good once, and sessions that are taken in with their old ids."""

import pytest

from tertulia.clock import WallTime
from tertulia.errors import AuthenticationError, InvalidSessionIdError
from tertulia.ids import ApiKey, SessionId, session_id_of
from tertulia.services.ports import SessionRecord
from tertulia.services.projects import REMEMBERED_S
from tertulia.services.sessions import JoinRequest, SessionSettings
from tests.fakes.house import House, make_token
from tests.fakes.socket import FakeSocket
from tests.fakes.store import MemoryStore


async def test_a_token_that_is_good_once_opens_one_connection(house: House) -> None:
    house.sessions._settings = SessionSettings(limits=house.limits, single_use_tokens=True)
    token = make_token(house.record)
    await house.sessions.join(JoinRequest(token), FakeSocket())
    with pytest.raises(AuthenticationError, match="used before"):
        await house.sessions.join(JoinRequest(token), FakeSocket())
    await house.sessions.join(JoinRequest(make_token(house.record, data="another")), FakeSocket())


async def test_a_token_opens_as_many_connections_as_one_likes_unless_the_operator_says_otherwise(house: House) -> None:
    for _ in range(3):
        await house.sessions.join(JoinRequest(make_token(house.record)), FakeSocket())


async def test_clients_that_come_together_have_their_session_looked_up_once(
    house: House, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    find = store.find_session

    async def counted(session_id: SessionId) -> SessionRecord | None:
        reads.append(session_id)
        return await find(session_id)

    monkeypatch.setattr(store, "find_session", counted)
    for _ in range(3):
        await house.sessions.join(JoinRequest(make_token(house.record)), FakeSocket())
    assert reads == [house.record.session_id]
    house.clock.advance(REMEMBERED_S)
    await house.sessions.join(JoinRequest(make_token(house.record)), FakeSocket())
    assert len(reads) == 2


def id_from_elsewhere(api_key: str) -> SessionId:
    return session_id_of(
        ApiKey(api_key),
        relayed=True,
        location=None,
        created_at=WallTime(1_547_080_521_136),
        random_text="abcdefghijklmnopqrstuvwx",
    )


async def test_a_project_that_accepts_known_keys_takes_a_session_in_on_its_first_use(house: House) -> None:
    project = await house.projects.create("moved", accept_known_keys=True)
    from_api = id_from_elsewhere(project.api_key)
    from_client = SessionId(f"{from_api[:-4]}AAAA")

    taken_in = await house.sessions.records.of_project(project.api_key, from_api)
    assert (taken_in.session_id, taken_in.api_key, taken_in.media_mode) == (from_api, project.api_key, "routed")
    assert await house.sessions.records.of_project(project.api_key, from_api) == taken_in
    token = "/".join((project.api_key, from_client, "publisher", ""))
    await house.sessions.join(JoinRequest(token), FakeSocket())
    assert await house.sessions.records.find(from_client) is not None


async def test_nobody_takes_in_what_names_another_key_or_is_not_allowed_to(house: House) -> None:
    moved = await house.projects.create("moved", accept_known_keys=True)
    other = await house.projects.create("other")
    for api_key, session_id in (
        (other.api_key, id_from_elsewhere(other.api_key)),
        (moved.api_key, id_from_elsewhere(other.api_key)),
        (other.api_key, id_from_elsewhere(moved.api_key)),
        (moved.api_key, "2_" + "A" * 40),
        (moved.api_key, "nonsense"),
    ):
        with pytest.raises(InvalidSessionIdError):
            await house.sessions.records.of_project(api_key, session_id)
        assert await house.sessions.records.find(session_id) is None
