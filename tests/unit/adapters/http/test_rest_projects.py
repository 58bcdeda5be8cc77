"""The account's part of the REST API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tertulia.adapters.http.rest_access import AccessRules
from tertulia.domain.project import Account, Project, ProjectStatus
from tertulia.ids import ApiKey
from tests.unit.adapters.http.conftest import STORES, Server
from tests.unit.adapters.http.test_rest import arrive, authentication

ACCOUNT = Account(ApiKey("70012345"), "5e7b9d1f3a4c6e8b0d2f4a6c8e9b1d3f5a7c0e2b")


@pytest.fixture(params=STORES)
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def as_account(server: Server, account: Account = ACCOUNT, **changes: Any) -> dict[str, str]:
    owner = Project(account.api_key, account.api_secret)
    return authentication(server, owner, **{"ist": "account", **changes})


@pytest.fixture
async def client(server: Server, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    server.rules = AccessRules(account=ACCOUNT)
    async with await server.start(tmp_path / "playground.json") as client:
        yield client


async def test_a_project_is_made_listed_suspended_and_given_another_secret(
    server: Server, client: httpx.AsyncClient
) -> None:
    headers = as_account(server)
    made = (await client.post("/v2/project", json={"name": "Acme"}, headers=headers)).json()
    path = f"/v2/project/{made['id']}"
    assert set(made) == {
        *("id", "secret", "status", "name", "createdAt"),
        *("environment", "environmentName", "environmentDescription"),
    }
    assert (made["name"], made["status"], len(made["secret"])) == ("Acme", "ACTIVE", 40)
    assert made in (await client.get("/v2/project", headers=headers)).json()
    assert (await client.get(path, headers=headers)).json() == made

    def project(secret: str) -> dict[str, str]:
        return authentication(server, Project(ApiKey(made["id"]), secret))

    assert (await client.post("/session/create", headers=project(made["secret"]))).status_code == 200
    suspended = await client.put(path, json={"status": "SUSPENDED"}, headers=headers)
    assert suspended.json() == {**made, "status": "SUSPENDED"}
    assert (await client.post("/session/create", headers=project(made["secret"]))).status_code == 403
    await client.put(path, json={"status": "ACTIVE"}, headers=headers)
    fresh = (await client.post(f"{path}/refreshSecret", headers=headers)).json()
    assert fresh == {**made, "secret": fresh["secret"]}
    assert fresh["secret"] != made["secret"]
    for secret, status in ((made["secret"], 403), (fresh["secret"], 200)):
        assert (await client.post("/session/create", headers=project(secret))).status_code == status


async def test_deleting_a_project_ends_who_is_connected_and_everything_it_had(
    server: Server, client: httpx.AsyncClient
) -> None:
    _, socket = await arrive(server)
    project = server.playground.project
    path = f"/v2/project/{project.api_key}"
    answer = await client.delete(path, headers=as_account(server))

    assert (answer.status_code, answer.content) == (204, b"")
    assert socket.messages[-1].reason == "forceDisconnected"  # type: ignore[union-attr]  # it is `disconnected`
    assert (await client.get(path, headers=as_account(server))).status_code == 404
    assert (await client.delete(path, headers=as_account(server))).status_code == 404
    assert (await client.post("/session/create", headers=authentication(server))).status_code == 403


async def test_a_project_may_be_made_without_a_word(server: Server, client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/project", headers=as_account(server))
    assert (answer.status_code, answer.json()["name"]) == (200, "")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/project", {"name": 5}),
        ("POST", "/v2/project", {"name": "x" * 201}),
        ("POST", "/v2/project", []),
        ("PUT", "/v2/project/{key}", {}),
        ("PUT", "/v2/project/{key}", {"status": "DELETED"}),
        ("PUT", "/v2/project/{key}", {"status": True}),
    ],
)
async def test_a_wish_that_is_malformed_changes_nothing(
    server: Server, client: httpx.AsyncClient, method: str, path: str, body: Any
) -> None:
    before = await server.projects.list()
    path = path.format(key=server.playground.project.api_key)
    assert (await client.request(method, path, json=body, headers=as_account(server))).status_code == 400
    assert await server.projects.list() == before


ROUTES = [
    ("POST", "/v2/project"),
    ("GET", "/v2/project"),
    ("GET", "/v2/project/{key}"),
    ("PUT", "/v2/project/{key}"),
    ("POST", "/v2/project/{key}/refreshSecret"),
    ("DELETE", "/v2/project/{key}"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_but_the_account_is_served(
    server: Server, client: httpx.AsyncClient, method: str, path: str
) -> None:
    path = path.format(key=server.playground.project.api_key)
    stranger = Account(ApiKey("79999999"), ACCOUNT.api_secret)
    guess = Account(ACCOUNT.api_key, "0" * 40)
    project = server.playground.project
    # A project with the account's own key is another thing all the same.
    twin = await server.projects.create("twin", api_key=ACCOUNT.api_key)
    for headers in (
        {},
        authentication(server),
        authentication(server, project, ist="account"),
        authentication(server, twin),
        authentication(server, twin, ist="account"),
        as_account(server, stranger),
        as_account(server, guess),
        as_account(server, ist="project"),
    ):
        answer = await client.request(method, path, json={"status": "SUSPENDED"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, -1)
    assert (await server.projects.find(project.api_key)) == project
    assert project.status is ProjectStatus.ACTIVE


async def test_an_accounts_token_opens_no_projects_endpoint(server: Server, client: httpx.AsyncClient) -> None:
    path = f"/v2/project/{server.playground.project.api_key}/archive"
    for answer in (
        await client.post("/session/create", headers=as_account(server)),
        await client.get(path, headers=as_account(server)),
    ):
        assert answer.status_code == 403


async def test_without_an_account_nobody_is_served(server: Server, tmp_path: Path) -> None:
    async with await server.start(tmp_path / "playground.json") as client:
        assert (await client.get("/v2/project", headers=as_account(server))).status_code == 403
