"""`AccountClient` and `AsyncAccountClient`: what an account may do, which is to manage the server's projects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from tertulia.server.account_operations import AccountOperations
from tertulia.server.blocking import Client
from tertulia.server.calls import Call
from tertulia.server.nonblocking import AsyncClient

__all__ = ["AccountClient", "AsyncAccountClient"]

P = ParamSpec("P")
T = TypeVar("T")
_OPERATIONS = AccountOperations()


def _waiting(
    operation: Callable[Concatenate[AccountOperations, P], Call[T]],
) -> Callable[Concatenate[AccountClient, P], T]:
    """The method that makes the operation's call, sends it and waits for the result."""

    def perform(self: AccountClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client.perform(operation(_OPERATIONS, *args, **kwargs))

    functools.update_wrapper(perform, operation)
    return perform


def _awaited(
    operation: Callable[Concatenate[AccountOperations, P], Call[T]],
) -> Callable[Concatenate[AsyncAccountClient, P], Coroutine[Any, Any, T]]:
    """The method that makes the operation's call, sends it and awaits the result."""

    async def perform(self: AsyncAccountClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client.perform(operation(_OPERATIONS, *args, **kwargs))

    functools.update_wrapper(perform, operation)
    return perform


class _WaitingSender(Client):
    """A client that signs as an account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sign_as_account()

    def perform(self, call: Call[T]) -> T:
        return self._perform(call)


class _AwaitedSender(AsyncClient):
    """A client that signs as an account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sign_as_account()

    async def perform(self, call: Call[T]) -> T:
        return await self._perform(call)


class AccountClient:
    """The account's access to a server. Make one and keep it. Threads may share it.

    Args:
        account_key: The account's key, of the section `account` in the server's configuration.
        account_secret: Its secret.
        api_url: Address of the server.
        timeout: How long a call may take, in seconds, including everything that is tried again.
        retries: How often a call that failed is sent again, if that does nothing twice.
        transport: Takes the place of the network, for tests.

    Raises:
        InvalidParameterError: If `api_url` is not an address, or key or secret are empty.
    """

    def __init__(
        self,
        account_key: str | int,
        account_secret: str,
        api_url: str = "http://127.0.0.1:8080",
        timeout: float = 10.0,
        *,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = _WaitingSender(
            account_key, account_secret, api_url, timeout, retries=retries, transport=transport
        )

    create_project = _waiting(AccountOperations.create_project)
    list_projects = _waiting(AccountOperations.list_projects)
    get_project = _waiting(AccountOperations.get_project)
    set_project_status = _waiting(AccountOperations.set_project_status)
    refresh_secret = _waiting(AccountOperations.refresh_secret)
    delete_project = _waiting(AccountOperations.delete_project)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncAccountClient:
    """The account's access to a server, for asyncio. Make one for each event loop and keep it.

    Args:
        account_key: The account's key, of the section `account` in the server's configuration.
        account_secret: Its secret.
        api_url: Address of the server.
        timeout: How long a call may take, in seconds, including everything that is tried again.
        retries: How often a call that failed is sent again, if that does nothing twice.
        transport: Takes the place of the network, for tests.

    Raises:
        InvalidParameterError: If `api_url` is not an address, or key or secret are empty.
    """

    def __init__(
        self,
        account_key: str | int,
        account_secret: str,
        api_url: str = "http://127.0.0.1:8080",
        timeout: float = 10.0,
        *,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = _AwaitedSender(
            account_key, account_secret, api_url, timeout, retries=retries, transport=transport
        )

    create_project = _awaited(AccountOperations.create_project)
    list_projects = _awaited(AccountOperations.list_projects)
    get_project = _awaited(AccountOperations.get_project)
    set_project_status = _awaited(AccountOperations.set_project_status)
    refresh_secret = _awaited(AccountOperations.refresh_secret)
    delete_project = _awaited(AccountOperations.delete_project)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
