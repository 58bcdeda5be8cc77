"""A server whose operator set an account, tokens that are good once, a shorter age of tokens, and small sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from tertulia import Session, SessionDisconnectEvent
from tertulia.client import AuthenticationError, LimitExceededError
from tertulia.server import AccountClient, AsyncAccountClient, AsyncClient, MediaModes
from tertulia.server import AuthenticationError as ApiAuthenticationError
from tertulia.wire.tokens import encode_jwt, encode_t1
from tests.promises import Promises
from tests.servers import TertuliaServer

DEADLINE_S = 30
ACCOUNT = ("70012345", "5e7b9d1f3a4c6e8b0d2f4a6c8e9b1d3f5a7c0e2b")
SETTINGS = {
    "TERTULIA_ACCOUNT_API_KEY": ACCOUNT[0],
    "TERTULIA_ACCOUNT_API_SECRET": ACCOUNT[1],
    "TERTULIA_TOKENS_SINGLE_USE": "true",
    "TERTULIA_TOKENS_MAX_AGE_S": "1800",
    "TERTULIA_TOKENS_PARTNER_AUTH": "true",
    "TERTULIA_SESSIONS_CONNECTIONS": "2",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TertuliaServer]:
    with TertuliaServer(tmp_path_factory.mktemp("strict"), settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def promises(server: TertuliaServer) -> Iterator[Promises]:
    with Promises(server.url) as running:
        yield running


async def test_a_project_is_made_used_suspended_and_deleted_by_the_account(
    server: TertuliaServer, promises: Promises
) -> None:
    async with asyncio.timeout(DEADLINE_S), AsyncAccountClient(*ACCOUNT, promises.url) as account:
        project = await account.create_project("Acme")
        assert project in await account.list_projects()
        async with AsyncClient(project.id, project.secret, promises.url) as client:
            session_id = (await client.create_session(media_mode=MediaModes.routed)).session_id
            token = client.generate_token(session_id)
            await account.set_project_status(project.id, "SUSPENDED")
            with pytest.raises(ApiAuthenticationError):
                await client.list_streams(session_id)
            await account.set_project_status(project.id, "ACTIVE")
        fresh = await account.refresh_secret(project.id)
        async with AsyncClient(project.id, fresh.secret, promises.url) as client:
            ended: asyncio.Queue[str] = asyncio.Queue()
            async with Session(project.id, session_id, server=server.url) as session:
                session.on(SessionDisconnectEvent, lambda event: ended.put_nowait(event.reason))
                with pytest.raises(AuthenticationError):
                    await session.connect(token)
                await session.connect(client.generate_token(session_id))
                await account.delete_project(project.id)
                assert await ended.get() == "forceDisconnected"
        assert project.id not in {one.id for one in await account.list_projects()}


async def test_a_token_opens_one_connection_and_a_session_holds_as_many_as_it_may(server: TertuliaServer) -> None:
    session_id = server.create_session()
    first, second, third = (server.token(session_id, data=str(number)) for number in range(3))
    async with (
        asyncio.timeout(DEADLINE_S),
        Session(server.api_key, session_id, server=server.url) as ann,
        Session(server.api_key, session_id, server=server.url) as bob,
        Session(server.api_key, session_id, server=server.url) as late,
    ):
        await ann.connect(first)
        with pytest.raises(AuthenticationError, match="used before"):
            await bob.connect(first)
        await bob.connect(second)
        with pytest.raises(LimitExceededError) as full:
            await late.connect(third)
        assert full.value.code == 1027


async def test_a_token_is_too_old_before_its_maker_meant_it(server: TertuliaServer) -> None:
    session_id, now = server.create_session(), int(time.time())
    key, secret = server.api_key, server.api_secret
    for encode in (encode_t1, encode_jwt):
        old = encode(
            api_key=key, api_secret=secret, session_id=session_id, created_at_s=now - 3600, expires_at_s=now + 3600
        )
        async with asyncio.timeout(DEADLINE_S), Session(server.api_key, session_id, server=server.url) as session:
            with pytest.raises(AuthenticationError, match="older than this server allows"):
                await session.connect(old)


def test_the_retired_header_is_taken_and_the_account_is_no_project(server: TertuliaServer) -> None:
    def create(headers: dict[str, str]) -> int:
        return httpx.post(f"{server.url}/session/create", headers=headers, timeout=DEADLINE_S).status_code

    assert create({"X-TB-PARTNER-AUTH": f"{server.api_key}:{server.api_secret}"}) == 200
    assert create({"X-TB-PARTNER-AUTH": ":".join(ACCOUNT)}) == 403
    with (
        AccountClient(server.api_key, server.api_secret, server.url) as stranger,
        pytest.raises(ApiAuthenticationError),
    ):
        stranger.list_projects()
