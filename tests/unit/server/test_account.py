"""The clients of accounts: what they send and what they make of answers."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tertulia.clock import SystemClock
from tertulia.domain.project import Account, Project
from tertulia.ids import ApiKey
from tertulia.server import AccountClient, AsyncAccountClient, InvalidParameterError, NotFoundError, OwnedProject
from tertulia.wire.tokens import verify_rest_token
from tests import openapi
from tests.unit.server.conftest import Script

KEY, SECRET = "70012345", "5e7b9d1f3a4c6e8b0d2f4a6c8e9b1d3f5a7c0e2b"
ANSWER = {
    "id": "40012345",
    "secret": "9f2c4e6a8b0d1f3a5c7e9b1d3f5a7c9e0b2d4f68",
    "status": "ACTIVE",
    "name": "Acme",
    "createdAt": 1767000000000,
    "environment": "standard",
    "environmentName": "default",
    "environmentDescription": "Standard Environment",
}
MADE = OwnedProject(ANSWER["id"], ANSWER["secret"], "ACTIVE", "Acme", 1767000000000)  # type: ignore[arg-type]
ONE = "/v2/project/40012345"


def waiting(script: Script) -> AccountClient:
    return AccountClient(KEY, SECRET, "http://api.test", transport=httpx.MockTransport(script))


def awaited(script: Script) -> AsyncAccountClient:
    return AsyncAccountClient(KEY, SECRET, "http://api.test", transport=httpx.MockTransport(script))


class Caller:
    def __init__(self, client: AccountClient | AsyncAccountClient, script: Script) -> None:
        self.client = client
        self.script = script

    async def __call__(self, method: str, *args: Any) -> Any:
        result = getattr(self.client, method)(*args)
        return await result if inspect.isawaitable(result) else result


@pytest.fixture(params=[waiting, awaited], ids=["AccountClient", "AsyncAccountClient"])
async def call(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    make: Callable[[Script], AccountClient | AsyncAccountClient] = request.param
    script = Script()
    caller = Caller(make(script), script)
    yield caller
    await caller("close")


@pytest.mark.parametrize(
    ("name", "arguments", "method", "path", "body", "answer", "result"),
    [
        ("create_project", ("Acme",), "POST", "/v2/project", {"name": "Acme"}, ANSWER, MADE),
        ("list_projects", (), "GET", "/v2/project", None, [ANSWER], (MADE,)),
        ("get_project", ("40012345",), "GET", ONE, None, ANSWER, MADE),
        ("set_project_status", ("40012345", "SUSPENDED"), "PUT", ONE, {"status": "SUSPENDED"}, ANSWER, MADE),
        ("refresh_secret", ("40012345",), "POST", f"{ONE}/refreshSecret", None, ANSWER, MADE),
        ("delete_project", ("40012345",), "DELETE", ONE, None, None, None),
    ],
)
async def test_each_call_is_an_accounts_operation_of_the_description(
    call: Caller, name: str, arguments: tuple[Any, ...], method: str, path: str, body: Any, answer: Any, result: Any
) -> None:
    call.script.reactions.append(httpx.Response(204) if answer is None else httpx.Response(200, json=answer))
    assert await call(name, *arguments) == result

    (sent,) = call.script.requests
    assert (sent.method, sent.url.path) == (method, path)
    assert (json.loads(sent.content) if sent.content else None) == body
    described = openapi.find(method, path)
    assert described is not None
    assert described.about["security"] == [{"account": []}]

    def find(api_key: str) -> Account | None:
        return Account(ApiKey(KEY), SECRET) if api_key == KEY else None

    def nobody(api_key: str) -> Project | None:
        return None

    token = sent.headers["X-OPENTOK-AUTH"]
    assert verify_rest_token(token, nobody, SystemClock().wall(), accounts=find).is_account


async def test_what_is_wrong_is_raised(call: Caller) -> None:
    with pytest.raises(InvalidParameterError):
        await call("get_project", "..")
    call.script.reactions.append(httpx.Response(404, json={"code": 404, "message": "There is none."}))
    with pytest.raises(NotFoundError, match="There is none"):
        await call("get_project", "49999999")


def test_both_have_the_same_methods_and_no_secret_is_shown() -> None:
    def methods(kind: type) -> set[str]:
        return {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}

    assert methods(AccountClient) == methods(AsyncAccountClient)
    assert MADE.secret not in repr(MADE)
